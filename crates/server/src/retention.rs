//! Dropping finished calls that are older than the operator keeps them.

use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::clock::now_ms;
use bourse_store::{Dropped, RETIRED_AT_ONCE, Store, StoreError};
use tokio::sync::watch;

/// How often it is looked for calls that are old enough: what is kept for days
/// may be kept for an hour more.
const EVERY: Duration = Duration::from_secs(3_600);
/// Between two pieces, so that bringing the journal into the database, which
/// waits for the same lock, never waits long.
const PAUSE: Duration = Duration::from_millis(200);
const DAY_MS: u64 = 86_400_000;

/// Begins to drop calls that were settled more than so many days ago, if there
/// is such a number.
pub fn start(days: Option<u64>, store: &Arc<dyn Store>, stop: &watch::Receiver<bool>) {
    if let Some(days) = days {
        tokio::spawn(keep(Arc::clone(store), days, stop.clone()));
    }
}

/// Drops such calls until told to stop.
async fn keep(store: Arc<dyn Store>, days: u64, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = crate::worker::stopped(&mut stop) => return,
        }
        let before_ms = now_ms().saturating_sub(days.saturating_mul(DAY_MS));
        let dropping = drop_before(&*store, before_ms);
        let dropped = tokio::select! {
            dropped = dropping => dropped,
            // What was dropped so far stays dropped, and agrees.
            () = crate::worker::stopped(&mut stop) => return,
        };
        match dropped {
            Ok(Dropped {
                calls: 0,
                questions: 0,
            }) => {}
            Ok(Dropped { calls, questions }) => {
                tracing::info!(calls, questions, days, "old calls were dropped");
            }
            Err(error) => {
                tracing::error!(%error, "old calls cannot be dropped; it is tried again in an hour");
            }
        }
    }
}

/// Drops what was settled before a moment, piece by piece.
///
/// # Errors
/// The database takes no changes, or a call is not what its record says.
async fn drop_before(store: &dyn Store, before_ms: u64) -> Result<Dropped, StoreError> {
    let mut all = Dropped::default();
    loop {
        let piece = store.drop_calls(before_ms, RETIRED_AT_ONCE).await?;
        all.calls = all.calls.saturating_add(piece.calls);
        all.questions = all.questions.saturating_add(piece.questions);
        if piece.calls < RETIRED_AT_ONCE && piece.questions < RETIRED_AT_ONCE {
            return Ok(all);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use bourse_ledger::GrantKind;
    use bourse_ledger::record::{Cost, Facts, Hold, Payer, Record, Settle, Settlement, encode};
    use bourse_policy::{CallDefaults, KeyHash, KeyKind};
    use bourse_spool::Position;
    use bourse_store::{Accounts, Batch, Grant, Journals, Keys, MemoryStore, NewKey};
    use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos};

    use super::*;

    const NOW: u64 = 1_795_262_400_000;

    fn call(n: u64, account: AccountId, key: KeyId) -> [Record<'static>; 2] {
        let id = GenerationId::new(NOW / 1_000, n.into());
        let facts = Facts {
            model: "a/m",
            provider: "p",
            endpoint: "e",
            ..Facts::default()
        };
        let cost = |amount| Cost {
            provider: "p",
            amount: Nanos(amount),
            payer: Payer::Customer,
        };
        let hold = Record::Hold(Hold {
            id,
            account,
            key,
            amount: Nanos(9),
            at_ms: NOW,
            model: "a/m",
            provider: "p",
            endpoint: "e",
        });
        let settle = Record::Settle(Settle {
            key,
            held: Nanos(9),
            paid: Nanos(2),
            settlement: Settlement {
                id,
                account,
                at_ms: NOW,
                charge: Nanos(2),
                costs: vec![cost(2)],
                possible: vec![cost(1)],
                facts,
            },
        });
        [hold, settle]
    }

    #[tokio::test(start_paused = true)]
    async fn old_calls_go_piece_by_piece_and_the_books_still_balance() {
        let count = 2 * RETIRED_AT_ONCE + 5;
        let store = MemoryStore::new();
        let account = store.create_account("acme", NOW).await.unwrap().id;
        let grant = Grant {
            account,
            kind: GrantKind::TopUp,
            amount: Nanos(1_000_000),
            note: String::new(),
            reference: None,
            at_ms: NOW,
        };
        store.grant(grant).await.unwrap();
        let key = NewKey {
            account,
            hash: KeyHash::of("one"),
            label: String::new(),
            name: String::new(),
            kind: KeyKind::Inference,
            limit: None,
            limit_reset: None,
            include_byok_in_limit: false,
            expires_at_ms: None,
            external: None,
            calls: CallDefaults::default(),
        };
        let key = store.create_key(key, NOW).await.unwrap().id;
        let mut written = Vec::new();
        for n in 0..count {
            for record in call(n, account, key) {
                let mut out = Vec::new();
                encode(&record, &mut out);
                written.push(out);
            }
        }
        let records: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
        let batch = Batch {
            from: Position(0),
            to: Position(1),
            chain: None,
            records: &records,
        };
        store.apply(batch).await.unwrap();
        assert_eq!(drop_before(&store, NOW).await.unwrap(), Dropped::default());
        let dropped = drop_before(&store, NOW + 1).await.unwrap();
        assert_eq!((dropped.calls, dropped.questions), (count, 0));
        let view = store.audit().await.unwrap();
        assert_eq!(view.check().differences, []);
        assert_eq!(view.generations, count);
        let balance = store.account(account).await.unwrap().unwrap();
        assert_eq!(balance.spent, Nanos(2 * i64::try_from(count).unwrap()));
    }
}
