//! The life of a model call, one file per phase.
