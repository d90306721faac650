//! Maps of calls, and of accounts and keys.
//!
//! Eighty-four bits of a call's id were drawn at random by a server, so no
//! caller can choose ids that meet in a map, and their low half is as good
//! as a hash of them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use bourse_vocab::GenerationId;

/// A map of calls.
pub(crate) type ById<T> = HashMap<GenerationId, T, BuildHasherDefault<IdHasher>>;
/// A map of accounts or keys: their ids are made by a server, so its hash need
/// not be one that callers cannot foresee. It is one that differs between
/// processes all the same.
pub(crate) type ByRow<K, T> = HashMap<K, T, foldhash::fast::RandomState>;
/// A set of calls.
pub(crate) type Ids = HashSet<GenerationId, BuildHasherDefault<IdHasher>>;

/// Hashes an id to what is random in it.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[allow(clippy::cast_possible_truncation)] // The low half is wanted.
    fn write_u128(&mut self, id: u128) {
        // A map looks at the highest seven bits and at some of the lowest.
        // Of ids that count up, as tests have them, both differ too.
        let mixed = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed.rotate_left(32);
    }
}
