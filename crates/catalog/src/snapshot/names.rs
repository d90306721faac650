//! Maps from names, and the hash that tells one catalogue from another.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

use crate::raw::RawCatalog;

/// Finds things by name.
pub(super) type Names<Ix> = HashMap<Box<str>, Ix, BuildHasherDefault<NameHasher>>;

/// Hashes the catalogue's canonical text: maps are sorted and prices are
/// integers, so the text is the same everywhere.
pub(super) fn content_hash(raw: &RawCatalog) -> u64 {
    struct Sink(NameHasher);
    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(NameHasher::default());
    // The sink cannot fail and every key is a string, so neither can this.
    let _ = serde_json::to_writer(&mut sink, &raw.providers);
    let _ = serde_json::to_writer(&mut sink, &raw.models);
    let _ = serde_json::to_writer(&mut sink, &raw.endpoints);
    sink.0.finish()
}

/// FNV-1a with a final mix. Keys are fixed when the snapshot is built and
/// callers only look names up, so nobody can fill a bucket from outside.
#[derive(Clone, Copy)]
pub(super) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
}
