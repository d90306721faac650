//! Rows that somebody has edited: `ledger verify` finds every one.

use super::*;
use crate::key::Keys as _;
use crate::suite::{Caller, NOW, new_key, void};

/// How many cells are edited at random.
const EDITS: u64 = 1_000;
const DAY_MS: u64 = 86_400_000;

/// The cells that money is in, or that say whose it is; by what they hold:
/// (n)umbers, (t)exts, (b)ytes.
const CELLS: &[(&str, &[(&str, char)])] = &[
    ("accounts", &[("granted", 'n')]),
    (
        "grants",
        &[("account_id", 'n'), ("kind", 't'), ("amount", 'n')],
    ),
    ("purses", &[("cap", 'n'), ("lent", 'n')]),
    (
        "leases",
        &[("lent", 'n'), ("returned", 'n'), ("spent", 'n')],
    ),
    ("postings", &[("account", 't'), ("amount", 'n')]),
    ("balances", &[("account", 't'), ("amount", 'n')]),
    ("holds", &[("account_id", 'n'), ("amount", 'n')]),
    (
        "generations",
        &[
            ("account_id", 'n'),
            ("key_id", 'n'),
            ("created_at_ms", 'n'),
            ("settled_at_ms", 'n'),
            ("model", 't'),
            ("provider", 't'),
            ("endpoint", 't'),
            ("charge", 'n'),
            ("paid", 'n'),
            ("house_loss", 'n'),
            ("upstream", 'n'),
            ("prompt", 'n'),
            ("completion", 'n'),
            ("reasoning", 'n'),
            ("cached", 'n'),
            ("record", 'b'),
            ("link", 'b'),
        ],
    ),
    (
        "activity",
        &[
            ("day", 'n'),
            ("account_id", 'n'),
            ("key_id", 'n'),
            ("model", 't'),
            ("endpoint", 't'),
            ("provider", 't'),
            ("requests", 'n'),
            ("paid", 'n'),
            ("byok", 'n'),
            ("prompt", 'n'),
            ("completion", 'n'),
            ("reasoning", 'n'),
            ("cached", 'n'),
        ],
    ),
    (
        "reconcile",
        &[
            ("generation_id", 'b'),
            ("provider", 't'),
            ("at_most", 'n'),
            ("at_ms", 'n'),
        ],
    ),
    ("key_sums", &[("key_id", 'n'), ("spent", 'n')]),
    ("key_days", &[("key_id", 'n'), ("day", 'n'), ("spent", 'n')]),
    ("node_spools", &[("rows_sum", 'b')]),
];

/// Numbers that are as good as random, and the same each time (splitmix64).
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

/// Two accounts, three keys, a dozen calls on two days that ended in every
/// way, and one that runs.
async fn history(store: &SqliteStore) {
    set_up(store, 10_000).await;
    let other = Caller::new(store, "other", 5_000).await;
    let second = store
        .create_key(new_key(ACCOUNT, "two"), NOW)
        .await
        .unwrap();
    let second = Caller {
        key: second.id,
        model: "b/m",
        provider: "q",
        endpoint: "f",
        ..Caller::FIRST
    };
    store.grant(top_up(ACCOUNT, 700)).await.unwrap();
    let gift = crate::Grant {
        kind: bourse_ledger::GrantKind::Promo,
        ..top_up(ACCOUNT, 300)
    };
    store.grant(gift).await.unwrap();
    let mut records = Vec::new();
    for n in 0..4 {
        let day = NOW + n % 2 * DAY_MS;
        records.extend(Caller::FIRST.call(n, 20 + i64::try_from(n).unwrap(), day));
        records.extend(second.call(10 + n, 30, day));
        records.extend(other.call(20 + n, 40, day));
    }
    // A question about what another provider may have charged.
    records.extend([hold(30, 50), settle(30, 50, 20, NOW)]);
    records.extend([hold(31, 50), void(31, 7), hold(32, 9), void(32, 0)]);
    records.push(hold(40, 60));
    apply(store, 0, &records).await.unwrap();
}

/// An editor without this program: SQLite's own, which checks no references.
/// Nobody cuts the power here, so that it need not wait for the disk.
async fn edit(store: &SqliteStore, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = store.backend.writer.acquire().await.unwrap();
    let sql = sqlx::AssertSqlSafe(format!(
        "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; {sql}"
    ));
    sqlx::raw_sql(sql).execute(&mut *connection).await?;
    Ok(())
}

async fn find(store: &SqliteStore) -> Vec<String> {
    let view = match store.audit().await {
        Ok(view) => view,
        Err(error) => return vec![error.to_string()],
    };
    let mut report = view.check();
    match store.check_rows().await {
        Ok(rows) => report.rows = rows,
        Err(error) => return vec![error.to_string()],
    }
    report.findings()
}

/// Keeps a copy of every table, and puts it back.
async fn keep(store: &SqliteStore) {
    for (table, _) in CELLS {
        let copy = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}");
        edit(store, &copy).await.unwrap();
    }
}

async fn is_changed(store: &SqliteStore, table: &str) -> bool {
    let rows =
        format!("SELECT COUNT(*) FROM (SELECT * FROM {table} EXCEPT SELECT * FROM kept_{table})");
    let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
        .fetch_one(&store.backend.writer)
        .await
        .unwrap();
    rows > 0
}

async fn put_back(store: &SqliteStore, table: &str) {
    let back = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}");
    edit(store, &back).await.unwrap();
}

