//! The step that brings purses, with rows in the tables: there, back, and
//! there again. Run for every backend.

use bourse_ledger::Lease;
use bourse_policy::{KeyHash, SpentByDay};
use bourse_spool::Position;
use bourse_vocab::{AccountId, KeyId, Nanos};

use crate::account::Accounts;
use crate::journal::Journals;
use crate::key::Keys;
use crate::sql::schema::MIGRATIONS;
use crate::sql::{Backend, Purpose, SqlStore};
use crate::suite::top_up;
use crate::{ActivityQuery, Store};

/// What the step before left behind, in its own tables: two accounts, one of
/// them with a correction, two keys, two calls that are paid for (of one the
/// house paid a part) and one that runs. 20,778 is Saturday, 21 November
/// 2026.
const BEFORE: &str = "
INSERT INTO accounts (id, name, granted, spent, created_at_ms, change_seq)
VALUES (1, 'default', 700, 120, 5, 7), (2, 'other', 50, 0, 6, 8);
INSERT INTO api_keys (id, account_id, hash, label, name, is_management, is_disabled, limit_nanos,
    limit_reset, include_byok_in_limit, expires_at_ms, created_at_ms, updated_at_ms,
    last_used_at_ms, deleted_at_ms, spent_total, spent_day, spent_day_index, spent_week,
    spent_week_index, spent_month, spent_month_index, change_seq)
VALUES (1, 1, CAST('0123456789abcdef0123456789abcdef' AS BLOB), 'l', 'n', 0, 0, 500, 'daily', 0,
    NULL, 5, NULL, 1795262400000, NULL, 120, 70, 20778, 120, 2968, 120, 682, 9),
    (2, 2, CAST('abcdef0123456789abcdef0123456789' AS BLOB), 'l', 'n', 0, 0, NULL, NULL, 0,
    NULL, 5, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 9);
INSERT INTO grants (id, account_id, kind, amount, note, reference, at_ms)
VALUES (1, 1, 'top_up', 1000, '', 'r', 5), (2, 1, 'top_up', -300, '', NULL, 6),
    (3, 2, 'promo', 50, '', NULL, 7);
INSERT INTO journals (id, at_ms, source)
VALUES (1, 5, 'grant:1'), (2, 6, 'grant:2'), (3, 7, 'grant:3'), (4, 8, 'spool:0-777');
INSERT INTO postings (journal_id, account, amount) VALUES
    (1, 'top_up_clearing', -1000), (1, 'customer:1:available', 1000),
    (2, 'top_up_clearing', 300), (2, 'customer:1:available', -300),
    (3, 'promo', -50), (3, 'customer:2:available', 50),
    (4, 'customer:1:available', -150), (4, 'customer:1:held', 30), (4, 'revenue', 125),
    (4, 'house_loss', -5), (4, 'provider_cost:p', 100), (4, 'provider_invoice_clearing:p', -100);
INSERT INTO balances (account, amount) VALUES ('top_up_clearing', -700),
    ('customer:1:available', 550), ('promo', -50), ('customer:2:available', 50),
    ('customer:1:held', 30), ('revenue', 125), ('house_loss', -5), ('provider_cost:p', 100),
    ('provider_invoice_clearing:p', -100);
INSERT INTO holds (id, account_id, key_id, amount, at_ms, model, provider, endpoint, earlier,
    ck_charge, ck_upstream, ck_prompt, ck_completion)
VALUES (CAST('0000000000000003' AS BLOB), 1, 1, 30, 8, 'a/m', 'p', 'e', 'q r', 9, 8, 7, 6);
INSERT INTO generations (id, account_id, key_id, created_at_ms, settled_at_ms, model, provider,
    endpoint, charge, paid, house_loss, upstream, prompt, completion, reasoning, cached, record)
VALUES (CAST('0000000000000001' AS BLOB), 1, 1, 5, 6, 'a/m', 'p', 'e', 50, 50, 0, 40, 1, 2, 0, 0,
    CAST('x' AS BLOB)),
    (CAST('0000000000000002' AS BLOB), 1, 1, 5, 6, 'a/m', 'p', 'e', 75, 70, 5, 60, 1, 2, 0, 0,
    CAST('x' AS BLOB));
INSERT INTO activity (day, account_id, key_id, model, endpoint, provider, requests, paid, byok,
    prompt, completion, reasoning, cached)
VALUES (20777, 1, 1, 'a/m', 'e', 'p', 1, 50, 0, 1, 2, 0, 0),
    (20778, 1, 1, 'a/m', 'e', 'p', 1, 70, 0, 1, 2, 0, 0);
INSERT INTO reconcile (id, generation_id, provider, at_most, at_ms)
VALUES (1, CAST('0000000000000002' AS BLOB), 'q', 9, 6);
UPDATE progress SET change_seq = 9 WHERE id = 1;
UPDATE node_spools SET applied = 777, batch_from = 777 WHERE node_id = 1;
INSERT INTO failures (day, account_id, key_id, model, endpoint, provider, failure, calls, attempts)
VALUES (20778, 1, 1, 'a/m', 'e', 'p', 3, 4, 5);
";

