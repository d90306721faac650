//! What operators ask of a store: what it is, whether its tables fit, who
//! uses it.

use crate::Reply;

/// What is behind a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What the configuration calls it.
    pub kind: &'static str,
    /// Where it is, without secrets.
    pub place: String,
    /// Its version, as it says itself.
    pub version: String,
    /// Whether it takes no changes.
    pub read_only: bool,
}

/// One step of the tables' history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Steps are taken in this order.
    pub version: i64,
    /// What it brings.
    pub name: &'static str,
    /// Whether the database has it.
    pub applied: bool,
    /// What going back loses; empty if nothing.
    pub loses: &'static str,
}

/// A process that wants to serve from a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Proves that two processes cannot run at the same time: whoever comes
    /// with the same place holds a lock that the one before it held.
    pub place: String,
    /// For people: machine, process, data directory.
    pub name: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// What operators ask of a store.
pub trait Upkeep {
    /// What is behind it. Asks the database, so its time is the latency.
    fn about(&self) -> Reply<'_, About>;
    /// Every step that this program knows, and whether it was taken.
    fn schema(&self) -> Reply<'_, Vec<Step>>;
    /// Takes the steps that were not taken; returns them.
    fn schema_up(&self) -> Reply<'_, Vec<Step>>;
    /// Takes the last step back; `None` if there is none to take back. A
    /// step whose way back loses rows is refused unless `lose_data`.
    fn schema_down(&self, lose_data: bool) -> Reply<'_, Option<Step>>;
    /// Becomes the one server of this store. A store that several machines
    /// can reach refuses a second one with [`crate::StoreError::Served`];
    /// `take_over` says that a person knows the first to be gone for good.
    /// From then on every change of this store is refused with
    /// [`crate::StoreError::TakenOver`] once another has become the server.
    fn serve<'a>(&'a self, server: &'a Server, take_over: bool) -> Reply<'a, ()>;
    /// Says that the server is still there.
    fn renew(&self, now_ms: u64) -> Reply<'_, ()>;
    /// Ends being the server.
    fn retire(&self) -> Reply<'_, ()>;
    /// Closes all connections, after what they are doing.
    fn close(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
