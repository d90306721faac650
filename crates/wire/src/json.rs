//! Finding and replacing members of a JSON text without parsing it.