/// All rows of the tables that the step changes, as they were before it.
const TABLES: &[&str] = &[
    "SELECT id, name, granted, spent, created_at_ms, change_seq FROM accounts ORDER BY id",
    "SELECT id, account_id, hash, limit_nanos, limit_reset, last_used_at_ms, spent_total, \
     spent_day, spent_day_index, spent_week, spent_week_index, spent_month, spent_month_index, \
     change_seq FROM api_keys ORDER BY id",
    "SELECT id, at_ms, source FROM journals ORDER BY id",
    "SELECT journal_id, account, amount FROM postings ORDER BY journal_id, account",
    "SELECT account, amount FROM balances ORDER BY account",
    "SELECT id, account_id, key_id, amount, at_ms, model, provider, endpoint, earlier, ck_charge, \
     ck_upstream, ck_prompt, ck_completion FROM holds ORDER BY id",
    "SELECT day, account_id, key_id, model, endpoint, provider, requests, paid, byok, prompt, \
     completion, reasoning, cached FROM activity ORDER BY day",
    "SELECT id, change_seq FROM progress",
    "SELECT day, account_id, key_id, model, endpoint, provider, failure, calls, attempts \
     FROM failures",
];

/// The step's version.
const PURSES: i64 = 3;

async fn back<B: Backend>(store: &SqlStore<B>) {
    let last = |steps: Vec<crate::Step>| {
        let taken = steps.into_iter().rfind(|step| step.applied);
        taken.map_or(0, |step| step.version)
    };
    loop {
        let version = last(store.steps(MIGRATIONS).await.unwrap());
        if version < PURSES {
            return;
        }
        // This one loses nothing, so nobody has to agree to it.
        let may_lose = version > PURSES;
        store.unmigrate(MIGRATIONS, may_lose).await.unwrap();
    }
}

async fn rows<B: Backend>(store: &SqlStore<B>) -> Vec<String> {
    let mut session = store.backend.session(Purpose::Read).await.unwrap();
    let mut all = Vec::new();
    for text in TABLES {
        for row in session.rows(text, &[]).await.unwrap() {
            all.push(format!("{row:?}"));
        }
    }
    all
}

async fn check<B: Backend>(store: &SqlStore<B>) {
    let report = store.audit().await.unwrap().check();
    assert!(report.is_balanced(), "{:#?}", report.differences);
    assert_eq!((report.accounts, report.generations), (2, 2));
    let account = store.account(AccountId(1)).await.unwrap().unwrap();
    assert_eq!((account.granted, account.spent), (Nanos(700), Nanos(120)));
    // It was granted 1,000 once, and may have been spent from.
    let lease = Lease {
        lent: Nanos(1_000),
        returned: Nanos::ZERO,
    };
    assert_eq!((account.lease, account.spent_here), (lease, Nanos(120)));
    let hash = KeyHash(*b"0123456789abcdef0123456789abcdef");
    let key = store.key_by_hash(hash).await.unwrap().unwrap();
    let days = vec![(20_777, Nanos(50)), (20_778, Nanos(70))];
    let spent = SpentByDay {
        total: Nanos(120),
        days,
    };
    assert_eq!((key.id, key.spent), (KeyId(1), spent));
    assert_eq!(key.last_used_at_ms, Some(1_795_262_400_000));
    assert_eq!(store.applied().await.unwrap(), Position(777));
    let open = store.open_holds().await.unwrap();
    assert_eq!(
        (open.len(), open[0].amount, open[0].earlier.len()),
        (1, Nanos(30), 2)
    );
    assert_eq!(store.change_seq().await.unwrap(), 9);
    let changes = store.changes_since(7).await.unwrap();
    assert_eq!((changes.accounts.len(), changes.keys.len()), (1, 2));
    let query = ActivityQuery {
        account: AccountId(1),
        key: None,
        first_day: 0,
        last_day: 30_000,
    };
    let activity = crate::Activity::activity(store, query).await.unwrap();
    assert_eq!(activity.len(), 2);
}

/// There, back and there again.
pub(crate) async fn rows_come_over_to_purses_and_back<B: Backend>(store: &SqlStore<B>)
where
    SqlStore<B>: Store,
{
    back(store).await;
    let mut session = store.backend.session(Purpose::Schema).await.unwrap();
    let script = store.backend.spell(BEFORE);
    session.script(&script).await.unwrap();
    session.commit().await.unwrap();
    let before = rows(store).await;
    assert_eq!(before.len(), 2 + 2 + 4 + 12 + 9 + 1 + 2 + 1 + 1);
    store.migrate(MIGRATIONS).await.unwrap();
    check(store).await;
    back(store).await;
    assert_eq!(rows(store).await, before);
    store.migrate(MIGRATIONS).await.unwrap();
    check(store).await;
    // What was lent before is not lent twice; small ids stay, and new ones
    // are above them.
    let after = store.grant(top_up(AccountId(1), 400)).await.unwrap();
    assert_eq!(
        (after.granted, after.lease.lent),
        (Nanos(1_100), Nanos(1_100))
    );
    let new = store
        .create_account("new", crate::suite::NOW)
        .await
        .unwrap();
    assert!(new.id > AccountId(2));
    let report = store.audit().await.unwrap().check();
    assert!(report.is_balanced(), "{:#?}", report.differences);
}
