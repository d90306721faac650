//! Disks that fail at any call, for a while, and servers that are killed on
//! them. Whatever happens: what was told to be kept is there, in order and
//! once; what was refused is not; and the spool heals, or has stopped after a
//! failed sync and says so.

use std::fs::File;
use std::io::{Error, Result};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::*;

/// How many histories are played; each has its own seed. Ten thousand hold as
/// well, and take most of a minute on a busy machine.
const SEEDS: u64 = 2_000;
const STEPS: u64 = 40;
/// Errors of an ailing disk: it fails (5), is full (28), takes no changes
/// (30), as Linux numbers them.
const ERRORS: [i32; 3] = [5, 28, 30];

/// Numbers that are as good as random, and the same each time (splitmix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[derive(Debug)]
struct AilingDisk {
    dice: Mutex<Dice>,
    is_ailing: AtomicBool,
    /// Takes nothing at all, as for a process that was killed.
    is_dead: AtomicBool,
    failures: AtomicU64,
    /// A sync of records failed, after which no spool may go on.
    has_lost_a_sync: AtomicBool,
}

impl AilingDisk {
    fn roll(&self, bound: u64) -> u64 {
        let dice = self.dice.lock();
        dice.unwrap_or_else(PoisonError::into_inner).below(bound)
    }

    /// Fails half of all calls while it is ailing.
    fn may(&self) -> Result<()> {
        if self.is_dead.load(Ordering::Relaxed) {
            return Err(Error::from_raw_os_error(ERRORS[0]));
        }
        if !self.is_ailing.load(Ordering::Relaxed) || self.roll(2) == 0 {
            return Ok(());
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        let error = usize::try_from(self.roll(3)).unwrap();
        Err(Error::from_raw_os_error(ERRORS[error]))
    }
}

/// Nothing is brought to the real disk: that takes long, and no power is cut
/// here.
impl Disk for AilingDisk {
    fn create(&self, path: &Path) -> Result<File> {
        self.may()?;
        RealDisk.create(path)
    }

    fn append(&self, file: &File, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.may() {
            if !self.is_dead.load(Ordering::Relaxed) {
                // All but the last byte at most.
                let taken = self.roll(bytes.len() as u64);
                RealDisk.append(file, &bytes[..usize::try_from(taken).unwrap()])?;
            }
            return Err(error);
        }
        RealDisk.append(file, bytes)
    }

    fn sync(&self, _: &File) -> Result<()> {
        self.may()
    }

    fn sync_data(&self, _: &File) -> Result<()> {
        // Seldom, so that other things happen as well.
        if self.roll(8) > 0 {
            return Ok(());
        }
        let done = self.may();
        if done.is_err() {
            self.has_lost_a_sync.store(true, Ordering::Relaxed);
        }
        done
    }

    fn cut(&self, file: &File, bytes: u64) -> Result<()> {
        self.may()?;
        RealDisk.cut(file, bytes)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.may()?;
        RealDisk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.may()?;
        RealDisk.rename(from, to)
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        self.may()
    }
}

/// In memory, where the system has that: some hundred thousand segments are
/// made, and a real disk would take minutes.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// The records of a spool, read off its files: a reader takes a quarter of a
/// megabyte at once, which is long here.
fn records(spool: &Spool) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut at = 0;
    for segment in segment::list(&spool.dir).unwrap() {
        let bytes = segment.load().unwrap();
        let mut rest = &bytes[FILE_HEADER_BYTES..];
        assert_eq!(segment.start.0, at);
        while at < spool.written().0 && !rest.is_empty() {
            let frame = frame::read(rest).unwrap();
            records.push(frame.record.to_vec());
            at += frame.size() as u64;
            rest = &rest[frame.size()..];
        }
    }
    assert_eq!(at, spool.written().0);
    records
}

