mod bad_disk;
mod damage;
mod foreign;
mod live;
mod power_cuts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bourse_ledger::Subject;
use bourse_ledger::record::{Cost, Facts, Payer, VoidReason};
use bourse_policy::KeyHash;

use super::start::REPLAY_RECORDS;
use super::*;
use crate::account::Accounts;
use crate::activity::Activity;
use crate::applier::Applier;
use crate::generation::Generations;
use crate::journal::Journals;
use crate::key::Keys;
use crate::suite::{ACCOUNT, KEY, NOW, assert_balanced, id, set_up, top_up};
use crate::upkeep::Upkeep as _;
use crate::{KeyPatch, MemoryStore, SqliteStore};

fn options() -> Options {
    Options {
        sync_interval: Duration::from_millis(1),
        ..Options::default()
    }
}

async fn open(store: &dyn Store, dir: &Path) -> (Till, Recovery) {
    open_at(store, dir, NOW).await
}

/// The keys that the suite makes were never used, so none is warm.
async fn open_at(store: &dyn Store, dir: &Path, now_ms: u64) -> (Till, Recovery) {
    let opened = Till::open(store, dir, options(), now_ms).await.unwrap();
    (opened.till, opened.recovery)
}

/// Loads what the suite makes, as the first call with the key does.
async fn load(till: &Till, store: &dyn Store) {
    let keys = store.keys_by_hash(&[KeyHash::of("one")]).await.unwrap();
    let accounts = store.accounts_by_id(&[ACCOUNT]).await.unwrap();
    till.load(&accounts, &keys);
}

/// Opens a till in which the suite's account is loaded.
async fn open_loaded(store: &dyn Store, dir: &Path) -> (Till, Recovery) {
    let (till, recovery) = open(store, dir).await;
    load(&till, store).await;
    (till, recovery)
}

fn a_hold(n: u64, amount: i64) -> Hold<'static> {
    Hold {
        id: id(n),
        account: ACCOUNT,
        key: KEY,
        amount: Nanos(amount),
        at_ms: NOW,
        model: "a/m",
        provider: "p",
        endpoint: "e",
    }
}

fn a_settlement(n: u64, charge: i64) -> Settlement<'static> {
    let cost = Cost {
        provider: "p",
        amount: Nanos(charge),
        payer: Payer::Customer,
    };
    Settlement {
        id: id(n),
        account: ACCOUNT,
        at_ms: NOW,
        charge: Nanos(charge),
        costs: vec![cost],
        possible: Vec::new(),
        facts: Facts {
            model: "a/m",
            provider: "p",
            endpoint: "e",
            ..Facts::default()
        },
    }
}

fn a_voiding(n: u64) -> Voiding<'static> {
    Voiding {
        id: id(n),
        account: ACCOUNT,
        at_ms: NOW,
        reason: VoidReason::AttemptsFailed,
        costs: Vec::new(),
        possible: Vec::new(),
        facts: Facts::default(),
    }
}

fn money(till: &Till) -> (i64, i64, i64) {
    let balance = till.books().balance(ACCOUNT).unwrap();
    (balance.available().0, balance.held.0, balance.spent.0)
}

/// As a killed process: nothing is synced, nothing is closed.
fn kill(till: Till) {
    std::mem::forget(till);
}

