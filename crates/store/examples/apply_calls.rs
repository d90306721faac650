//! What bringing a call into the database costs: `apply_calls CALLS` makes a
//! SQLite database and a journal in a temporary directory, writes so many
//! calls into the journal and applies them, a second's worth at a time.
//!
//! To count instructions, run it under `valgrind --tool=callgrind
//! --separate-threads=yes` for two numbers of calls and take the difference:
//! thread 1 is the applier, SQLite has a thread of its own, and whoever
//! makes calls has another. `docs/performance.md` has the command.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::{Arc, mpsc};

use bourse_ledger::record::{AttemptFact, Cost, Facts, Flags, Hold, Payer, Settlement};
use bourse_ledger::{Charge, GrantKind, PriceError};
use bourse_policy::{KeyHash, KeyKind};
use bourse_spool::Options;
use bourse_store::applier::Applier;
use bourse_store::{Grant, NewKey, SqliteStore, Store, Till};
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos, PicosPerUnit, Usage};

/// Calls of a batch: what a busy second brings.
const BATCH: u64 = 400;
/// 21 November 2026, 12:00 UTC.
const NOW_MS: u64 = 1_795_262_400_000;
const MODEL: &str = "openai/gpt-4o-mini";
const PROVIDER: &str = "openai";
const ENDPOINT: &str = "openai/gpt-4o-mini@openai";

fn main() {
    let calls = std::env::args().nth(1).expect("a number of calls");
    let calls: u64 = calls.parse().expect("a number of calls");
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(dir.path(), calls));
}

async fn run(dir: &Path, calls: u64) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir).await.unwrap());
    let (account, key) = customer(&*store).await;
    let options = Options::default();
    let opened = Till::open(&*store, dir, options, NOW_MS).await.unwrap();
    let till = Arc::new(opened.till);
    let accounts = store.accounts_by_id(&[account]).await.unwrap();
    till.load(&accounts, &store.keys_by_id(&[key]).await.unwrap());

    let mut applier = Applier::new(store.clone(), till.clone());
    let (order, orders) = mpsc::channel::<std::ops::Range<u64>>();
    let (made, done) = mpsc::channel();
    let caller = std::thread::spawn(move || {
        for numbers in orders {
            numbers.for_each(|n| call(&till, account, key, n));
            made.send(()).unwrap();
        }
    });
    let mut from = 0;
    while from < calls {
        let to = calls.min(from + BATCH);
        order.send(from..to).unwrap();
        done.recv().unwrap();
        applier.drain().await.unwrap();
        from = to;
    }
    drop(order);
    caller.join().unwrap();
    let balanced = store.audit().await.unwrap().check().is_balanced();
    assert!(balanced, "books that do not balance");
    store.close().await;
    println!("{calls} calls applied");
}

async fn customer(store: &dyn Store) -> (AccountId, KeyId) {
    let account = store.create_account("bench", NOW_MS).await.unwrap().id;
    let key = NewKey {
        account,
        hash: KeyHash::of("bench"),
        label: "sk-bourse-v1-ben...xyz".to_owned(),
        name: "bench".to_owned(),
        kind: KeyKind::Inference,
        limit: None,
        limit_reset: None,
        include_byok_in_limit: false,
        expires_at_ms: None,
        external: None,
        calls: bourse_policy::CallDefaults::default(),
    };
    let key = store.create_key(key, NOW_MS).await.unwrap().id;
    let grant = Grant {
        account,
        kind: GrantKind::TopUp,
        amount: Nanos(1_000_000_000_000),
        note: "bench".to_owned(),
        reference: None,
        at_ms: NOW_MS,
    };
    store.grant(grant).await.unwrap();
    (account, key)
}

/// A call as most are: held, one attempt, settled.
fn call(till: &Till, account: AccountId, key: KeyId, n: u64) {
    // Ids are random in their lower part, as a server's are.
    let random = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 32 | u128::from(n);
    let id = GenerationId::new(NOW_MS / 1_000 + n / BATCH, random);
    let at_ms = NOW_MS + n * 1_000 / BATCH;
    let hold = Hold {
        id,
        account,
        key,
        amount: Nanos(300_000),
        at_ms,
        model: MODEL,
        provider: PROVIDER,
        endpoint: ENDPOINT,
    };
    till.hold(&hold).unwrap();
    till.settle(&settlement(&hold, n)).unwrap();
}

fn settlement<'a>(hold: &Hold<'a>, n: u64) -> Settlement<'a> {
    let usage = Usage {
        prompt: 330 + n % 64,
        completion: 150,
        ..Usage::default()
    };
    let charge = charge(&usage).unwrap();
    let attempt = AttemptFact {
        provider: hold.provider,
        endpoint: hold.endpoint,
        model: hold.model,
        upstream_id: "chatcmpl-C1a2b3c4d5e6f7g8h9i0jklmnopqr",
        status: 200,
        head_ms: 310,
        latency_ms: 320,
        end_ms: 900,
        billed: charge.upstream_total,
        ..AttemptFact::default()
    };
    let facts = Facts {
        model: hold.model,
        provider: hold.provider,
        provider_name: "OpenAI",
        endpoint: hold.endpoint,
        upstream_id: attempt.upstream_id,
        user: "u-1",
        finish: "stop",
        native_finish: "stop",
        user_agent: "OpenAI/Python 1.109.1",
        service_tier: "default",
        flags: Flags {
            streamed: true,
            ..Flags::default()
        },
        counts: usage.into(),
        upstream_prompt: charge.upstream_prompt,
        upstream_completion: charge.upstream_completion,
        queue_ms: 1,
        latency_ms: 320,
        generation_ms: 580,
        attempts: vec![attempt],
        price_book: 0x1234_5678_9abc_def0,
        lines: charge.lines.clone(),
        ..Facts::default()
    };
    Settlement {
        id: hold.id,
        account: hold.account,
        at_ms: hold.at_ms + 900,
        charge: charge.total,
        costs: vec![Cost {
            provider: hold.provider,
            amount: charge.upstream_total,
            payer: Payer::Customer,
        }],
        possible: Vec::new(),
        facts,
    }
}

fn charge(usage: &Usage) -> Result<Charge, PriceError> {
    let rate = |text| PicosPerUnit::parse_usd_per_million(text).unwrap();
    let prices = bourse_catalog::Prices {
        prompt: Some(rate("0.15")),
        completion: Some(rate("0.6")),
        ..bourse_catalog::Prices::default()
    };
    let list = bourse_catalog::PriceList {
        base: prices,
        ..bourse_catalog::PriceList::default()
    };
    bourse_ledger::price(usage, 0, &list, 55_000)
}
