//! A connection to SQLite, and how its driver's types become ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bourse_ledger::journal::JournalError;
use futures_util::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Connection as _, Decode, Either, Executor as _, Row as _,
    Sqlite, SqliteConnection, Transaction, TypeInfo as _, ValueRef as _,
};

use super::places::Places;
use crate::sql::Session;
use crate::sql::value::{Field, Row, Value, damaged};
use crate::{Reply, StoreError};

/// With or without a transaction. sqlx takes back one that is dropped.
pub(super) enum Inner {
    Reading(PoolConnection<Sqlite>),
    Within(Transaction<'static, Sqlite>),
}

pub(super) struct SqliteSession {
    pub(super) inner: Inner,
    pub(super) file: PathBuf,
    pub(super) places: Arc<Places>,
}

impl SqliteSession {
    pub(super) fn reading(connection: PoolConnection<Sqlite>) -> Inner {
        Inner::Reading(connection)
    }

    pub(super) fn within(transaction: Transaction<'static, Sqlite>) -> Inner {
        Inner::Within(transaction)
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        match &mut self.inner {
            Inner::Reading(connection) => connection,
            Inner::Within(transaction) => transaction,
        }
    }
}

impl Session for SqliteSession {
    fn rows<'a>(&'a mut self, text: &'static str, values: &'a [Value<'a>]) -> Reply<'a, Vec<Row>> {
        Box::pin(async move {
            let text = AssertSqlSafe(self.places.text(text));
            let query = sqlx::query_with(text, arguments(values)?);
            let (rows, _) = run(self.connection(), query)
                .await
                .map_err(|error| explain(error, &self.file))?;
            rows.iter().map(row).collect()
        })
    }

    fn change<'a>(&'a mut self, text: &'static str, values: &'a [Value<'a>]) -> Reply<'a, u64> {
        Box::pin(async move {
            let text = AssertSqlSafe(self.places.text(text));
            let query = sqlx::query_with(text, arguments(values)?);
            let (_, changed) = run(self.connection(), query)
                .await
                .map_err(|error| explain(error, &self.file))?;
            Ok(changed)
        })
    }

    fn script<'a>(&'a mut self, text: &'a str) -> Reply<'a, ()> {
        Box::pin(async move {
            let script = sqlx::raw_sql(AssertSqlSafe(text));
            let done = script.execute(self.connection()).await;
            done.map_err(|error| explain(error, &self.file))?;
            // The driver keeps a script's statements, and they all that SQLite
            // has set aside for small pieces of memory of this connection.
            let cleared = self.connection().clear_cached_statements().await;
            cleared.map_err(|error| explain(error, &self.file))
        })
    }

    fn commit(self: Box<Self>) -> Reply<'static, ()> {
        Box::pin(async move {
            match self.inner {
                Inner::Reading(_) => Ok(()),
                Inner::Within(transaction) => {
                    let done = transaction.commit().await;
                    done.map_err(|error| explain(error, &self.file))
                }
            }
        })
    }

    fn rollback(self: Box<Self>) -> Reply<'static, ()> {
        Box::pin(async move {
            match self.inner {
                Inner::Reading(_) => Ok(()),
                Inner::Within(transaction) => {
                    let done = transaction.rollback().await;
                    done.map_err(|error| explain(error, &self.file))
                }
            }
        })
    }
}

/// Runs one statement: its rows, and how many it changed.
///
/// It is done when its result comes. The driver's own ways also wait until the
/// connection's thread has put the statement away: a second sleep for each
/// statement, which with what both threads do to wake one another was a third
/// of bringing a call into the database. The thread takes the next one up when
/// it has.
async fn run(
    connection: &mut SqliteConnection,
    query: Query<'_, Sqlite, SqliteArguments>,
) -> Result<(Vec<SqliteRow>, u64), sqlx::Error> {
    let mut rows = Vec::new();
    let mut results = connection.fetch_many(query);
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Left(done) => return Ok((rows, done.rows_affected())),
            Either::Right(row) => rows.push(row),
        }
    }
    // A text without a statement.
    Ok((rows, 0))
}

fn arguments(values: &[Value<'_>]) -> Result<SqliteArguments, StoreError> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Int(value) => arguments.add(*value),
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Name(name) => arguments.add(Arc::clone(name)),
            Value::Bytes(bytes) => arguments.add(*bytes),
            Value::Id(bytes) => arguments.add(bytes.as_slice()),
            Value::NoId => arguments.add(None::<&[u8]>),
        };
        added.map_err(|error| StoreError::Database(Box::new(sqlx::Error::Encode(error))))?;
    }
    Ok(arguments)
}

fn row(row: &SqliteRow) -> Result<Row, StoreError> {
    let fields = (0..row.len()).map(|index| {
        let value = row
            .try_get_raw(index)
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        if value.is_null() {
            return Ok(Field::Null);
        }
        let kind = value.type_info();
        let field = match kind.name() {
            "INTEGER" | "BOOLEAN" => <i64 as Decode<'_, Sqlite>>::decode(value).map(Field::Int),
            "TEXT" => <String as Decode<'_, Sqlite>>::decode(value).map(Field::Text),
            "BLOB" => <Vec<u8> as Decode<'_, Sqlite>>::decode(value).map(Field::Bytes),
            // We store none: it is what SQLite makes of an integer that has
            // become too large.
            "REAL" => return Err(StoreError::Journal(JournalError::OutOfRange)),
            other => return Err(damaged("type of a column", other)),
        };
        field.map_err(|error| damaged("column", error))
    });
    Ok(Row::new(fields.collect::<Result<_, _>>()?))
}

/// Primary result codes (sqlite.org/rescode.html, November 2026).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;

/// Sorts an error by what can be done about it.
pub(super) fn explain(error: sqlx::Error, file: &Path) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .and_then(|code| code.parse::<i32>().ok());
    // The low byte of an extended code is the primary one.
    match code.map(|code| code & 0xff) {
        Some(BUSY | LOCKED) => StoreError::Busy,
        Some(READ_ONLY) => StoreError::ReadOnly(file.display().to_string()),
        Some(FULL) => StoreError::Full,
        Some(CANNOT_OPEN) => StoreError::Unreachable {
            place: file.display().to_string(),
            why: error.to_string(),
        },
        _ if matches!(&error, sqlx::Error::Database(error) if error.message() == OVERFLOW) => {
            StoreError::Journal(JournalError::OutOfRange)
        }
        _ => StoreError::Database(Box::new(error)),
    }
}

/// What `SUM` says of integers (sqlite.org/lang_aggfunc.html, November 2026).
const OVERFLOW: &str = "integer overflow";
