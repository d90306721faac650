//! Files of the journal.

use std::cell::RefCell;
use std::path::Path;

use bourse_ledger::record;
use bourse_spool::{Owner, Position, Reader, inspect, repair};

use super::Target;
use super::records::{booked, split, survives};
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// A directory with one segment, as it might be after anything.
pub struct Segments;

/// Whose the segments of the seeds are.
const OWNER: Owner = Owner {
    store: [7; 16],
    node: 1,
};
/// Bytes before a segment's first record (docs/journal.md).
const FILE_HEADER_BYTES: usize = 40;
/// Every so manieth damaged segment is repaired.
const REPAIR_EVERY: u64 = 64;
/// Records that are read at once.
const BATCH: usize = 1_000;

thread_local! {
    /// In memory where that is possible: a run writes millions of files.
    static DIRECTORY: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

impl Target for Segments {
    fn name(&self) -> &'static str {
        "segments"
    }

    fn held_to(&self) -> &'static str {
        "a damaged segment is refused or read up to a record's end, its records balance, and what is repaired is whole"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let path =
            crate::root().join("fixtures/releases/0.1.0/data/spool/00000000000000000000.spool");
        let old = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut seeds = vec![old];
        for list in super::records::Records.seeds()? {
            let mut file = b"BRSPOOL2".to_vec();
            file.extend(OWNER.store);
            file.extend(OWNER.node.to_le_bytes());
            // Where it begins, and two bytes of room.
            file.extend([0; 10]);
            file.extend(crc32fast::hash(&file).to_le_bytes());
            for record in split(&list) {
                let mut frame = vec![0; bourse_spool::frame::HEADER_BYTES];
                frame.extend_from_slice(record);
                bourse_spool::frame::seal(&mut frame, 0);
                file.extend(frame);
            }
            seeds.push(file);
        }
        Ok(seeds)
    }

    fn mend(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        if chance.one_in(3) {
            return;
        }
        let mark =
            u64::from(chance.one_in(4)) * u64::try_from(chance.below(input.len() + 1)).unwrap_or(0);
        let mut rest = input.get_mut(FILE_HEADER_BYTES..).unwrap_or_default();
        while let Some(length) = rest.first_chunk() {
            let size = bourse_spool::frame::HEADER_BYTES
                + usize::try_from(u32::from_le_bytes(*length)).unwrap_or(0);
            let Some((frame, after)) = rest.split_at_mut_checked(size) else {
                return;
            };
            bourse_spool::frame::seal(frame, mark);
            rest = after;
        }
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        DIRECTORY.with_borrow_mut(|kept| {
            let directory = match kept {
                Some(directory) => directory,
                None => kept.insert(fresh()?),
            };
            judge(directory.path(), input)
        })
    }
}

fn fresh() -> Result<tempfile::TempDir, String> {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.map_err(|error| format!("a directory: {error}"))
}

fn judge(room: &Path, input: &[u8]) -> Result<u64, String> {
    let mut sign = Sign::default();
    let directory = &room.join("spool");
    let failed = |error| format!("{}: {error}", room.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    let file = directory.join(format!("{:020}.spool", 0));
    std::fs::write(&file, input).map_err(|error| format!("{}: {error}", file.display()))?;
    let start = Position(0);
    let found = inspect(directory, None, start);
    match &found {
        Ok(found) => {
            sign.count(usize::try_from(found.end.0).unwrap_or(usize::MAX));
            read(directory, found.end, &mut sign)?;
        }
        Err(error) => {
            sign.sentence(&error.to_string().replace(&*room.to_string_lossy(), ""));
            // A repair makes directories and syncs them, a hundred times the
            // work of everything else here.
            if of_bytes(input).is_multiple_of(REPAIR_EVERY) {
                mended(directory, start, &mut sign)?;
                std::fs::remove_dir_all(room)
                    .and_then(|()| std::fs::create_dir(room))
                    .map_err(failed)?;
            }
        }
    }
    Ok(sign.get())
}

/// Reads everything up to where the records are said to end.
fn read(directory: &Path, end: Position, sign: &mut Sign) -> Result<(), String> {
    let mut reader = Reader::new(directory, Position(0));
    let mut good = Vec::new();
    let batch = reader
        .read(end, BATCH)
        .map_err(|error| format!("what was checked is not read: {error}"))?;
    for bytes in batch.iter() {
        if let Ok(read) = record::decode(bytes) {
            survives(&read, bytes)?;
            good.push((bytes, read));
        }
    }
    sign.count(batch.len());
    sign.count(good.len());
    booked(&good, sign)
}

/// What is repaired must be whole.
fn mended(directory: &Path, applied: Position, sign: &mut Sign) -> Result<(), String> {
    match repair(directory, OWNER, applied) {
        Ok(_) => match inspect(directory, None, applied) {
            Ok(found) => read(directory, found.end, sign),
            Err(error) => Err(format!("what was repaired is refused: {error}")),
        },
        Err(error) => {
            let room = directory.parent().unwrap_or(directory);
            sign.sentence(&error.to_string().replace(&*room.to_string_lossy(), ""));
            Ok(())
        }
    }
}
