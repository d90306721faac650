//! Inputs that are wrong with something, kept in files.

use std::path::{Path, PathBuf};

use crate::sign;

/// Writes an input down; returns where.
pub fn keep(finds: &Path, target: &str, input: &[u8]) -> PathBuf {
    let path = finds.join(format!("{target}-{:016x}", sign::of_bytes(input)));
    let kept = std::fs::create_dir_all(finds).and_then(|()| std::fs::write(&path, input));
    if let Err(error) = kept {
        eprintln!("{}: {error}", path.display());
    }
    path
}