#[tokio::test]
async fn a_killed_server_finds_every_settlement_and_leaves_no_hold() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).await.unwrap();
    set_up(&store, 1_000).await;
    let (till, _) = open_loaded(&store, dir.path()).await;
    till.hold(&a_hold(1, 100)).unwrap();
    till.settle(&a_settlement(1, 30)).unwrap();
    till.hold(&a_hold(2, 100)).unwrap();
    till.hold(&a_hold(3, 100)).unwrap();
    let checkpoint = Checkpoint {
        id: id(3),
        charge: Nanos(44),
        upstream: Nanos(40),
        prompt: 1,
        completion: 2,
    };
    till.checkpoint(&checkpoint).unwrap();
    till.hold(&a_hold(4, 100)).unwrap();
    till.void(&a_voiding(4)).unwrap();
    assert_eq!(money(&till), (770, 200, 30));
    kill(till);

    let (till, recovery) = open_loaded(&store, dir.path()).await;
    assert_eq!(
        (recovery.replayed, recovery.settled, recovery.voided),
        (7, 1, 1)
    );
    assert_eq!(money(&till), (926, 0, 74));
    kill(till);

    // And again: what was closed stays closed, nothing is charged twice.
    let (till, recovery) = open_loaded(&store, dir.path()).await;
    assert_eq!(
        (recovery.settled, recovery.voided, recovery.repeated),
        (0, 0, 0)
    );
    assert_eq!(money(&till), (926, 0, 74));
    let store = Arc::new(store);
    let till = Arc::new(till);
    let mut applier = Applier::new(store.clone(), till.clone());
    let end = applier.drain().await.unwrap();
    assert_eq!(store.applied().await.unwrap(), end);
    assert_eq!(
        store.account(ACCOUNT).await.unwrap().unwrap().spent,
        Nanos(74)
    );
    assert!(store.open_holds().await.unwrap().is_empty());
    let questions = store.unreconciled(9).await.unwrap();
    assert_eq!((questions.len(), questions[0].at_most), (1, Nanos(100)));
    assert_balanced(&*store).await;
}

#[tokio::test]
async fn streams_are_settled_by_the_last_list_that_was_written_before_the_kill() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).await.unwrap();
    set_up(&store, 1_000).await;
    let lazy = Options {
        // Notes wait until something else is written.
        sync_interval: Duration::from_secs(3_600),
        ..options()
    };
    let till = Till::open(&store, dir.path(), lazy, NOW)
        .await
        .unwrap()
        .till;
    load(&till, &store).await;
    for n in 1..=3 {
        till.hold(&a_hold(n, 100)).unwrap();
    }
    let checkpoint = |n, charge| Checkpoint {
        id: id(n),
        charge: Nanos(charge),
        upstream: Nanos(charge),
        prompt: 1,
        completion: 2,
    };
    till.checkpoints(&[checkpoint(1, 10), checkpoint(2, 20)])
        .unwrap();
    till.checkpoints(&[checkpoint(1, 30)]).unwrap();
    till.hold(&a_hold(4, 100)).unwrap();
    // The last list dies with the server: nothing took it along.
    till.checkpoints(&[checkpoint(1, 99), checkpoint(3, 99)])
        .unwrap();
    kill(till);
    let (till, recovery) = open_loaded(&store, dir.path()).await;
    assert_eq!((recovery.settled, recovery.voided), (2, 2));
    assert_eq!(money(&till), (950, 0, 50));
    let store = Arc::new(store);
    let mut applier = Applier::new(store.clone(), Arc::new(till));
    applier.drain().await.unwrap();
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(&*store).await;
}

#[tokio::test]
async fn a_kill_between_any_two_batches_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    set_up(&*store, 1_000_000).await;
    let mut spent = 0;
    for round in 0..12u64 {
        let (till, _) = open_loaded(&*store, dir.path()).await;
        let till = Arc::new(till);
        assert_eq!(money(&till), (1_000_000 - spent, 0, spent), "round {round}");
        let mut applier = Applier::new(store.clone(), till.clone());
        for n in 0..40 {
            let n = round * 1_000 + n;
            till.hold(&a_hold(n, 100)).unwrap();
            if n % 3 != 0 {
                till.settle(&a_settlement(n, 7)).unwrap();
                spent += 7;
            }
            if n % 10 == round % 10 {
                till.spool()
                    .wait_durable(till.spool().written())
                    .await
                    .unwrap();
                applier.step().await.unwrap();
            }
        }
        drop(applier);
        kill(Arc::into_inner(till).unwrap());
        assert_balanced(&*store).await;
    }
    let (till, _) = open_loaded(&*store, dir.path()).await;
    let till = Arc::new(till);
    Applier::new(store.clone(), till.clone())
        .drain()
        .await
        .unwrap();
    assert_eq!(
        store.account(ACCOUNT).await.unwrap().unwrap().spent,
        Nanos(spent)
    );
    assert!(store.open_holds().await.unwrap().is_empty());
    assert_balanced(&*store).await;
}

