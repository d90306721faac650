//! Rows that somebody has edited: `ledger verify` finds every one.

use super::*;
use crate::audit::columns::TABLES;
use crate::key::Keys as _;
use crate::suite::{Caller, NOW, new_key, void};

/// How many cells are edited at random.
const EDITS: u64 = 1_000;
const DAY_MS: u64 = 86_400_000;

/// A column that is compared, and what it holds.
#[derive(Debug, Clone, Copy)]
struct Cell {
    table: &'static str,
    column: &'static str,
    kind: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Numbers,
    Texts,
    Bytes,
}

/// Each column of a table, with its type.
async fn columns_of(store: &SqliteStore, table: &str) -> Vec<(String, String)> {
    sqlx::query_as("SELECT name, type FROM pragma_table_info($1)")
        .bind(table)
        .fetch_all(&store.backend.writer)
        .await
        .unwrap()
}

/// The columns that are compared, table by table.
async fn cells(store: &SqliteStore) -> Vec<Vec<Cell>> {
    let mut cells = Vec::new();
    for table in TABLES.iter().filter(|table| !table.compared.is_empty()) {
        let types = columns_of(store, table.name).await;
        let compared = table.compared.iter().map(|column| {
            let (_, found) = types.iter().find(|(name, _)| name == column).unwrap();
            let kind = match found.as_str() {
                "BIGINT" => Holds::Numbers,
                "TEXT" => Holds::Texts,
                "BLOB" => Holds::Bytes,
                other => panic!("{}.{column}: {other}", table.name),
            };
            Cell {
                table: table.name,
                column,
                kind,
            }
        });
        cells.push(compared.collect());
    }
    cells
}

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
    let dropped = store.drop_calls(NOW + 1, 3).await.unwrap();
    assert_eq!(dropped.calls, 3);
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
    for table in TABLES {
        let name = table.name;
        let copy = format!("CREATE TABLE kept_{name} AS SELECT * FROM {name}");
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

fn pick<'a, T>(dice: &mut Dice, among: &'a [T]) -> &'a T {
    &among[usize::try_from(dice.below(among.len() as u64)).unwrap()]
}

/// A statement that changes one cell of one row at random.
fn random_edit(dice: &mut Dice, cell: Cell) -> String {
    let Cell {
        table,
        column,
        kind,
    } = cell;
    let by = 1 + dice.below(1_000);
    let value = match (kind, dice.below(4)) {
        (Holds::Numbers, 0) => format!("{column} - {by}"),
        (Holds::Numbers, 1) => "0".to_owned(),
        (Holds::Numbers, _) => format!("{column} + {by}"),
        // Mostly what is in another row, as somebody would who moves it.
        (Holds::Texts, 0) => format!("'x{by}'"),
        (_, 1..) => format!(
            "(SELECT {column} FROM {table} LIMIT 1 OFFSET {by} % (SELECT COUNT(*) FROM {table}))"
        ),
        _ => format!("zeroblob(16 + {by} % 3)"),
    };
    let row = dice.below(30);
    format!(
        "UPDATE {table} SET {column} = {value} WHERE {column} IS NOT ({value}) AND \
         {column} IS (SELECT {column} FROM {table} LIMIT 1 OFFSET {row} % (SELECT COUNT(*) FROM {table}))"
    )
}

/// Edits a cell and looks whether that is found; `false` if nothing changed,
/// or a rule of the table itself forbids it.
async fn is_found(store: &SqliteStore, dice: &mut Dice, cell: Cell) -> bool {
    let sql = random_edit(dice, cell);
    if edit(store, &sql).await.is_err() || !is_changed(store, cell.table).await {
        return false;
    }
    assert!(!find(store).await.is_empty(), "not found: {sql}");
    put_back(store, cell.table).await;
    true
}

#[tokio::test]
async fn every_column_is_compared_or_says_why_it_is_not() {
    let (store, _dir) = fresh().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
         AND name NOT LIKE '_sqlx%' ORDER BY name",
    )
    .fetch_all(&store.backend.writer)
    .await
    .unwrap();
    let mut listed: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    listed.sort_unstable();
    assert_eq!(tables, listed);
    for table in TABLES {
        let mut found: Vec<_> = columns_of(&store, table.name).await;
        let mut named: Vec<&str> = table.compared.to_vec();
        named.extend(table.left.iter().map(|(name, _)| *name));
        found.sort_unstable();
        named.sort_unstable();
        let found: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, named, "{}", table.name);
        let reasons = table.left.iter().map(|(_, why)| why);
        assert!(reasons.into_iter().all(|why| why.len() > 20));
    }
}

#[tokio::test]
async fn each_column_that_is_compared_is_found_when_it_is_edited() {
    let (store, _dir) = fresh().await;
    history(&store).await;
    let cells = cells(&store).await.concat();
    keep(&store).await;
    let mut dice = Dice(2_027);
    for cell in cells {
        let mut tries = 0;
        while !is_found(&store, &mut dice, cell).await {
            tries += 1;
            assert!(tries < 100, "{cell:?} cannot be edited");
        }
    }
    assert_eq!(find(&store).await, Vec::<String>::new(), "all is put back");
}

#[tokio::test]
async fn each_of_a_thousand_cells_that_were_edited_at_random_is_found() {
    let (store, _dir) = fresh().await;
    history(&store).await;
    assert_eq!(find(&store).await, Vec::<String>::new());
    let cells = cells(&store).await;
    keep(&store).await;
    let mut dice = Dice(2_026);
    let (mut edits, mut tried) = (0, 0);
    while edits < EDITS {
        tried += 1;
        assert!(tried < EDITS * 20, "{edits} edits");
        let columns = pick(&mut dice, &cells);
        let cell = *pick(&mut dice, columns);
        edits += u64::from(is_found(&store, &mut dice, cell).await);
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
