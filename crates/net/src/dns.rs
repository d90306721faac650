//! Names to addresses, remembered.
//!
//! `getaddrinfo` blocks a thread for seconds when a resolver is ill, and
//! tells no lifetime. So answers are kept: a name in use is asked again every
//! 30 s in the background, callers get the known answer meanwhile, and an
//! error never replaces a good answer.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::error::{NetError, NetErrorKind};

/// A used name is asked again after this long.
const REFRESH_AFTER: Duration = Duration::from_secs(30);
/// A failed question is not repeated sooner than this.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long one question may take; `getaddrinfo` itself may take longer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Names remembered. Configured providers are dozens; the rest are names in
/// callers' URLs, which must not grow without bound.
const NAMES_MAX: usize = 4096;
/// Questions at a time: each blocks a thread.
const LOOKUPS_MAX: usize = 32;
/// Addresses kept of one answer.
const ADDRESSES_MAX: usize = 32;

/// The future that [`Resolve::resolve`] returns.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Something that turns a name into addresses.
pub trait Resolve: Send + Sync + 'static {
    /// Asks for all addresses of `host`, a lower-case ASCII name.
    fn resolve(&self, host: Arc<str>) -> Resolving;
}

/// The operating system's resolver.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: Arc<str>) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((&*host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

type Addresses = Arc<[IpAddr]>;
type Outcome = Result<Addresses, Arc<str>>;

struct Entry {
    known: Option<Addresses>,
    /// When to ask again.
    stale_at: Instant,
    last_used: Instant,
    /// The outcome of the question under way.
    asking: Option<watch::Receiver<Option<Outcome>>>,
    /// The last failure, while there is no answer.
    failed: Option<Arc<str>>,
    turn: AtomicUsize,
}

struct Shared {
    entries: Mutex<HashMap<Arc<str>, Entry>>,
    resolver: Arc<dyn Resolve>,
    lookups: Semaphore,
}

/// The cache. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dns {
    shared: Arc<Shared>,
}

impl Dns {
    pub(crate) fn new(resolver: Arc<dyn Resolve>) -> Self {
        let shared = Shared {
            entries: Mutex::new(HashMap::new()),
            resolver,
            lookups: Semaphore::new(LOOKUPS_MAX),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// All addresses of `host`, rotated by one at each call.
    pub(crate) async fn lookup(&self, host: &Arc<str>) -> Result<Vec<IpAddr>, NetError> {
        let mut asking = match self.known_or_ask(host) {
            Ok(found) => return found,
            Err(asking) => asking,
        };
        // Held by a task of its own, so that a caller who leaves does not take
        // the answer away from the others.
        let outcome = asking
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|seen| seen.clone());
        match outcome {
            Some(Ok(answer)) => Ok(answer.to_vec()),
            Some(Err(why)) => Err(unresolved(&why)),
            None => Err(unresolved("the lookup was abandoned")),
        }
    }

    fn known_or_ask(
        &self,
        host: &Arc<str>,
    ) -> Result<Result<Vec<IpAddr>, NetError>, watch::Receiver<Option<Outcome>>> {
        let now = Instant::now();
        let mut entries = self
            .shared
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !entries.contains_key(host) {
            make_room(&mut entries);
        }
        let entry = entries.entry(host.clone()).or_insert_with(|| Entry {
            known: None,
            stale_at: now,
            last_used: now,
            asking: None,
            failed: None,
            turn: AtomicUsize::new(0),
        });
        entry.last_used = now;
        // A question whose task is gone will never be answered.
        if entry
            .asking
            .as_ref()
            .is_some_and(|asking| asking.has_changed().is_err())
        {
            entry.asking = None;
        }
        if entry.asking.is_none() && entry.stale_at <= now {
            let (sender, receiver) = watch::channel(None);
            entry.asking = Some(receiver);
            tokio::spawn(ask(self.shared.clone(), host.clone(), sender));
        }
        if let Some(known) = &entry.known {
            let mut addresses = known.to_vec();
            let turn = entry.turn.fetch_add(1, Ordering::Relaxed);
            addresses.rotate_left(turn % known.len().max(1));
            return Ok(Ok(addresses));
        }
        match (&entry.asking, &entry.failed) {
            (Some(asking), _) => Err(asking.clone()),
            (None, Some(why)) => Ok(Err(unresolved(why))),
            (None, None) => Ok(Err(unresolved("no answer"))),
        }
    }
}

/// Asks once and stores the outcome.
async fn ask(shared: Arc<Shared>, host: Arc<str>, sender: watch::Sender<Option<Outcome>>) {
    let question = async {
        let _permit = shared.lookups.acquire().await;
        shared.resolver.resolve(host.clone()).await
    };
    let outcome: Outcome = match tokio::time::timeout(LOOKUP_TIMEOUT, question).await {
        Ok(Ok(found)) if !found.is_empty() => {
            let mut addresses: Vec<IpAddr> = Vec::with_capacity(found.len().min(ADDRESSES_MAX));
            for ip in found {
                if !addresses.contains(&ip) && addresses.len() < ADDRESSES_MAX {
                    addresses.push(ip);
                }
            }
            Ok(addresses.into())
        }
        Ok(Ok(_)) => Err("the name has no addresses".into()),
        Ok(Err(error)) => Err(error.to_string().into()),
        Err(_) => Err("the resolver did not answer in time".into()),
    };
    {
        let now = Instant::now();
        let mut entries = shared
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&host) {
            entry.asking = None;
            match &outcome {
                Ok(answer) => {
                    entry.known = Some(answer.clone());
                    entry.failed = None;
                    entry.stale_at = now + REFRESH_AFTER;
                }
                Err(why) => {
                    entry.failed = Some(why.clone());
                    entry.stale_at = now + RETRY_AFTER;
                }
            }
        }
    }
    sender.send_replace(Some(outcome));
}

/// Forgets the name that was used longest ago when the table is full.
fn make_room(entries: &mut HashMap<Arc<str>, Entry>) {
    if entries.len() < NAMES_MAX {
        return;
    }
    let oldest = entries.iter().min_by_key(|(_, entry)| entry.last_used);
    if let Some(name) = oldest.map(|(name, _)| name.clone()) {
        entries.remove(&name);
    }
}

fn unresolved(why: &str) -> NetError {
    NetError::because(NetErrorKind::Resolve, why)
}

#[cfg(test)]
mod tests;
