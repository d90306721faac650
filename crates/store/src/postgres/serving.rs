//! Which server a database belongs to: one row, and a number that rises.
//!
//! No clock decides anything here. A server that was killed comes back with
//! the same place (it holds the lock of the same data directory, so the one
//! before it is dead) and goes on at once. A server at another place is
//! refused until the first has retired, or until a person says that it is
//! gone; from then on the number of the first is an old one, and whatever it
//! still sends is refused.

use std::sync::atomic::Ordering;

use super::session::PgSession;
use super::{Postgres, Purpose};
use crate::StoreError;
use crate::sql::{Backend as _, Session, Tries, finish};
use crate::upkeep::Server;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS serving (\
    id BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, is_active BIGINT NOT NULL, place TEXT NOT NULL, \
    name TEXT NOT NULL, seen_at_ms BIGINT NOT NULL); \
    INSERT INTO serving (id, epoch, is_active, place, name, seen_at_ms) \
    VALUES (1, 0, 0, '', '', 0) ON CONFLICT (id) DO NOTHING;";
const TURN: &str = "SELECT epoch, name FROM serving WHERE id = 1 FOR UPDATE";
const WHO: &str = "SELECT is_active, place, name, seen_at_ms FROM serving WHERE id = 1";
const TAKE: &str = "UPDATE serving SET epoch = epoch + 1, is_active = 1, place = $1, name = $2, \
    seen_at_ms = $3 WHERE id = 1 RETURNING epoch";
const RENEW: &str = "UPDATE serving SET seen_at_ms = $1 WHERE id = 1";
const LEAVE: &str = "UPDATE serving SET is_active = 0 WHERE id = 1";
/// See [`super::OWN_TEXTS`].
#[cfg(test)]
pub(crate) const OWN_TEXTS: &[(&str, &str)] = &[
    ("TABLE", TABLE),
    ("TURN", TURN),
    ("WHO", WHO),
    ("TAKE", TAKE),
    ("RENEW", RENEW),
    ("LEAVE", LEAVE),
];

/// Waits for the turn to change something, and refuses it to a server that
/// is no longer the one.
pub(super) async fn take_turn(session: &mut PgSession, epoch: i64) -> Result<(), StoreError> {
    let session: &mut dyn Session = session;
    let mut row = session.one(TURN, &[]).await?;
    if epoch != 0 && row.int()? != epoch {
        return Err(StoreError::TakenOver(row.string()?));
    }
    Ok(())
}

impl Postgres {
    /// Makes the row, in a database that has none.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        let mut tries = Tries::default();
        loop {
            // Without taking a turn: there is nothing to take it by.
            let mut session: Box<dyn Session> = Box::new(self.begin(Purpose::Write).await?);
            let done = match self.has_table(&mut *session, "serving").await {
                Ok(true) => Ok(()),
                Ok(false) => session.script(TABLE).await,
                Err(error) => Err(error),
            };
            let done = finish(session, done).await;
            if let std::ops::ControlFlow::Break(done) = tries.judge(done).await {
                return done;
            }
        }
    }

    /// See [`crate::Upkeep::serve`].
    pub(super) async fn take_place(
        &self,
        server: &Server,
        take_over: bool,
    ) -> Result<(), StoreError> {
        let mut session = self.session(Purpose::Schema).await?;
        let mut row = session.one(WHO, &[]).await?;
        let is_active = row.flag()?;
        let (place, name, seen_at_ms) = (row.string()?, row.string()?, row.unsigned()?);
        if is_active && place != server.place && !take_over {
            session.rollback().await?;
            return Err(StoreError::Served {
                by: name,
                seen_s_ago: server.at_ms.saturating_sub(seen_at_ms) / 1_000,
            });
        }
        if is_active && place != server.place {
            tracing::warn!(from = name, "the database was taken over by order");
        }
        let values = [
            server.place.as_str().into(),
            server.name.as_str().into(),
            server.at_ms.into(),
        ];
        let epoch = session.one(TAKE, &values).await?.int()?;
        session.commit().await?;
        self.epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    /// See [`crate::Upkeep::renew`].
    pub(super) async fn keep_place(&self, now_ms: u64) -> Result<(), StoreError> {
        let mut session = self.session(Purpose::Write).await?;
        session.change(RENEW, &[now_ms.into()]).await?;
        session.commit().await
    }

    /// See [`crate::Upkeep::retire`].
    pub(super) async fn leave_place(&self) -> Result<(), StoreError> {
        if self.epoch.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        // With the longer wait for a turn: nobody would say it again.
        let mut session = self.session(Purpose::Schema).await?;
        session.change(LEAVE, &[]).await?;
        session.commit().await?;
        self.epoch.store(0, Ordering::Release);
        Ok(())
    }
}