/// A server's life: its spool, and what it was told that is kept.
struct Life {
    dir: tempfile::TempDir,
    disk: Arc<AilingDisk>,
    spool: Option<Spool>,
    told: Vec<(Position, Vec<u8>)>,
    seed: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut life = Self {
            dir: directory(),
            disk: Arc::new(AilingDisk {
                dice: Mutex::new(Dice(seed)),
                is_ailing: AtomicBool::new(false),
                is_dead: AtomicBool::new(false),
                failures: AtomicU64::new(0),
                has_lost_a_sync: AtomicBool::new(false),
            }),
            spool: None,
            told: Vec::new(),
            seed,
        };
        life.start();
        life
    }

    fn spool(&self) -> &Spool {
        self.spool.as_ref().unwrap()
    }

    /// Starts, again after the disk has become well if it must.
    fn start(&mut self) {
        // Without the thread that syncs: it would not play the same twice.
        let options = Options {
            segment_bytes: 200,
            ..options()
        };
        let open = |life: &Self| {
            let disk: Arc<dyn Disk> = Arc::clone(&life.disk) as _;
            let nobody: (Position, &[(&str, Position)]) = (Position(0), &[]);
            Spool::open_on(disk, life.dir.path(), OWNER, nobody, options.clone())
        };
        let opened = open(self).or_else(|_| {
            self.disk.is_ailing.store(false, Ordering::Relaxed);
            open(self)
        });
        self.disk.has_lost_a_sync.store(false, Ordering::Relaxed);
        self.spool = Some(
            opened
                .unwrap_or_else(|error| panic!("seed {}: {error}", self.seed))
                .spool,
        );
    }

    fn append(&mut self, n: u64) {
        let kinds = [
            Kind::Begin,
            Kind::Go,
            Kind::Grow,
            Kind::End,
            Kind::End,
            Kind::Note,
        ];
        let kind = kinds[usize::try_from(self.disk.roll(6)).unwrap()];
        let mut record = n.to_le_bytes().to_vec();
        record.resize(8 + usize::try_from(self.disk.roll(60)).unwrap(), 1);
        match self.spool().append(kind, &record) {
            Ok(position) => self.told.push((position, record)),
            // The end of a call is always taken.
            Err(error) => assert!(kind != Kind::End, "seed {}: {error}", self.seed),
        }
    }

    /// What has only been in memory may be lost, and nothing else.
    fn kill(&mut self) {
        let written = self.spool().written();
        self.disk.is_dead.store(true, Ordering::Relaxed);
        self.spool = None;
        self.disk.is_dead.store(false, Ordering::Relaxed);
        self.start();
        let least = self.told.iter().filter(|(at, _)| *at <= written).count();
        let found = records(self.spool()).len();
        assert!(found >= least, "seed {}: {found} of {least}", self.seed);
        self.told.truncate(found);
        self.check();
    }

    fn stop(&mut self) {
        self.disk.is_ailing.store(false, Ordering::Relaxed);
        self.spool = None;
        self.start();
        self.check();
    }

    /// Everything that was told is there, in order, once, and nothing else.
    fn check(&self) {
        let told: Vec<_> = self.told.iter().map(|(_, record)| record.clone()).collect();
        assert_eq!(records(self.spool()), told, "seed {}", self.seed);
    }

    /// The disk is well: the spool goes on, or has stopped after a failed
    /// sync.
    fn heal(&self) {
        self.disk.is_ailing.store(false, Ordering::Relaxed);
        let waits = self.spool().flush();
        let trouble = self.spool().trouble().borrow().clone();
        if self.disk.has_lost_a_sync.load(Ordering::Relaxed) {
            assert!(
                matches!(trouble, Trouble::Stopped(_)),
                "seed {}: {trouble:?}",
                self.seed
            );
            return;
        }
        assert_eq!((waits, trouble), (0, Trouble::None), "seed {}", self.seed);
        self.spool().check_room().unwrap();
        self.check();
    }
}

fn play(seed: u64) -> u64 {
    let mut life = Life::new(seed);
    for n in 0..STEPS {
        match life.disk.roll(16) {
            0 | 1 => {
                life.disk.is_ailing.fetch_xor(true, Ordering::Relaxed);
            }
            2 => {
                life.spool().flush();
            }
            3 => {
                sync::bring(&life.spool().writer, &life.spool().queue);
            }
            4 => life.kill(),
            5 => life.heal(),
            6 => life.stop(),
            _ => life.append(n),
        }
    }
    life.heal();
    life.stop();
    life.disk.failures.load(Ordering::Relaxed)
}

#[test]
fn on_any_failing_disk_nothing_told_is_forgotten_or_doubled_and_the_spool_heals_or_says_so() {
    let mut failures = 0;
    for seed in 0..SEEDS {
        failures += play(seed);
    }
    assert!(failures > SEEDS * 2, "{failures} failures");
}
