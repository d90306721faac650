//! A connection to PostgreSQL, and how its driver's types become ours.
//!
//! Every answer is waited for within a bound of this side. A server that is
//! frozen, or a network that swallows packets, shows as silence and not as
//! an error; the settings of the session help only while the server runs.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Decode, Postgres, Row as _, SqlSafeStr as _, TypeInfo as _,
    ValueRef as _,
};

use super::error::{Link, explain, link};
use super::pool::Lease;
use crate::sql::Session;
use crate::sql::value::{Field, Row, Value, damaged};
use crate::{Reply, StoreError};

/// An answer that somebody waits for.
pub(super) const READ_MAX: Duration = Duration::from_secs(5);
/// Longer than `statement_timeout`, so that the server speaks first.
pub(super) const WRITE_MAX: Duration = Duration::from_secs(12);
/// A migration or an audit of large tables.
pub(super) const SCRIPT_MAX: Duration = Duration::from_secs(3_600);
/// Beginning and ending a transaction.
const BORDER_MAX: Duration = WRITE_MAX;

/// A connection in use. Dropping it in the middle of something closes it,
/// and the server takes back what was not committed.
pub(super) struct PgSession {
    /// Nothing once it was lost, or given back.
    lease: Option<Lease>,
    place: String,
    /// How long to wait for the answer to a statement.
    longest: Duration,
    /// Whether a transaction is open.
    within: bool,
    /// Whether a statement is under way: if the future that waits for it is
    /// dropped, the connection still has its answer in it.
    busy: bool,
    /// Whether a statement failed: PostgreSQL answers a commit after that
    /// with success, and takes everything back.
    failed: bool,
}

impl PgSession {
    pub(super) fn new(lease: Lease, longest: Duration) -> Self {
        Self {
            longest,
            place: lease.place.clone(),
            lease: Some(lease),
            within: false,
            busy: false,
            failed: false,
        }
    }

    /// Begins a transaction with these statements.
    pub(super) async fn begin(&mut self, script: &'static str) -> Result<(), StoreError> {
        self.within = true;
        self.run(script, self.longest.min(BORDER_MAX)).await
    }

    async fn run(&mut self, script: &str, longest: Duration) -> Result<(), StoreError> {
        let Some(lease) = &mut self.lease else {
            return Err(gone(&self.place));
        };
        self.busy = true;
        let script = sqlx::raw_sql(AssertSqlSafe(script));
        let done = tokio::time::timeout(longest, script.execute(&mut lease.connection)).await;
        self.settle(done.map(|done| done.map(drop)), longest)
    }

    /// Notes how a statement ended.
    fn settle<T>(
        &mut self,
        done: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
        longest: Duration,
    ) -> Result<T, StoreError> {
        self.busy = false;
        let error = match done {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => {
                if link(&error) == Link::Lost {
                    self.lease = None;
                }
                explain(error, &self.place)
            }
            Err(_) => {
                self.lease = None;
                StoreError::Unreachable {
                    place: self.place.clone(),
                    why: format!("no answer within {} s", longest.as_secs()),
                }
            }
        };
        self.failed = true;
        Err(error)
    }

    /// Ends the transaction; the connection may be used again.
    async fn end(&mut self, script: &'static str) -> Result<(), StoreError> {
        self.run(script, self.longest.min(BORDER_MAX)).await?;
        self.within = false;
        Ok(())
    }
}

impl Drop for PgSession {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take()
            && !self.within
            && !self.busy
        {
            lease.give_back();
        }
    }
}

fn gone(place: &str) -> StoreError {
    StoreError::Unreachable {
        place: place.to_owned(),
        why: "the connection was lost".to_owned(),
    }
}

impl Session for PgSession {
    fn rows<'a>(&'a mut self, text: &'static str, values: &'a [Value<'a>]) -> Reply<'a, Vec<Row>> {
        Box::pin(async move {
            let query = sqlx::query_with(text.into_sql_str(), arguments(values)?);
            let Some(lease) = &mut self.lease else {
                return Err(gone(&self.place));
            };
            self.busy = true;
            let rows = query.fetch_all(&mut lease.connection);
            let rows = tokio::time::timeout(self.longest, rows).await;
            let rows: Vec<PgRow> = self.settle(rows, self.longest)?;
            rows.iter().map(row).collect()
        })
    }

    fn change<'a>(&'a mut self, text: &'static str, values: &'a [Value<'a>]) -> Reply<'a, u64> {
        Box::pin(async move {
            let query = sqlx::query_with(text.into_sql_str(), arguments(values)?);
            let Some(lease) = &mut self.lease else {
                return Err(gone(&self.place));
            };
            self.busy = true;
            let done = query.execute(&mut lease.connection);
            let done = tokio::time::timeout(self.longest, done).await;
            Ok(self.settle(done, self.longest)?.rows_affected())
        })
    }

    fn script<'a>(&'a mut self, text: &'a str) -> Reply<'a, ()> {
        Box::pin(self.run(text, self.longest))
    }

    fn commit(mut self: Box<Self>) -> Reply<'static, ()> {
        Box::pin(async move {
            if !self.within {
                return Ok(());
            }
            if self.failed {
                // Not one of ours: whoever saw a statement fail takes back.
                return Err(damaged("commit", "after a statement that failed"));
            }
            match self.end(super::COMMIT).await {
                Err(StoreError::Unreachable { place, .. }) => Err(StoreError::Unsure(place)),
                done => done,
            }
        })
    }

    fn rollback(mut self: Box<Self>) -> Reply<'static, ()> {
        Box::pin(async move {
            if self.within && self.lease.is_some() {
                self.end(super::ROLLBACK).await?;
            }
            Ok(())
        })
    }
}

fn arguments(values: &[Value<'_>]) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), values.len().saturating_mul(16));
    for value in values {
        let added = match value {
            Value::Int(value) => arguments.add(*value),
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Name(name) => arguments.add(&***name),
            Value::Bytes(bytes) => arguments.add(*bytes),
            Value::Id(bytes) => arguments.add(bytes.as_slice()),
            Value::NoId => arguments.add(None::<&[u8]>),
        };
        added.map_err(|error| StoreError::Database(Box::new(sqlx::Error::Encode(error))))?;
    }
    Ok(arguments)
}

fn row(row: &PgRow) -> Result<Row, StoreError> {
    let fields = (0..row.len()).map(|index| {
        let value = row
            .try_get_raw(index)
            .map_err(|error| StoreError::Database(Box::new(error)))?;
        if value.is_null() {
            return Ok(Field::Null);
        }
        let kind = value.type_info();
        let field = match kind.name() {
            "INT8" => <i64 as Decode<'_, Postgres>>::decode(value).map(Field::Int),
            "INT4" => <i32 as Decode<'_, Postgres>>::decode(value).map(|v| Field::Int(v.into())),
            "BOOL" => <bool as Decode<'_, Postgres>>::decode(value).map(|v| Field::Int(v.into())),
            "TEXT" | "VARCHAR" | "NAME" => {
                <String as Decode<'_, Postgres>>::decode(value).map(Field::Text)
            }
            "BYTEA" => <Vec<u8> as Decode<'_, Postgres>>::decode(value).map(Field::Bytes),
            other => return Err(damaged("type of a column", other)),
        };
        field.map_err(|error| damaged("column", error))
    });
    Ok(Row::new(fields.collect::<Result<_, _>>()?))
}
