//! The books in memory, compared with journal and database.

use bourse_policy::{Limit, Period};

use super::*;
use crate::live::compare;

/// A call that ended, one that runs and is applied, and one of which the
/// database knows nothing yet.
async fn played(store: &Arc<MemoryStore>, dir: &Path) -> Arc<Till> {
    set_up(&**store, 1_000).await;
    let till = Arc::new(open_loaded(&**store, dir).await.0);
    till.hold(&a_hold(1, 100)).unwrap();
    till.settle(&a_settlement(1, 30)).unwrap();
    till.hold(&a_hold(2, 100)).unwrap();
    let mut applier = Applier::new(store.clone(), till.clone());
    applier.drain().await.unwrap();
    till.extend(ACCOUNT, id(2), Nanos(5)).unwrap();
    till.hold(&a_hold(3, 50)).unwrap();
    till.hold(&a_hold(4, 60)).unwrap();
    till.settle(&a_settlement(4, 9)).unwrap();
    till
}

#[tokio::test(start_paused = true)]
async fn memory_agrees_with_what_is_applied_and_what_is_only_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let till = played(&store, dir.path()).await;
    let report = compare(&till, &*store).await.unwrap();
    assert_eq!(report.differences, []);
    assert_eq!((report.accounts, report.keys, report.running), (1, 1, 2));
    assert_eq!(report.position, till.spool().written());
    assert!(report.compared > 20, "{}", report.compared);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_moved_in_memory_alone_is_found() {
    let credit = |till: &Till, granted: i64, lent: i64| {
        let seq = till.books().look(ACCOUNT, || ()).unwrap().change_seq;
        let credit = bourse_ledger::Credit {
            granted: Nanos(granted),
            lease: bourse_ledger::Lease {
                lent: Nanos(lent),
                returned: Nanos::ZERO,
            },
            spent: Nanos::ZERO,
            change_seq: seq,
        };
        till.books().change_account(ACCOUNT, &credit);
    };
    type Plant<'a> = (&'a str, &'a dyn Fn(&Till));
    let plants: [Plant<'_>; 8] = [
        ("a hold", &|till| {
            till.books()
                .hold(ACCOUNT, KEY, id(9), Nanos(3), NOW)
                .unwrap();
        }),
        ("an extension", &|till| {
            till.books().extend(ACCOUNT, id(2), Nanos(1)).unwrap();
        }),
        ("a part given back", &|till| {
            till.books().retract(ACCOUNT, id(3), Nanos(1));
        }),
        ("a payment", &|till| {
            till.books().post(ACCOUNT, id(2), Nanos(1)).unwrap();
        }),
        ("a hold let go of", &|till| {
            till.books().void(ACCOUNT, id(3)).unwrap();
        }),
        ("credit", &|till| credit(till, 1_001, 1_000)),
        ("what was lent", &|till| credit(till, 1_000, 1_001)),
        ("a limit", &|till| {
            let look = till.books().look(ACCOUNT, || ()).unwrap();
            let state = bourse_ledger::KeyState {
                account: ACCOUNT,
                limit: Some(Limit {
                    amount: Nanos(7),
                    reset: Some(Period::Daily),
                }),
                spent: bourse_policy::SpentByDay::default(),
                change_seq: look.keys[0].change_seq,
            };
            till.books().change_key(KEY, &state);
        }),
    ];
    for (what, plant) in plants {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::new());
        let till = played(&store, dir.path()).await;
        plant(&till);
        let report = compare(&till, &*store).await.unwrap();
        assert!(!report.agrees(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_database_lost_is_missed_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let till = played(&store, dir.path()).await;
    store.grant(top_up(ACCOUNT, 5)).await.unwrap();
    let report = compare(&till, &*store).await.unwrap();
    // Nobody told memory of it.
    assert!(!report.agrees());
    load(&till, &*store).await;
    let report = compare(&till, &*store).await.unwrap();
    assert_eq!(report.differences, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nothing_is_found_that_is_not_there() {
    const THREADS: u64 = 3;
    const CALLS: u64 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
    set_up(&*store, 1_000_000_000).await;
    let till = Arc::new(open_loaded(&*store, dir.path()).await.0);
    let mut applier = Applier::new(store.clone(), till.clone());
    let load = |thread: u64, till: Arc<Till>| {
        move || {
            for n in 0..CALLS {
                let call = thread * CALLS + n;
                till.hold(&a_hold(call, 100)).unwrap();
                till.extend(ACCOUNT, id(call), Nanos(10)).unwrap();
                // Some run on beside the next.
                let before = thread * CALLS + n.saturating_sub(n % 7);
                if n % 7 == 6 {
                    for ended in before..=call {
                        match ended % 3 {
                            0 => till.void(&a_voiding(ended)).map(|_| ()).unwrap(),
                            _ => till.settle(&a_settlement(ended, 7)).map(|_| ()).unwrap(),
                        }
                    }
                }
            }
        }
    };
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| std::thread::spawn(load(thread, till.clone())))
        .collect();
    let (mut looks, mut running) = (0, 0);
    while looks < 3 || !threads.iter().all(std::thread::JoinHandle::is_finished) {
        let report = compare(&till, &*store).await.unwrap();
        assert_eq!(report.differences, []);
        running = running.max(report.running);
        looks += 1;
        applier.step().await.unwrap();
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(running > 0, "{looks}");
}