#[tokio::test]
async fn what_the_command_line_changes_is_taken_over_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    set_up(&store, 100).await;
    let (till, recovery) = open_loaded(&store, dir.path()).await;
    till.hold(&a_hold(1, 60)).unwrap();
    till.settle(&a_settlement(1, 60)).unwrap();
    assert!(till.hold(&a_hold(2, 41)).is_err());
    store.grant(top_up(ACCOUNT, 1)).await.unwrap();
    let changes = store.changes_since(recovery.change_seq).await.unwrap();
    till.absorb(&changes);
    assert_eq!(money(&till), (41, 0, 60));
    let patch = KeyPatch {
        limit: Some(Some(Nanos(100))),
        ..KeyPatch::default()
    };
    store
        .update_key(KeyHash::of("one"), patch, NOW)
        .await
        .unwrap();
    till.absorb(&store.changes_since(changes.seq).await.unwrap());
    let refused = till.hold(&a_hold(2, 41)).unwrap_err();
    let TillError::Refused(Refusal::Exhausted(exhausted)) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(exhausted.purse, Subject::Key(KEY));
    assert_eq!(refused.failure().status(), 402);
    till.hold(&a_hold(2, 40)).unwrap();
}

#[tokio::test]
async fn a_full_journal_refuses_new_calls_and_lets_running_ones_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    set_up(&store, 1_000_000).await;
    let tiny = Options {
        unapplied_bytes_max: 500,
        ..options()
    };
    let till = Till::open(&store, dir.path(), tiny, NOW)
        .await
        .unwrap()
        .till;
    load(&till, &store).await;
    let mut n = 0;
    let refused = loop {
        n += 1;
        if let Err(error) = till.hold(&a_hold(n, 10)) {
            break error;
        }
    };
    assert_eq!(refused.failure().status(), 503);
    assert_eq!(
        till.books().balance(ACCOUNT).unwrap().held.0,
        i64::try_from((n - 1) * 10).unwrap()
    );
    till.settle(&a_settlement(1, 3)).unwrap();
    till.void(&a_voiding(2)).unwrap();
}

#[tokio::test]
async fn the_applier_catches_up_by_itself_and_drains_when_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    set_up(&*store, 1_000_000).await;
    let till = Arc::new(open_loaded(&*store, dir.path()).await.0);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let thread = Applier::new(store.clone(), till.clone())
        .spawn(stopped, std::future::ready(()))
        .unwrap();
    for n in 0..5_000 {
        till.hold(&a_hold(n, 100)).unwrap();
        till.settle(&a_settlement(n, 7)).unwrap();
    }
    stop.send(true).unwrap();
    tokio::task::spawn_blocking(move || thread.join())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        store.account(ACCOUNT).await.unwrap().unwrap().spent,
        Nanos(35_000)
    );
    assert_eq!(till.spool().unapplied_bytes(), 0);
    assert_balanced(&*store).await;
}

#[tokio::test]
async fn starting_reads_each_of_a_hundred_thousand_records_once_and_no_row_that_they_do_not_need() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    set_up(&store, 1_000_000_000).await;
    let (till, _) = open_loaded(&store, dir.path()).await;
    for n in 0..50_000 {
        till.hold(&a_hold(n, 100)).unwrap();
        till.settle(&a_settlement(n, 7)).unwrap();
    }
    kill(till);
    let idle = store.create_account("idle", NOW).await.unwrap();
    let opened = Till::open(&store, dir.path(), options(), NOW).await;
    let crate::Opened {
        till,
        recovery,
        keys,
    } = opened.unwrap();
    assert_eq!((recovery.replayed, recovery.repeated), (100_000, 0));
    assert_eq!(keys.len(), 1);
    assert!(till.books().balance(idle.id).is_none());
    assert_eq!(money(&till).2, 350_000);
}

