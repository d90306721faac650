//! A TCP relay between two loopback addresses: the network that test
//! machines do not have.
//!
//! It knows no protocol. Pieces of a stream come late, in order, as over
//! TCP: whatever is lost is sent again and holds up what follows. At most
//! [`PIECES_MAX`] pieces of a direction are under way; then the sender has
//! to wait.

mod control;
mod plan;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub use control::RelayControl;
pub use plan::{PARTITIONS_MAX, Partition, RelayPlan, WAIT_MS_MAX};

/// Most connections at once; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Most pieces of one direction under way: with pieces of 16 KiB, a
/// mebibyte for each direction of a connection.
pub const PIECES_MAX: usize = 64;
/// Largest piece, in bytes.
const PIECE_BYTES: usize = 16 * 1024;
/// Pause after a failed accept, so that running out of files does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A plan in force.
#[derive(Debug, Clone)]
struct Now {
    plan: Arc<RelayPlan>,
    began: Instant,
    /// Partitioned by a control call, until the next.
    held: bool,
}

impl Now {
    fn new(plan: RelayPlan) -> Self {
        Self {
            plan: Arc::new(plan),
            began: Instant::now(),
            held: false,
        }
    }

    /// Until when nothing passes; `None` in it is until a control call.
    fn blocked(&self) -> Option<Option<Instant>> {
        if self.held {
            return Some(None);
        }
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let until = self.plan.partitioned_until_ms(elapsed)?;
        Some(Some(self.began + Duration::from_millis(until)))
    }
}

/// What a relay has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayCounts {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that the plan cut.
    pub cut: u64,
    /// Bytes taken from both sides.
    pub taken_bytes: u64,
    /// Bytes given to both sides.
    pub given_bytes: u64,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    now: watch::Sender<Now>,
    connections: AtomicU64,
    cut: AtomicU64,
    taken_bytes: AtomicU64,
    given_bytes: AtomicU64,
}

impl Shared {
    /// Waits while nothing may pass.
    async fn passage(&self) {
        let mut now = self.now.subscribe();
        loop {
            let blocked = now.borrow_and_update().blocked();
            let changed = async {
                if now.changed().await.is_err() {
                    // The sender lives in `self`, so this is never reached.
                    std::future::pending::<()>().await;
                }
            };
            match blocked {
                None => return,
                Some(None) => changed.await,
                Some(Some(until)) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(until) => {}
                },
            }
        }
    }

    fn counts(&self) -> RelayCounts {
        RelayCounts {
            connections: self.connections.load(Relaxed),
            cut: self.cut.load(Relaxed),
            taken_bytes: self.taken_bytes.load(Relaxed),
            given_bytes: self.given_bytes.load(Relaxed),
        }
    }
}

/// A relay that is to be run.
#[derive(Debug)]
pub struct Relay {
    listener: TcpListener,
    handle: RelayHandle,
}

/// Looks at a running relay and changes what it does.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

impl RelayHandle {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> RelayCounts {
        self.shared.counts()
    }

    /// Lays in another plan; its clock begins now.
    ///
    /// # Errors
    /// When the plan makes no sense.
    pub fn set(&self, plan: RelayPlan) -> Result<(), String> {
        plan.check()?;
        self.shared.now.send_replace(Now::new(plan));
        Ok(())
    }

    /// Lets nothing pass, or what the plan lets pass.
    pub fn partition(&self, on: bool) {
        self.shared.now.send_modify(|now| now.held = on);
    }
}

impl Relay {
    /// Listens on one address for another; both are loopback, so that no
    /// relay of a test is a way into the machine.
    ///
    /// # Errors
    /// When an address is not loopback or cannot be bound, or the plan makes
    /// no sense.
    pub async fn bind(listen: SocketAddr, to: SocketAddr, plan: RelayPlan) -> io::Result<Self> {
        let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if !listen.ip().is_loopback() || !to.ip().is_loopback() {
            return refuse("a relay goes between loopback addresses only".to_owned());
        }
        if let Err(why) = plan.check() {
            return refuse(why);
        }
        let listener = TcpListener::bind(listen).await?;
        let shared = Shared {
            to,
            now: watch::Sender::new(Now::new(plan)),
            connections: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            taken_bytes: AtomicU64::new(0),
            given_bytes: AtomicU64::new(0),
        };
        let handle = RelayHandle {
            addr: listener.local_addr()?,
            shared: Arc::new(shared),
        };
        Ok(Self { listener, handle })
    }

