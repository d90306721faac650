//! The service manager that started the server, if one did.
//!
//! systemd's protocols, each a few lines: one datagram for what there is to
//! say (sd_notify(3)), sockets that are open already (sd_listen_fds(3)), and
//! a watchdog (sd_watchdog_enabled(3)), all read in November 2026. Without
//! their variables nothing is said and nobody waits.

mod pulse;
mod sockets;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::gateway::Gateway;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

pub use pulse::Pulses;
pub use sockets::Sockets;

/// How often the state is told, if it is another.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// The shortest watchdog: below this the asking would be the load.
const WATCHDOG_MIN: Duration = Duration::from_millis(100);

/// Whom to tell. Cheap to clone; without a manager it says nothing.
#[derive(Clone, Default)]
pub struct Manager(Option<Arc<Link>>);

struct Link {
    socket: UnixDatagram,
    to: SocketAddr,
}

impl Manager {
    /// The one that started this process.
    pub fn of_process() -> Self {
        let Some(place) = std::env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        match Link::to(&place) {
            Ok(link) => Self(Some(Arc::new(link))),
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET: the service manager is told nothing");
                Self::default()
            }
        }
    }

    /// Calls are served.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is being read; [`Self::ready`] ends it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let us = i128::from(now.tv_sec)
            .saturating_mul(1_000_000)
            .saturating_add(i128::from(now.tv_nsec / 1_000));
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={us}"));
    }

    /// The server ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// What there is to see.
    pub fn say(&self, status: &str) {
        self.tell(&format!("STATUS={status}"));
    }

    fn tell(&self, text: &str) {
        let Some(link) = &self.0 else { return };
        if let Err(error) = link.socket.send_to_addr(text.as_bytes(), &link.to) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }

    /// Says that calls are served, then tells the state until the server is
    /// told to stop, and feeds the watchdog.
    pub fn begin(&self, gateway: &Arc<Gateway>, pulses: Pulses, stop: &watch::Receiver<bool>) {
        self.ready();
        if self.0.is_none() {
            return;
        }
        let watchdog = watchdog(|name| std::env::var(name).ok());
        if let Some(within) = watchdog {
            // Beside the stop: whoever ends is still watched.
            let stop = stop.clone();
            tokio::spawn(self.clone().keep_fed(pulses, within, stop));
        }
        let (manager, gateway) = (self.clone(), Arc::clone(gateway));
        tokio::spawn(manager.keep_status(gateway, stop.clone()));
    }

    async fn keep_status(self, gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
        let mut told = String::new();
        let mut ticks = tokio::time::interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = crate::worker::stopped(&mut stop) => return,
            }
            let status = status(&gateway);
            if status != told && !gateway.stopping.is_begun() {
                self.say(&status);
                told = status;
            }
        }
    }

    /// Asks every thread whether it still turns, and feeds the watchdog while
    /// all of them do. Half of the time is for asking (sd_watchdog_enabled(3)
    /// recommends it).
    async fn keep_fed(self, mut pulses: Pulses, within: Duration, stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(within / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_silent = false;
        loop {
            ticks.tick().await;
            let silent = pulses.silent(*stop.borrow());
            if silent.is_empty() {
                self.tell("WATCHDOG=1");
            } else if !was_silent {
                let threads = silent.join(", ");
                tracing::error!(
                    threads,
                    "do not answer; the service manager's watchdog is not fed until they do"
                );
            }
            was_silent = !silent.is_empty();
            pulses.ask();
        }
    }
}

/// What an operator sees in `systemctl status`.
fn status(gateway: &Gateway) -> String {
    use std::sync::atomic::Ordering::Relaxed;
    let running = gateway.admission.running();
    let drains = gateway.drains.running();
    let admitted = gateway.counters.calls.load(Relaxed);
    format!(
        "serving: {running} calls running, {drains} answers read on, {admitted} admitted since the start"
    )
}

/// The time within which the watchdog must be fed, if it is this process's.
fn watchdog(variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let us: u64 = variable("WATCHDOG_USEC")?.parse().ok()?;
    if let Some(pid) = variable("WATCHDOG_PID")
        && pid.parse() != Ok(std::process::id())
    {
        return None;
    }
    (us > 0).then(|| Duration::from_micros(us).max(WATCHDOG_MIN))
}

impl Link {
    fn to(place: &OsStr) -> io::Result<Self> {
        Ok(Self {
            to: address(place)?,
            socket: {
                let socket = UnixDatagram::unbound()?;
                // A manager that reads nothing holds nobody up.
                socket.set_nonblocking(true)?;
                socket
            },
        })
    }
}

/// A path, or with `@` in front a name in the kernel's own space.
fn address(place: &OsStr) -> io::Result<SocketAddr> {
    match place.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name)
        }
        [b'/', ..] => SocketAddr::from_pathname(place),
        _ => Err(io::Error::other("is neither a path nor a name behind `@`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_of_the_process_that_it_names() {
        let me = std::process::id().to_string();
        let of = |us: Option<&str>, pid: Option<&str>| {
            watchdog(|name| match name {
                "WATCHDOG_USEC" => us.map(str::to_owned),
                _ => pid.map(str::to_owned),
            })
        };
        assert_eq!(of(Some("3000000"), None), Some(Duration::from_secs(3)));
        assert_eq!(of(Some("3000000"), Some(&me)), Some(Duration::from_secs(3)));
        assert_eq!(of(Some("3000000"), Some("1")), None);
        assert_eq!(of(Some("0"), None), None);
        assert_eq!(of(Some("x"), None), None);
        assert_eq!(of(None, None), None);
    }

    #[test]
    fn what_is_said_arrives_at_a_path_and_at_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let heard = |socket: &UnixDatagram| {
            let mut bytes = [0; 256];
            let count = socket.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..count].to_vec()).unwrap()
        };
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = Manager(Some(Arc::new(Link::to(path.as_os_str()).unwrap())));
        manager.ready();
        assert_eq!(heard(&socket), "READY=1");
        manager.say("fine");
        assert_eq!(heard(&socket), "STATUS=fine");
        manager.reloading();
        let told = heard(&socket);
        let us = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(us.parse::<u64>().unwrap() > 0);
        let name = format!("@bourse-test-{}", std::process::id());
        let address = address(OsStr::new(&name)).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        Manager(Some(Arc::new(Link::to(OsStr::new(&name)).unwrap()))).stopping();
        assert_eq!(heard(&socket), "STOPPING=1");
        assert!(Link::to(OsStr::new("relative")).is_err());
    }
}
