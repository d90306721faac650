//! Reads every statement of this crate and refuses what PostgreSQL, SQLite
//! and the databases that speak PostgreSQL's language do not have in common.
//!
//! What is allowed is listed, so that a new word is a decision and not an
//! accident. Whatever only one product understands stands in its backend,
//! by name and with its reason, in [`OWN`].

use std::collections::BTreeSet;
use std::path::Path;

use super::schema::{BOOKKEEPING, MIGRATIONS};
use super::{
    account, activity, apply, audit, batch, file, generation, hold, key, recount, retired, schema,
    video,
};

/// Words that a statement may have: the same in both products, and neither
/// sequences, triggers, JSON, clocks, `COPY`, `UNNEST`, advisory locks, `SKIP
/// LOCKED` nor `LISTEN` is among them.
const WORDS: &[&str] = &[
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BIGINT",
    "BY",
    "CASE",
    "CAST",
    "COALESCE",
    "CONFLICT",
    "COUNT",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DO",
    "ELSE",
    "END",
    "EXISTS",
    "FALSE",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIMIT",
    "MAX",
    "MIN",
    "NOT",
    "NOTHING",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "RETURNING",
    "ROW_NUMBER",
    "SELECT",
    "SET",
    "SUM",
    "THEN",
    "TRUE",
    "UNION",
    "ALL",
    "UPDATE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];
/// Words that a migration may have besides. `BLOB`, `TEXT` and `WITHOUT
/// ROWID` are SQLite's spelling, which PostgreSQL's backend respells.
const MIGRATION_WORDS: &[&str] = &[
    "ADD",
    "ALTER",
    "BLOB",
    "BOOLEAN",
    "CHECK",
    "COLUMN",
    "CREATE",
    "DEFAULT",
    "DROP",
    "FOREIGN",
    "IF",
    "INDEX",
    "KEY",
    "PRIMARY",
    "REFERENCES",
    "RENAME",
    "ROWID",
    "TABLE",
    "TEXT",
    "TO",
    "UNIQUE",
    "WITHOUT",
];
/// What may stand between words. No `::`, no `->`, no `?`, no `||`.
const SIGNS: &str = "=<>+-*(),.;$";
/// What a migration may have besides: values of its own, and whole quotients.
const MIGRATION_SIGNS: &str = "'/";
/// What statements call things that no migration names.
const ALIASES: &[&str] = &["calls", "every", "latest", "nth", "total", "used", "uses"];

/// What only one product understands: where it stands, what it is and why
/// it must be.
const OWN: &[(&str, &str, &str)] = &[
    (
        "sqlite BEGIN",
        "BEGIN IMMEDIATE",
        "a writing transaction must not begin as a reading one",
    ),
    (
        "sqlite VERSION",
        "sqlite_version",
        "old versions corrupt files",
    ),
    (
        "sqlite DAMAGE",
        "PRAGMA integrity_check",
        "PostgreSQL has checksums, and extensions for this",
    ),
    (
        "sqlite ORPHANS",
        "PRAGMA foreign_key_check",
        "other programs may edit the file without its rules",
    ),
    (
        "sqlite COPY",
        "VACUUM INTO",
        "a database that is a file is copied as one; servers have tools of their own",
    ),
    (
        "sqlite HAS_TABLE",
        "sqlite_master",
        "the catalog of tables is each product's own",
    ),
    (
        "postgres SNAPSHOT",
        "REPEATABLE READ",
        "one moment for several reads is the default in SQLite",
    ),
    (
        "postgres SURVEY",
        "statement_timeout = 0",
        "an audit may take longer than other statements",
    ),
    ("postgres WRITE", "BEGIN", "a transaction"),
    (
        "postgres COMMIT",
        "COMMIT",
        "a transaction; SQLite's is sqlx's own",
    ),
    ("postgres ROLLBACK", "ROLLBACK", "the same"),
    (
        "postgres SCHEMA",
        "SET LOCAL",
        "a migration may take longer than other statements",
    ),
    (
        "postgres VERSION",
        "server_version_num",
        "old versions were not tested",
    ),
    (
        "postgres READ_ONLY",
        "transaction_read_only",
        "a standby takes no changes",
    ),
    (
        "postgres HAS_TABLE",
        "TO_REGCLASS",
        "the catalog of tables is each product's own",
    ),
    (
        "postgres TABLE",
        "CREATE TABLE IF NOT EXISTS serving",
        "SQLite has the data directory's lock instead",
    ),
    (
        "postgres TURN",
        "FOR UPDATE",
        "changes take turns by a row's lock; SQLite has one writer",
    ),
    (
        "postgres WHO",
        "SELECT is_active",
        "the table is PostgreSQL's own",
    ),
    ("postgres TAKE", "epoch + 1", "the same"),
    ("postgres RENEW", "seen_at_ms = $1", "the same"),
    ("postgres LEAVE", "is_active = 0", "the same"),
];

/// Every statement that both products run, with its name.
fn shared() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (noun, texts) in [
        ("sql", super::TEXTS),
        ("account", account::TEXTS),
        ("activity", activity::TEXTS),
        ("apply", apply::TEXTS),
        ("audit", audit::TEXTS),
        ("batch", batch::TEXTS),
        ("file", file::TEXTS),
        ("generation", generation::TEXTS),
        ("hold", hold::TEXTS),
        ("key", key::TEXTS),
        ("recount", recount::TEXTS),
        ("retired", retired::TEXTS),
        ("schema", schema::TEXTS),
        ("video", video::TEXTS),
    ] {
        all.extend(
            texts
                .iter()
                .map(|(name, text)| (format!("{noun} {name}"), (*text).to_owned())),
        );
    }
    for (noun, lists) in [
        ("account", account::LISTS),
        ("activity", activity::LISTS),
        ("generation", generation::LISTS),
        ("hold", hold::LISTS),
        ("key", key::LISTS),
        ("retired", retired::LISTS),
    ] {
        all.extend(
            lists
                .iter()
                .map(|(name, many)| (format!("{noun} {name}"), many.text(2))),
        );
    }
    all
}

