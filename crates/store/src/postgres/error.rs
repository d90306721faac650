//! Sorting PostgreSQL's errors by what can be done about them.

use bourse_ledger::journal::JournalError;

use crate::StoreError;

/// What an error says about the connection it came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// The server answered; the connection is good.
    Good,
    /// The connection is gone, or cannot be trusted any more.
    Lost,
}

/// Whether the connection outlived `error`.
pub(super) fn link(error: &sqlx::Error) -> Link {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) if ends_the_connection(&code) => Link::Lost,
            _ => Link::Good,
        },
        // Made on this side, before anything was sent or after all was read.
        sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::RowNotFound => Link::Good,
        _ => Link::Lost,
    }
}

/// SQLSTATE codes (postgresql.org/docs/15/errcodes-appendix.html, November
/// 2026) after which the server closes the connection, or never opened one.
fn ends_the_connection(code: &str) -> bool {
    // 08: connection exceptions. 57P01 to 57P05: shut down, crashed, not yet
    // up, dropped, idle too long. 25P03: idle in a transaction. 53300: too
    // many connections.
    code.starts_with("08") || code.starts_with("57P") || matches!(code, "25P03" | "53300")
}

/// Sorts `error` of the database at `place`.
pub(super) fn explain(error: sqlx::Error, place: &str) -> StoreError {
    let unreachable = |why: String| StoreError::Unreachable {
        place: place.to_owned(),
        why,
    };
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .map(std::borrow::Cow::into_owned);
    match code.as_deref() {
        // Two transactions that cannot both happen in some order, a deadlock,
        // a lock that was not had in time.
        Some("40001" | "40P01" | "55P03") => StoreError::Conflict,
        // Two processes made the same table at once (42P07, 42710 of its row
        // type, or 23505 in the server's own catalog): one of them did, so
        // look again.
        Some("42P07" | "42710") => StoreError::Conflict,
        Some("23505") if is_catalog(&error) => StoreError::Conflict,
        Some("22003") => StoreError::Journal(JournalError::OutOfRange),
        Some("25006") => StoreError::ReadOnly(place.to_owned()),
        Some("53100") => StoreError::Full,
        Some(code) if ends_the_connection(code) => unreachable(error.to_string()),
        Some(_) => StoreError::Database(Box::new(error)),
        None if link(&error) == Link::Lost => unreachable(error.to_string()),
        None => StoreError::Database(Box::new(error)),
    }
}

/// Whether a constraint is one of the server's own tables.
fn is_catalog(error: &sqlx::Error) -> bool {
    let constraint = error
        .as_database_error()
        .and_then(|error| error.constraint());
    constraint.is_some_and(|name| name.starts_with("pg_"))
}