/// A statement that changes one cell of one row at random.
fn random_edit(dice: &mut Dice) -> (&'static str, String) {
    let pick = |dice: &mut Dice, count: usize| usize::try_from(dice.below(count as u64)).unwrap();
    let (table, columns) = CELLS[pick(dice, CELLS.len())];
    let (column, kind) = columns[pick(dice, columns.len())];
    let by = 1 + dice.below(1_000);
    let value = match (kind, dice.below(4)) {
        ('n', 0) => format!("{column} - {by}"),
        ('n', 1) => "0".to_owned(),
        ('n', _) => format!("{column} + {by}"),
        // Mostly what is in another row, as somebody would who moves it.
        ('t', 0) => format!("'x{by}'"),
        (_, 1..) => format!(
            "(SELECT {column} FROM {table} LIMIT 1 OFFSET {by} % (SELECT COUNT(*) FROM {table}))"
        ),
        _ => format!("zeroblob(16 + {by} % 3)"),
    };
    let row = dice.below(30);
    let sql = format!(
        "UPDATE {table} SET {column} = {value} WHERE {column} IS NOT ({value}) AND \
         {column} IS (SELECT {column} FROM {table} LIMIT 1 OFFSET {row} % (SELECT COUNT(*) FROM {table}))"
    );
    (table, sql)
}

#[tokio::test]
async fn each_of_a_thousand_cells_that_were_edited_at_random_is_found() {
    let (store, _dir) = fresh().await;
    history(&store).await;
    assert_eq!(find(&store).await, Vec::<String>::new());
    keep(&store).await;
    let mut dice = Dice(2_026);
    let (mut edits, mut tried) = (0, 0);
    while edits < EDITS {
        tried += 1;
        assert!(tried < EDITS * 20, "{edits} edits");
        let (table, sql) = random_edit(&mut dice);
        // Some break a rule of the table itself, or change nothing.
        if edit(&store, &sql).await.is_err() || !is_changed(&store, table).await {
            continue;
        }
        edits += 1;
        let found = find(&store).await;
        assert!(!found.is_empty(), "not found: {sql}");
        put_back(&store, table).await;
    }
    assert_eq!(find(&store).await, Vec::<String>::new(), "all is put back");
}

/// Edits that change several rows so that their sums agree.
#[tokio::test]
async fn edits_whose_sums_agree_are_found() {
    let move_between = |table: &str, column: &str, from: &str, to: &str| {
        format!(
            "UPDATE {table} SET {column} = {column} - 5 WHERE {from}; \
             UPDATE {table} SET {column} = {column} + 5 WHERE {to}"
        )
    };
    let calls = ["paid = 20", "paid = 21"];
    let days = [
        "day = (SELECT MIN(day) FROM activity) AND provider = 'p'",
        "day = (SELECT MAX(day) FROM activity) AND provider = 'p'",
    ];
    let providers = ["account = 'provider_cost:p'", "account = 'provider_cost:q'"];
    let keys = [
        "key_id = (SELECT MIN(id) FROM api_keys)",
        "key_id = (SELECT MAX(id) FROM api_keys)",
    ];
    for (what, sql) in [
        ("paid between calls", move_between("generations", "paid", calls[0], calls[1])),
        ("paid between days", move_between("activity", "paid", days[0], days[1])),
        ("calls between days", move_between("activity", "requests", days[0], days[1])),
        (
            "cost between providers",
            [
                move_between("postings", "amount", providers[0], providers[1]),
                move_between("balances", "amount", providers[0], providers[1]),
            ]
            .join(";"),
        ),
        (
            "spending between keys",
            [
                move_between("key_sums", "spent", keys[0], keys[1]),
                move_between("key_days", "spent", keys[0], keys[1]),
            ]
            .join(";"),
        ),
        ("credit between grants", move_between("grants", "amount", "amount = 700", "amount = 300")),
        ("a free call", "DELETE FROM generations WHERE upstream = 0 AND paid = 0".to_owned()),
        ("a question", "DELETE FROM reconcile WHERE provider = 'q'".to_owned()),
        ("a day", "DELETE FROM activity WHERE day = (SELECT MIN(day) FROM activity)".to_owned()),
        ("a key's call", "UPDATE generations SET key_id = key_id + 1 WHERE paid = 21".to_owned()),
        (
            "a grant that was not booked",
            "INSERT INTO grants SELECT 7, account_id, kind, 50, note, NULL, at_ms FROM grants LIMIT 1; \
             UPDATE accounts SET granted = granted + 50; UPDATE purses SET cap = cap + 50, lent = lent + 50; \
             UPDATE leases SET lent = lent + 50"
                .to_owned(),
        ),
    ] {
        let (store, _dir) = fresh().await;
        history(&store).await;
        edit(&store, &sql).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(!find(&store).await.is_empty(), "{what}: {sql}");
    }
}

#[tokio::test]
async fn pages_that_were_overwritten_are_told() {
    let (store, dir) = fresh().await;
    history(&store).await;
    store.close().await;
    let file = dir.path().join(DATABASE_FILE);
    let whole = std::fs::read(&file).unwrap();
    let size = usize::try_from(PAGE_BYTES).unwrap();
    let mut pages = 0;
    for page in 1..whole.len() / size {
        let at = page * size;
        // How many cells it has, after its type and a free block (SQLite's
        // file format, section 1.6). Without any, nothing is lost.
        if whole[at + 3..at + 5] == [0, 0] {
            continue;
        }
        let mut bytes = whole.clone();
        // From its end, where the rows are.
        bytes[at + size - 600..at + size].fill(0xa5);
        std::fs::write(&file, &bytes).unwrap();
        let found = match SqliteStore::open(dir.path()).await {
            Ok(store) => {
                let found = find(&store).await;
                store.close().await;
                found
            }
            Err(error) => vec![error.to_string()],
        };
        assert!(!found.is_empty(), "page {page}");
        pages += 1;
    }
    assert!(pages > 10, "{pages}");
}
