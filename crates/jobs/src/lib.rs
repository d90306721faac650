//! Work that must not delay a call: one file per job.
