use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bourse_policy::{CallDefaults, KeyKind};
use bourse_vocab::{AccountId, KeyId};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::*;

fn hash(n: usize) -> KeyHash {
    KeyHash::of(&format!("key {n}"))
}

fn principal(n: usize) -> Principal {
    Principal {
        key: KeyId(n as u64),
        account: AccountId(1),
        hash: hash(n),
        kind: KeyKind::Inference,
        disabled: false,
        expires_at_ms: None,
        calls: CallDefaults::default(),
    }
}

/// A database that answers when it is allowed to.
struct Slow {
    keyring: Keyring,
    known: Mutex<Vec<Principal>>,
    answers: Semaphore,
    queries: Mutex<Vec<(Instant, usize)>>,
    broken: AtomicBool,
}

impl Slow {
    fn new(answers: usize) -> Arc<Self> {
        Arc::new(Self {
            keyring: Keyring::default(),
            known: Mutex::default(),
            answers: Semaphore::new(answers),
            queries: Mutex::default(),
            broken: AtomicBool::new(false),
        })
    }

    fn create(&self, n: usize) {
        self.known.lock().unwrap().push(principal(n));
    }

    async fn find(&self, n: usize) -> Result<Option<Principal>, Unavailable> {
        self.keyring.find(&hash(n), self).await
    }

    fn queries(&self) -> usize {
        self.queries.lock().unwrap().len()
    }
}

impl Office for Slow {
    fn load<'a>(&'a self, hashes: &'a [KeyHash]) -> Reply<'a, Result<Vec<Principal>, Unavailable>> {
        Box::pin(async {
            let query = (Instant::now(), hashes.len());
            self.queries.lock().unwrap().push(query);
            // What the database says is of when it was asked.
            let known = self.known.lock().unwrap().clone();
            self.answers.acquire().await.unwrap().forget();
            if self.broken.load(Relaxed) {
                return Err(Unavailable::Database);
            }
            let found = known.into_iter().filter(|one| hashes.contains(&one.hash));
            let found: Vec<_> = found.collect();
            for principal in &found {
                self.keyring.put(*principal, 1);
            }
            Ok(found)
        })
    }

    fn refresh(&self) -> Reply<'_, ()> {
        Box::pin(async {})
    }
}

/// Lets every task that can go on do so.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_made_just_now_works_while_anothers_look_up_is_under_way() {
    let office = Slow::new(0);
    let first = tokio::spawn({
        let office = office.clone();
        async move { office.find(1).await }
    });
    settle().await;
    assert_eq!(office.queries(), 1);
    // The query under way cannot know of it.
    office.create(2);
    let second = tokio::spawn({
        let office = office.clone();
        async move { office.find(2).await }
    });
    settle().await;
    office.answers.add_permits(2);
    assert_eq!(first.await.unwrap(), Ok(None));
    assert_eq!(second.await.unwrap(), Ok(Some(principal(2))));
    assert_eq!(office.queries(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_made_just_now_works_right_after_anothers_look_up_came_to_nothing() {
    let office = Slow::new(99);
    for n in 1..9 {
        assert_eq!(office.find(100 + n).await, Ok(None));
        office.create(n);
        let asked = Instant::now();
        assert_eq!(office.find(n).await, Ok(Some(principal(n))));
        assert!(asked.elapsed() <= Duration::from_millis(101));
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_invented_keys_are_ten_queries_a_second_and_delay_no_good_key() {
    let office = Slow::new(usize::MAX >> 4);
    office.create(0);
    let begin = Instant::now();
    let mut callers = Vec::new();
    for n in 0..1_000 {
        let office = office.clone();
        callers.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(n)).await;
            let begin = Instant::now();
            let found = office.find(usize::try_from(n).unwrap() + 1).await;
            (found, begin.elapsed())
        }));
    }
    tokio::time::sleep(Duration::from_millis(555)).await;
    let asked = Instant::now();
    assert_eq!(office.find(0).await, Ok(Some(principal(0))));
    assert!(asked.elapsed() <= Duration::from_millis(101));
    for caller in callers {
        let (found, took) = caller.await.unwrap();
        assert_eq!(found, Ok(None));
        assert!(took <= Duration::from_millis(101), "{took:?}");
    }
    assert!(begin.elapsed() <= Duration::from_millis(1_101));
    assert!(office.queries() <= 12, "{}", office.queries());
    let queries = office.queries.lock().unwrap();
    for pair in queries.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(100));
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_is_remembered_for_a_tenth_of_a_second_and_no_longer() {
    let office = Slow::new(9);
    assert_eq!(office.find(1).await, Ok(None));
    office.create(1);
    assert_eq!(office.find(1).await, Ok(None));
    assert_eq!(office.queries(), 1);
    tokio::time::advance(Duration::from_millis(100)).await;
    assert_eq!(office.find(1).await, Ok(Some(principal(1))));
    assert_eq!(office.find(1).await, Ok(Some(principal(1))));
    assert_eq!(office.queries(), 2);
}

