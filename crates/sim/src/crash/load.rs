//! Clients that call without pause, rest when told to, and remember
//! everything they saw.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::crash::call::{Asked, End, Mark, Seen};
use crate::crash::client::{self, Wire};
use crate::crash::scene::Scene;

/// Pause after a connection that was refused, so that nobody spins while the
/// server is away.
const AWAY: Duration = Duration::from_millis(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Call,
    Rest,
    Stop,
}

#[derive(Debug)]
struct Shared {
    scene: Scene,
    seed: u64,
    server: SocketAddr,
    key: String,
    limited: Mutex<String>,
    round: AtomicU32,
    busy: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
}

/// The clients, on a thread of their own.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Starts so many clients; they rest until [`Self::resume`].
    ///
    /// # Errors
    /// When the operating system gives no thread or no runtime.
    pub fn start(
        (scene, seed): (Scene, u64),
        connections: u32,
        server: SocketAddr,
        key: String,
        limited: String,
    ) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            scene,
            seed,
            server,
            key,
            limited: Mutex::new(limited),
            round: AtomicU32::new(0),
            busy: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let (phase, told) = watch::channel(Phase::Rest);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let clients = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("clients".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let mut lanes = tokio::task::JoinSet::new();
                    for lane in 0..connections {
                        lanes.spawn(calls(Arc::clone(&clients), lane, told.clone()));
                    }
                    while lanes.join_next().await.is_some() {}
                });
            })
            .map_err(|error| error.to_string())?;
        Ok(Self {
            shared,
            phase,
            thread: Some(thread),
        })
    }

    /// Lets clients call.
    pub fn resume(&self) {
        self.phase.send_replace(Phase::Call);
    }

    /// The server was killed: clients rest, and calls from now on belong to
    /// the next round.
    pub fn down(&self, round: u32) {
        self.phase.send_replace(Phase::Rest);
        self.shared.round.store(round, Ordering::Release);
    }

    /// Lets running calls end and no new ones begin.
    ///
    /// # Errors
    /// When some do not end in time.
    pub fn rest(&self, wait_max: Duration) -> Result<(), String> {
        self.phase.send_replace(Phase::Rest);
        let end = Instant::now() + wait_max;
        loop {
            let busy = self.shared.busy.load(Ordering::Acquire);
            if busy == 0 {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("{busy} calls do not end"));
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// Calls with a limited key use this one from now on.
    pub fn use_limited(&self, key: String) {
        *lock(&self.shared.limited) = key;
    }

    /// What was seen since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.shared.seen))
    }

    /// Ends the clients.
    pub fn stop(&mut self) {
        self.phase.send_replace(Phase::Stop);
        if let Some(thread) = self.thread.take() {
            // A client that panicked is a failed test already.
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn calls(shared: Arc<Shared>, lane: u32, mut told: watch::Receiver<Phase>) {
    let mut wire: Option<Wire> = None;
    let mut turn = 0;
    loop {
        let phase = *told.borrow_and_update();
        match phase {
            Phase::Stop => return,
            Phase::Rest => {
                wire = None;
                if told.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Phase::Call => {}
        }
        // Counted before the phase is looked at again: whoever sees nobody
        // busy after asking for rest knows that nobody will be.
        shared.busy.fetch_add(1, Ordering::AcqRel);
        if *told.borrow() == Phase::Call {
            let asked = Asked::of(shared.scene, shared.seed, Mark { lane, turn });
            turn += 1;
            let mut seen = Seen::nothing(asked, shared.round.load(Ordering::Acquire));
            let key = if asked.poor {
                lock(&shared.limited).clone()
            } else {
                shared.key.clone()
            };
            client::call(shared.server, &key, &mut wire, &mut seen).await;
            let unsent = seen.end == End::Unsent;
            lock(&shared.seen).push(seen);
            if unsent {
                tokio::time::sleep(AWAY).await;
            }
        }
        shared.busy.fetch_sub(1, Ordering::AcqRel);
    }
}