/// Prints what money costs a call. Run with
/// `cargo test --release -p bourse-store -- --ignored --nocapture what_money`.
#[tokio::test]
#[ignore = "a measurement, not a check"]
async fn what_money_costs_a_call() {
    const CALLS: u64 = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    set_up(&*store, 1_000_000_000).await;
    let opened = Till::open(&*store, dir.path(), Options::default(), NOW).await;
    let till = Arc::new(opened.unwrap().till);
    load(&till, &*store).await;
    let begin = Instant::now();
    for n in 0..CALLS {
        till.hold(&a_hold(n, 100)).unwrap();
        till.settle(&a_settlement(n, 7)).unwrap();
    }
    let spend = begin.elapsed() / u32::try_from(CALLS).unwrap();
    println!("hold and settle: {spend:?} a call");
    till.spool()
        .wait_durable(till.spool().written())
        .await
        .unwrap();
    let begin = Instant::now();
    let reopened = {
        // The same journal, read as a restart would.
        let mut reader = till.spool().reader(Position(0));
        let mut replay = Replay::default();
        let mut records = 0;
        loop {
            let batch = reader.read(till.spool().written(), REPLAY_RECORDS).unwrap();
            if batch.is_empty() {
                break records;
            }
            for bytes in batch.iter() {
                replay.push(&record::decode(bytes).unwrap());
                records += 1;
            }
        }
    };
    println!("replay of {reopened} records: {:?}", begin.elapsed());
    let begin = Instant::now();
    let used = cpu_ms();
    Applier::new(store.clone(), till.clone())
        .drain()
        .await
        .unwrap();
    let used = cpu_ms() - used;
    println!(
        "apply: {:?} a call, of which CPU {} us",
        begin.elapsed() / u32::try_from(CALLS).unwrap(),
        used * 1000 / CALLS
    );
    assert_balanced(&*store).await;
}

/// CPU time of this process so far, from the kernel's own count.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 10
}

#[tokio::test]
async fn verify_reads_the_journal_of_a_stopped_server_and_leaves_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).await.unwrap();
    set_up(&store, 1_000).await;
    let lock = bourse_spool::DataDirLock::acquire(dir.path()).unwrap();
    let (till, _) = open_loaded(&store, dir.path()).await;
    till.hold(&a_hold(1, 100)).unwrap();
    till.settle(&a_settlement(1, 30)).unwrap();
    till.hold(&a_hold(2, 100)).unwrap();
    let (report, beside) = crate::verify::verify(&store, dir.path()).await.unwrap();
    assert!(report.is_balanced() && beside.is_none());
    drop((till, lock));
    let (report, stopped) = crate::verify::verify(&store, dir.path()).await.unwrap();
    let expected = crate::verify::Unapplied {
        records: 3,
        repeated: 0,
        paid: 30,
        open_holds: 1,
        ..crate::verify::Unapplied::default()
    };
    assert_eq!(
        (report.differences.as_slice(), stopped),
        (&[][..], Some(expected))
    );
    // Less credit in the database than the journal spends: reported.
    store.grant(top_up(ACCOUNT, -950)).await.unwrap();
    let (report, _) = crate::verify::verify(&store, dir.path()).await.unwrap();
    assert_eq!(report.differences.len(), 1, "{:?}", report.differences);
    let (till, recovery) = open_loaded(&store, dir.path()).await;
    assert_eq!((recovery.replayed, recovery.torn_bytes), (3, 0));
    assert_eq!(money(&till).2, 30);
}

#[tokio::test]
async fn another_databases_journal_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&one, &two] {
        let store = SqliteStore::open(dir.path()).await.unwrap();
        set_up(&store, 1_000).await;
        let (till, _) = open_loaded(&store, dir.path()).await;
        till.hold(&a_hold(1, 10)).unwrap();
        drop(till);
        store.close().await;
    }
    std::fs::remove_file(one.path().join(crate::sqlite::DATABASE_FILE)).unwrap();
    let database = crate::sqlite::DATABASE_FILE;
    std::fs::copy(two.path().join(database), one.path().join(database)).unwrap();
    let store = SqliteStore::open(one.path()).await.unwrap();
    let refused = Till::open(&store, one.path(), options(), NOW).await;
    let error = refused.map(|_| ()).unwrap_err();
    assert!(
        matches!(error, TillError::Spool(SpoolError::Foreign { .. })),
        "{error}"
    );
    let looked = crate::verify::verify(&store, one.path()).await;
    assert!(looked.is_err());
}

