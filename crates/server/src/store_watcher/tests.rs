use bourse_ledger::GrantKind;
use bourse_policy::{KeyKind, KeyText};
use bourse_spool::Options;
use bourse_store::{Accounts, Grant, KeyPatch, Keys, MemoryStore, NewKey};
use bourse_vocab::Nanos;

use super::*;

const NOW: u64 = 1_795_262_400_000;

struct Fixture {
    store: Arc<MemoryStore>,
    till: Arc<Till>,
    keyring: Arc<Keyring>,
    watcher: Arc<StoreWatcher>,
    _dir: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::new());
        let opened = Till::open(&*store, dir.path(), Options::default(), NOW).await;
        let till = Arc::new(opened.unwrap().till);
        let keyring = Arc::new(Keyring::default());
        let watcher = StoreWatcher::new(store.clone(), till.clone(), keyring.clone(), 0);
        Self {
            store,
            till,
            keyring,
            watcher: Arc::new(watcher),
            _dir: dir,
        }
    }

    async fn account(&self, name: &str) -> AccountId {
        self.store.create_account(name, NOW).await.unwrap().id
    }

    async fn grant(&self, account: AccountId, amount: i64) {
        let grant = Grant {
            account,
            kind: GrantKind::TopUp,
            amount: Nanos(amount),
            note: "test".into(),
            reference: None,
            at_ms: NOW,
        };
        self.store.grant(grant).await.unwrap();
    }

    async fn key(&self, account: AccountId, seed: u8) -> KeyHash {
        let text = KeyText::generate(KeyKind::Inference, &[seed; 48]);
        let key = NewKey {
            account,
            hash: text.hash(),
            label: text.label(),
            name: "a key".into(),
            kind: KeyKind::Inference,
            limit: None,
            limit_reset: None,
            include_byok_in_limit: false,
            expires_at_ms: None,
            external: None,
            calls: bourse_policy::CallDefaults::default(),
        };
        self.store.create_key(key, NOW).await.unwrap();
        text.hash()
    }

    fn granted(&self, account: AccountId) -> Option<i64> {
        let balance = self.till.books().balance(account)?;
        Some(balance.granted.0)
    }
}

#[tokio::test]
async fn a_key_that_memory_does_not_know_is_loaded_with_its_purse() {
    let fixture = Fixture::new().await;
    let account = fixture.account("one").await;
    fixture.grant(account, 100).await;
    let key = fixture.key(account, 1).await;
    assert_eq!(fixture.granted(account), None);
    let found = fixture.keyring.find(&key, &*fixture.watcher).await.unwrap();
    assert_eq!(found.map(|found| found.account), Some(account));
    assert_eq!(fixture.granted(account), Some(100));
    // What memory knows is changed by a look, what it does not is not opened.
    let other = fixture.account("two").await;
    fixture.grant(other, 7).await;
    fixture.grant(account, 5).await;
    let patch = KeyPatch {
        disabled: Some(true),
        ..KeyPatch::default()
    };
    fixture.store.update_key(key, patch, NOW).await.unwrap();
    fixture.watcher.read_changes().await.unwrap();
    assert_eq!(fixture.granted(account), Some(105));
    assert_eq!(fixture.granted(other), None);
    assert!(fixture.keyring.get(&key).unwrap().disabled);
}

#[tokio::test(start_paused = true)]
async fn readings_for_refused_calls_are_shared_and_keep_their_distance() {
    let fixture = Fixture::new().await;
    fixture.watcher.read_changes().await.unwrap();
    let begin = Instant::now();
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let watcher = fixture.watcher.clone();
            tokio::spawn(async move { watcher.refresh().await })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(begin.elapsed(), REFRESH_INTERVAL);
    for _ in 0..4 {
        fixture.watcher.refresh().await;
    }
    assert_eq!(begin.elapsed(), 5 * REFRESH_INTERVAL);
    // An administrator who changes something is not made to wait.
    fixture.watcher.read_changes().await.unwrap();
    assert_eq!(begin.elapsed(), 5 * REFRESH_INTERVAL);
}

/// A correction is noticed by one task while another loads the account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_while_a_purse_is_loaded_is_never_lost() {
    let fixture = Arc::new(Fixture::new().await);
    for round in 0..100_u8 {
        let account = fixture.account(&format!("round {round}")).await;
        fixture.grant(account, 100).await;
        let key = fixture.key(account, round).await;
        let corrects = tokio::spawn({
            let fixture = fixture.clone();
            async move {
                fixture.grant(account, -50).await;
                fixture.watcher.read_changes().await.unwrap();
            }
        });
        let loads = tokio::spawn({
            let fixture = fixture.clone();
            async move { fixture.watcher.load(&[key]).await.unwrap() }
        });
        corrects.await.unwrap();
        assert_eq!(loads.await.unwrap().len(), 1);
        assert_eq!(fixture.granted(account), Some(50), "round {round}");
    }
}