/// Every statement that one product runs alone.
fn own() -> Vec<(String, String)> {
    let products = [
        ("sqlite", crate::sqlite::OWN_TEXTS),
        ("postgres", crate::postgres::OWN_TEXTS),
        ("postgres", crate::postgres::SERVING_TEXTS),
    ];
    let texts = products.into_iter().flat_map(|(product, texts)| {
        let named = texts.iter();
        named.map(move |(name, text)| (format!("{product} {name}"), (*text).to_owned()))
    });
    texts.collect()
}

/// Every migration, there and back, and the table that counts them.
fn migrations() -> Vec<(String, String)> {
    let mut all = vec![("bookkeeping".to_owned(), BOOKKEEPING.to_owned())];
    for step in MIGRATIONS {
        all.push((format!("{} up", step.version), step.up.to_owned()));
        all.push((format!("{} down", step.version), step.down.to_owned()));
    }
    all
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("--").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// Names of tables, columns and constraints: all that a migration has in
/// small letters, and what `ON CONFLICT` calls the row that was refused.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["excluded".to_owned()]);
    names.extend(ALIASES.iter().map(|&alias| alias.to_owned()));
    for (_, text) in migrations() {
        let text = without_comments(&text);
        let small = words(&text).filter(|word| !word.contains(|c: char| c.is_ascii_uppercase()));
        names.extend(small.map(str::to_owned));
    }
    names
}

/// What in `text` is outside of the common language.
fn strangers(text: &str, allowed: &[&[&str]], names: &BTreeSet<String>) -> Vec<String> {
    let text = without_comments(text);
    let strange_words = words(&text)
        .filter(|word| !allowed.iter().any(|list| list.contains(word)) && !names.contains(*word))
        .map(str::to_owned);
    let strange_signs = text
        .chars()
        .filter(|c| !c.is_ascii_alphanumeric() && !c.is_whitespace() && *c != '_')
        .filter(|c| !SIGNS.contains(*c))
        .map(String::from);
    strange_words.chain(strange_signs).collect()
}

#[test]
fn every_shared_statement_keeps_to_the_common_language() {
    let names = names();
    for (name, text) in shared() {
        let strange = strangers(&text, &[WORDS], &names);
        assert!(strange.is_empty(), "{name}: {strange:?} in {text}");
        assert!(
            !text.contains(";"),
            "{name}: more than one statement: {text}"
        );
    }
}

#[test]
fn every_migration_keeps_to_the_common_language() {
    let names = names();
    for (name, text) in migrations() {
        let text = text.replace(|c| MIGRATION_SIGNS.contains(c), " ");
        let strange = strangers(&text, &[WORDS, MIGRATION_WORDS], &names);
        assert!(strange.is_empty(), "{name}: {strange:?}");
    }
}

