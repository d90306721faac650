//! Whom to call and how: address, authentication, dialect, reading errors.
