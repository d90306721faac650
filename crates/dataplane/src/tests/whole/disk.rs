//! The journal's disk: it is full for a while, takes half of what is written, or
//! loses what it was to keep.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use bourse_spool::{Disk, RealDisk, Trouble};
use tokio::time::sleep;

use super::super::harness::{Harness, ms};
use crate::phases::hold::goals::Dice;

/// How often the server asks a disk that refused: as its syncing thread does,
/// which lives in real time.
const ASKED_EVERY: Duration = ms(200);
/// The longest outage.
const OUTAGE_MS_MAX: u64 = 8_000;
/// A segment of the journal, in bytes: so small that a scene has several.
pub const SEGMENT_BYTES: u64 = 4 << 10;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Fault {
    None,
    /// It takes nothing.
    Refuses,
    /// It takes half of a write.
    TakesHalf,
    /// It takes all and loses it: no sync succeeds.
    LosesSyncs,
}

/// A disk that can be broken.
#[derive(Debug, Default)]
pub struct FaultyDisk(AtomicU8);

impl FaultyDisk {
    fn set(&self, fault: Fault) {
        self.0.store(fault as u8, Relaxed);
    }

    fn has(&self, fault: Fault) -> bool {
        self.0.load(Relaxed) == fault as u8
    }

    fn takes(&self) -> Result<()> {
        if self.has(Fault::Refuses) {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn syncs(&self) -> Result<()> {
        if self.has(Fault::LosesSyncs) {
            return Err(Error::other("the disk lost it"));
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> Result<File> {
        self.takes()?;
        RealDisk.create(path)
    }

    fn append(&self, file: &File, bytes: &[u8]) -> Result<()> {
        self.takes()?;
        if self.has(Fault::TakesHalf) {
            RealDisk.append(file, &bytes[..bytes.len() / 2])?;
            return Err(Error::from(ErrorKind::StorageFull));
        }
        RealDisk.append(file, bytes)
    }

    // What a simulation loses it loses in `syncs`: a real sync only takes time.
    fn sync(&self, _: &File) -> Result<()> {
        self.syncs()
    }

    fn sync_data(&self, _: &File) -> Result<()> {
        self.syncs()
    }

    fn cut(&self, file: &File, bytes: u64) -> Result<()> {
        self.takes()?;
        RealDisk.cut(file, bytes)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        RealDisk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.takes()?;
        RealDisk.rename(from, to)
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        self.syncs()
    }
}

/// A fault, when it begins after the one before it and how long it lasts.
#[derive(Debug)]
struct Outage {
    fault: Fault,
    after: Duration,
    lasts: Duration,
}

/// What becomes of the disk of a scene.
#[derive(Debug, Default)]
pub struct Outages {
    pub disk: Arc<FaultyDisk>,
    outages: Vec<Outage>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Suffered {
    /// Whether ends of calls waited in memory for it.
    pub owed: bool,
    /// Whether the journal has stopped.
    pub stopped: bool,
}

impl Outages {
    /// A scene whose disk fails up to three times; one in eight loses a sync.
    pub fn new(dice: &mut Dice) -> Self {
        let outages = (0..=dice.upto(2)).map(|_| {
            let fault = match dice.upto(15) {
                0 => Fault::LosesSyncs,
                1..=7 => Fault::Refuses,
                _ => Fault::TakesHalf,
            };
            Outage {
                fault,
                after: ms(dice.upto(10_000)),
                lasts: ms(1 + dice.upto(OUTAGE_MS_MAX)),
            }
        });
        Self {
            outages: outages.collect(),
            disk: Arc::default(),
        }
    }

    /// Breaks the disk and mends it, while the server asks it as it does.
    pub async fn happen(&self, harness: &Harness) -> Suffered {
        let spool = harness.gateway().till.spool();
        let trouble = spool.trouble();
        let mut suffered = Suffered::default();
        for outage in &self.outages {
            sleep(outage.after).await;
            self.disk.set(outage.fault);
            if outage.fault == Fault::LosesSyncs {
                suffered.stopped |= spool.sync_now().is_err();
            }
            let mut left = outage.lasts;
            while !left.is_zero() {
                sleep(left.min(ASKED_EVERY)).await;
                left = left.saturating_sub(ASKED_EVERY);
                suffered.owed |= matches!(*trouble.borrow(), Trouble::Owed(_));
                spool.flush();
            }
            self.disk.set(Fault::None);
            spool.flush();
        }
        suffered
    }
}