    /// Its handle.
    #[must_use]
    pub fn handle(&self) -> RelayHandle {
        self.handle.clone()
    }

    /// Relays until the future is dropped, which ends all connections.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut tasks = JoinSet::new();
        loop {
            while tasks.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((client, _)) = self.listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let shared = Arc::clone(&self.handle.shared);
            tasks.spawn(async move {
                connection(&shared, client).await;
                drop(place);
            });
        }
    }
}

/// A piece of a stream and when it arrives; an empty one is its end.
struct Piece {
    bytes: Bytes,
    due: Instant,
}

async fn connection(shared: &Shared, client: TcpStream) {
    let ordinal = shared.connections.fetch_add(1, Relaxed);
    shared.passage().await;
    // A refused connection is passed on as a closed one.
    let Ok(target) = TcpStream::connect(shared.to).await else {
        return;
    };
    let _ = (client.set_nodelay(true), target.set_nodelay(true));
    let ((from_client, to_client), (from_target, to_target)) =
        (client.into_split(), target.into_split());
    let cut_after = shared.now.borrow().plan.cut_after_bytes;
    let there = pump(shared, ordinal * 2, from_client, to_target, None);
    let back = pump(shared, ordinal * 2 + 1, from_target, to_client, cut_after);
    tokio::pin!(there, back);
    // The first direction that breaks takes the other with it: both sockets
    // are dropped here.
    tokio::select! {
        end = &mut there => if end == End::Whole { back.await; },
        end = &mut back => if end == End::Whole { there.await; },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The sender was done and the receiver knows it.
    Whole,
    /// One of them is gone, or the plan cut.
    Broken,
}

/// Brings one direction across.
async fn pump(
    shared: &Shared,
    stream: u64,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    cut_after: Option<u64>,
) -> End {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let (read, written) = tokio::join!(
        take(shared, stream, from, sender),
        give(shared, to, receiver, cut_after)
    );
    match (read, written) {
        (End::Whole, End::Whole) => End::Whole,
        _ => End::Broken,
    }
}

async fn take(
    shared: &Shared,
    stream: u64,
    mut from: OwnedReadHalf,
    sender: mpsc::Sender<Piece>,
) -> End {
    let mut last = Instant::now();
    for piece in 0.. {
        let mut bytes = BytesMut::with_capacity(PIECE_BYTES);
        let read = tokio::select! {
            read = from.read_buf(&mut bytes) => read,
            () = sender.closed() => return End::Broken,
        };
        let Ok(count) = read else { return End::Broken };
        shared.taken_bytes.fetch_add(count as u64, Relaxed);
        let plan = Arc::clone(&shared.now.borrow().plan);
        // In order: a piece that is late holds up those behind it.
        last = last.max(Instant::now() + plan.late(stream, piece));
        let bytes = bytes.freeze();
        if sender.send(Piece { bytes, due: last }).await.is_err() {
            return End::Broken;
        }
        if count == 0 {
            return End::Whole;
        }
    }
    End::Broken
}

async fn give(
    shared: &Shared,
    mut to: OwnedWriteHalf,
    mut receiver: mpsc::Receiver<Piece>,
    cut_after: Option<u64>,
) -> End {
    let mut left = cut_after.unwrap_or(u64::MAX);
    while let Some(piece) = receiver.recv().await {
        if piece.due > Instant::now() {
            sleep_until(piece.due).await;
        }
        shared.passage().await;
        if piece.bytes.is_empty() {
            return match to.shutdown().await {
                Ok(()) => End::Whole,
                Err(_) => End::Broken,
            };
        }
        let allowed = usize::try_from(left).unwrap_or(usize::MAX);
        let now = piece.bytes.slice(..piece.bytes.len().min(allowed));
        if to.write_all(&now).await.is_err() {
            return End::Broken;
        }
        left -= now.len() as u64;
        shared.given_bytes.fetch_add(now.len() as u64, Relaxed);
        if left == 0 {
            shared.cut.fetch_add(1, Relaxed);
            if shared.now.borrow().plan.cut_with_reset {
                // Without linger a close discards what is unsent and resets.
                let _ = to.as_ref().set_zero_linger();
                // Dropped, this half would say an orderly end first.
                to.forget();
            }
            return End::Broken;
        }
    }
    End::Broken
}