#[test]
fn what_is_not_common_is_recognised() {
    let names = names();
    for bad in [
        "SELECT nextval('x')",
        "SELECT id FROM accounts WHERE at_ms < now()",
        "SELECT id FROM accounts FOR UPDATE SKIP LOCKED",
        "INSERT INTO accounts SELECT UNNEST($1)",
        "SELECT pg_advisory_lock(1)",
        "COPY accounts FROM STDIN",
        "LISTEN changes",
        "SELECT record -> 'a' FROM generations",
        "SELECT id::text FROM accounts",
        "SELECT id FROM accounts WHERE name = ?",
        "SELECT name || 'x' FROM accounts",
        "SELECT unknown_column FROM accounts",
        "SELECT id FROM accounts WHERE name ILIKE $1",
    ] {
        assert!(!strangers(bad, &[WORDS], &names).is_empty(), "{bad}");
    }
    for bad in [
        "CREATE TABLE t (id BIGSERIAL PRIMARY KEY)",
        "CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY)",
        "CREATE TRIGGER t AFTER INSERT ON accounts",
        "CREATE SEQUENCE s",
        "CREATE TABLE t (v JSONB)",
        "CREATE TABLE t (at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP)",
    ] {
        let strange = strangers(bad, &[WORDS, MIGRATION_WORDS], &names);
        assert!(
            strange.iter().any(|word| word.len() > 1),
            "{bad}: {strange:?}"
        );
    }
}

#[test]
fn what_one_product_understands_alone_is_listed_with_a_reason() {
    let own = own();
    for (name, text) in &own {
        let listed = OWN.iter().find(|(listed, ..)| listed == name);
        let (_, has, reason) = listed.unwrap_or_else(|| panic!("{name} has no reason: {text}"));
        assert!(text.contains(has), "{name}: {has} in {text}");
        assert!(!reason.is_empty(), "{name}");
    }
    for (listed, ..) in OWN {
        assert!(
            own.iter().any(|(name, _)| name == listed),
            "{listed} is gone"
        );
    }
}

/// The string literals of a source file, escapes resolved.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => {
                for c in rest.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            // A character, or a lifetime, which has no closing quote.
            '\'' => {
                let mut ahead = rest.clone();
                let escaped = ahead.next() == Some('\\');
                if escaped {
                    ahead.next();
                }
                if ahead.next() == Some('\'') {
                    rest = ahead;
                }
            }
            '"' => {
                let mut text = String::new();
                while let Some(c) = rest.next() {
                    match c {
                        '"' => break,
                        '\\' => match rest.next() {
                            Some('\n') => while rest.next_if(|c| c.is_whitespace()).is_some() {},
                            Some('n') => text.push('\n'),
                            Some(other) => text.push(other),
                            None => {}
                        },
                        other => text.push(other),
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

/// Words by which a statement begins.
const VERBS: &[&str] = &[
    "ALTER",
    "BEGIN",
    "COMMIT",
    "COPY",
    "CREATE",
    "DELETE",
    "DROP",
    "GRANT",
    "INSERT",
    "LISTEN",
    "LOCK",
    "NOTIFY",
    "PRAGMA",
    "REINDEX",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];

#[test]
fn no_statement_of_the_crate_escapes_these_tests() {
    let mut known: Vec<String> = Vec::new();
    for (_, text) in shared().into_iter().chain(own()).chain(migrations()) {
        known.push(text);
    }
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let shown = path.display().to_string();
        // Tests break things on purpose; this one quotes what is forbidden.
        if shown.contains("tests") || shown.contains("/suite") || shown.ends_with("portable.rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        for literal in literals(code) {
            let verb = literal.split_whitespace().next().unwrap_or_default();
            let is_statement = VERBS.contains(&verb) && (literal.contains(' ') || literal == verb);
            // The name of a statement is no statement.
            let is_name = literal == verb && !matches!(verb, "BEGIN" | "COMMIT" | "ROLLBACK");
            if !is_statement || is_name {
                continue;
            }
            seen += 1;
            assert!(
                known.iter().any(|text| text.contains(literal.trim_end())),
                "{shown}: not among the statements that are read: {literal}"
            );
        }
    }
    assert!(seen > 40, "only {seen} statements were found");
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let source = "let a = \"SELECT \\\n      1\"; // \"not this\"\nlet b: &'static str = \"it's\"; let c = '\"'; f(\"x\\\"y\")";
    assert_eq!(literals(source), ["SELECT 1", "it's", "x\"y"]);
}
