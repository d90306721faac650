//! The local journal: append, group commit, replay.
