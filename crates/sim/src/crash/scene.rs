//! What happens to the server besides being stopped.

use std::fs;
use std::path::Path;

use crate::crash::market::{Model, USUAL, WIDE};

/// Longest that the disk refuses in one go, in milliseconds.
pub const REFUSES_MS_MAX: u64 = 600;
/// Callers that mean harm, beside those that are witnesses.
pub const INTRUDERS: u32 = 6;

/// Which trouble a run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scene {
    /// One sort of stops, and providers that fail as providers do.
    #[default]
    Stops,
    /// Kills and gentle stops in turn, a disk that refuses in the middle of a
    /// write, clients that leave at any byte, providers that lie about usage,
    /// overrun their limit or are none.
    Money,
    /// The same stops, clients and providers, and callers that smuggle,
    /// misspell, trickle, abort and send what is dear to read.
    Hostile,
}

impl Scene {
    /// What is sold.
    #[must_use]
    pub const fn models(self) -> &'static [Model] {
        match self {
            Self::Stops => &USUAL,
            Self::Money | Self::Hostile => &WIDE,
        }
    }

    /// Whether kills and gentle stops take turns, and clients leave at any
    /// byte.
    #[must_use]
    pub const fn is_mixed(self) -> bool {
        !matches!(self, Self::Stops)
    }

    /// Whether the disk refuses now and then.
    #[must_use]
    pub const fn has_bad_disk(self) -> bool {
        matches!(self, Self::Money)
    }

    /// How many callers mean harm.
    #[must_use]
    pub const fn intruders(self) -> u32 {
        match self {
            Self::Hostile => INTRUDERS,
            Self::Stops | Self::Money => 0,
        }
    }
}

/// The longest file below a directory, in bytes: a limit about there meets
/// writes in their middle.
#[must_use]
pub fn longest_file(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => longest_file(&entry.path()),
            _ => entry.metadata().map_or(0, |file| file.len()),
        })
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_file_is_found_in_any_folder() {
        let room = std::env::temp_dir().join(format!("bourse-scene-{}", std::process::id()));
        let below = room.join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::write(room.join("short"), [0; 3]).unwrap();
        fs::write(below.join("long"), [0; 7]).unwrap();
        assert_eq!(longest_file(&room), 7);
        fs::remove_dir_all(&room).unwrap();
        assert_eq!(longest_file(&room), 0);
    }

    #[test]
    fn every_scene_sells_what_the_usual_one_does() {
        for scene in [Scene::Money, Scene::Hostile] {
            let sold: Vec<_> = scene.models().iter().map(|model| model.slug).collect();
            assert!(USUAL.iter().all(|model| sold.contains(&model.slug)));
        }
    }
}