#[tokio::test(start_paused = true)]
async fn callers_with_one_key_share_a_query_and_survive_one_that_leaves() {
    let office = Slow::new(0);
    office.create(1);
    let ask = |n| {
        let office = office.clone();
        tokio::spawn(async move { office.find(n).await })
    };
    let leaves = ask(1);
    settle().await;
    let others: Vec<_> = [1, 1, 2].into_iter().map(ask).collect();
    settle().await;
    leaves.abort();
    settle().await;
    office.answers.add_permits(9);
    let mut found = Vec::new();
    for other in others {
        found.push(other.await.unwrap());
    }
    assert_eq!(
        found,
        [Ok(Some(principal(1))), Ok(Some(principal(1))), Ok(None)]
    );
    assert_eq!(office.queries(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer_makes_no_key_invalid() {
    let office = Slow::new(9);
    office.create(1);
    office.broken.store(true, Relaxed);
    let unavailable = office.find(1).await.unwrap_err();
    assert_eq!(unavailable.failure().status(), 503);
    office.broken.store(false, Relaxed);
    assert_eq!(office.find(1).await, Ok(Some(principal(1))));
}

#[tokio::test(start_paused = true)]
async fn more_unknown_keys_than_can_be_asked_for_are_sent_away_and_not_called_unknown() {
    let office = Slow::new(0);
    let callers: Vec<_> = (0..5_000)
        .map(|n| {
            let office = office.clone();
            tokio::spawn(async move { office.find(n).await })
        })
        .collect();
    settle().await;
    office.answers.add_permits(1_000);
    let (mut busy, mut unknown) = (0, 0);
    for caller in callers {
        match caller.await.unwrap() {
            Err(Unavailable::Busy) => busy += 1,
            Ok(None) => unknown += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((busy, unknown), (904, 4_096));
    assert!(office.queries() <= 6, "{}", office.queries());
}

#[tokio::test(start_paused = true)]
async fn more_keys_than_fit_make_room_and_are_found_again() {
    const KEYS: usize = 4_000;
    let mut office = Slow::new(usize::MAX >> 4);
    Arc::get_mut(&mut office).unwrap().keyring = Keyring::with_keys_per_shard(64);
    for n in 0..KEYS {
        office.create(n);
        office.keyring.put(principal(n), 1);
        // One that is used all the time is never among those that go.
        assert_eq!(
            office.keyring.get(&hash(0)),
            Some(principal(0)),
            "after {n}"
        );
    }
    assert!(office.keyring.len() <= 64 * SHARDS);
    assert!(office.keyring.len() > 32 * SHARDS);
    for n in 0..KEYS {
        assert_eq!(office.find(n).await, Ok(Some(principal(n))));
    }
}

#[test]
fn an_older_state_never_overwrites_a_newer_and_changes_add_no_key() {
    let keyring = Keyring::default();
    let disabled = Principal {
        disabled: true,
        ..principal(1)
    };
    keyring.change(disabled, 9);
    assert!(keyring.is_empty());
    keyring.put(disabled, 7);
    keyring.put(principal(1), 6);
    keyring.change(principal(1), 6);
    assert_eq!(keyring.get(&hash(1)), Some(disabled));
    keyring.change(principal(1), 8);
    assert_eq!(keyring.get(&hash(1)), Some(principal(1)));
}

#[test]
fn threads_find_what_other_threads_put() {
    let keyring = Keyring::with_keys_per_shard(128);
    let found = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (keyring, found) = (&keyring, &found);
            scope.spawn(move || {
                for n in 0..2_000 {
                    let n = n * 8 + thread;
                    keyring.put(principal(n), 1);
                    let own = keyring.get(&hash(n));
                    found.fetch_add(usize::from(own == Some(principal(n))), Relaxed);
                    assert!(own.is_none_or(|own| own == principal(n)));
                }
            });
        }
    });
    assert!(keyring.len() <= 128 * SHARDS);
    assert!(found.into_inner() > 0);
}