#[tokio::test]
async fn two_copies_of_a_data_directory_are_told_apart_by_what_they_did_since() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(one.path()).await.unwrap();
    set_up(&store, 1_000).await;
    let (till, _) = open_loaded(&store, one.path()).await;
    till.hold(&a_hold(1, 10)).unwrap();
    till.settle(&a_settlement(1, 3)).unwrap();
    drop(till);
    store.close().await;
    let spool = |dir: &Path| dir.join(SPOOL_DIR).join(format!("{:020}.spool", 0));
    let database = crate::sqlite::DATABASE_FILE;
    std::fs::create_dir(two.path().join(SPOOL_DIR)).unwrap();
    std::fs::copy(spool(one.path()), spool(two.path())).unwrap();
    std::fs::copy(one.path().join(database), two.path().join(database)).unwrap();
    // Both go on, with records of the same lengths.
    for (dir, charge) in [(&one, 4), (&two, 5)] {
        let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
        let till = Arc::new(open_loaded(&*store, dir.path()).await.0);
        till.hold(&a_hold(2, 10)).unwrap();
        till.settle(&a_settlement(2, charge)).unwrap();
        Applier::new(store.clone(), till.clone())
            .drain()
            .await
            .unwrap();
        drop(till);
        assert_balanced(&*store).await;
        store.close().await;
    }
    std::fs::copy(spool(two.path()), spool(one.path())).unwrap();
    let store = SqliteStore::open(one.path()).await.unwrap();
    let refused = Till::open(&store, one.path(), options(), NOW).await;
    let error = refused.map(|_| ()).unwrap_err();
    assert!(matches!(error, TillError::OtherHistory { .. }), "{error}");
    assert!(error.to_string().contains("put back"), "{error}");
    // Each with its own is fine.
    let store = SqliteStore::open(two.path()).await.unwrap();
    let (_, recovery) = open(&store, two.path()).await;
    assert_eq!(recovery.replayed, 0);
}

#[tokio::test]
async fn refused_calls_leave_a_bounded_number_of_records() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    set_up(&*store, 1_000).await;
    let till = Arc::new(open(&*store, dir.path()).await.0);
    let refused = |at_ms| record::Refused {
        id: id(1),
        account: ACCOUNT,
        key: KEY,
        at_ms,
        failure: FailureKind::PaymentRequired,
        requested: "a/m",
        app: "",
        unrecorded: 0,
    };
    let recorded = (0..1_000).filter(|_| till.refuse(&refused(NOW))).count();
    assert_eq!(recorded, 100);
    assert_eq!(till.unrecorded_refusals(), 900);
    assert!(till.refuse(&refused(NOW + 1_000)));
    assert_eq!(till.unrecorded_refusals(), 0);
    Applier::new(store.clone(), till).drain().await.unwrap();
    let query = |account| crate::ActivityQuery {
        account,
        key: None,
        first_day: 0,
        last_day: u64::MAX,
    };
    let told = store.failures(query(ACCOUNT)).await.unwrap();
    let untold = store.failures(query(AccountId(0))).await.unwrap();
    assert_eq!((told[0].sums.calls, untold[0].sums.calls), (101, 900));
}

#[tokio::test]
async fn a_consumer_that_the_store_knows_keeps_its_segments_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    set_up(&*store, 1_000_000).await;
    store
        .note_consumer("sink", Some(Position(0)))
        .await
        .unwrap();
    let small = Options {
        segment_bytes: 200,
        ..options()
    };
    for round in 0..2u64 {
        let opened = Till::open(&*store, dir.path(), small.clone(), NOW).await;
        let till = Arc::new(opened.unwrap().till);
        load(&till, &*store).await;
        for n in 0..10 {
            till.hold(&a_hold(round * 100 + n, 10)).unwrap();
            till.settle(&a_settlement(round * 100 + n, 3)).unwrap();
        }
        Applier::new(store.clone(), till.clone())
            .drain()
            .await
            .unwrap();
        let everything = till
            .spool()
            .reader(Position(0))
            .read(till.spool().written(), 99)
            .unwrap();
        let records = usize::try_from((round + 1) * 20).unwrap();
        assert_eq!(everything.len(), records);
        let end = till.spool().written();
        if round == 1 {
            till.spool().ack("sink", end).unwrap();
            let gone = till.spool().reader(Position(0)).read(end, 99);
            assert!(matches!(gone, Err(SpoolError::Gone { .. })));
        }
    }
}
