//! Money rules: price a usage, hold, extend, post, void; double entry.
