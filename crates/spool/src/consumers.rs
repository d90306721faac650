//! Who reads the spool, and how far each has come.
//!
//! A segment is deleted when everybody who reads has it. The database is one
//! of them, and the only one that new records wait for; a sink that falls too
//! far behind is left behind, because a sink that hangs must not fill the
//! disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Position;

/// The consumer that brings records into the database.
pub const DATABASE: &str = "database";

#[derive(Debug)]
pub(crate) struct Consumers {
    positions: Mutex<BTreeMap<Box<str>, Position>>,
}

impl Consumers {
    pub fn new(database: Position, others: &[(&str, Position)]) -> Self {
        let others = others.iter().map(|(name, at)| (Box::from(*name), *at));
        let mut positions: BTreeMap<_, _> = others.collect();
        positions.insert(DATABASE.into(), database);
        Self {
            positions: Mutex::new(positions),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Position>> {
        self.positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far one has come; never backwards.
    pub fn note(&self, name: &str, position: Position) {
        let mut positions = self.lock();
        match positions.get_mut(name) {
            Some(known) => *known = (*known).max(position),
            None => {
                positions.insert(name.into(), position);
            }
        }
    }

    pub fn remove(&self, name: &str) {
        if name != DATABASE {
            self.lock().remove(name);
        }
    }

    pub fn position(&self, name: &str) -> Option<Position> {
        self.lock().get(name).copied()
    }

    /// What somebody still needs: from here on. Others than the database
    /// count only as far back as `lag_bytes_max` before `written`.
    pub fn needed(&self, written: Position, lag_bytes_max: u64) -> Position {
        let limit = Position(written.0.saturating_sub(lag_bytes_max));
        let positions = self.lock();
        let needed = positions.iter().map(|(name, at)| match &**name {
            DATABASE => *at,
            _ => (*at).max(limit),
        });
        needed.min().unwrap_or_default()
    }
}
