//! Who may do what: keys, limits.
