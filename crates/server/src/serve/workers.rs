//! The threads of the data plane, and what the process needs for them.

use std::net::TcpListener;
use std::thread::JoinHandle;

use socket2::Socket;

use super::Error;
use crate::manager::Pulses;
use crate::worker::{self, Service, Stop};

/// Begins to listen.
pub(super) fn listen(sockets: Vec<Socket>) -> std::io::Result<Vec<TcpListener>> {
    sockets.into_iter().map(worker::listen).collect()
}

/// Starts a thread for each listener.
pub(super) fn start(
    (listeners, services): (Vec<TcpListener>, Vec<Service>),
    stop: &Stop,
    pulses: &mut Pulses,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let mut threads = Vec::new();
    for (index, (listener, service)) in listeners.into_iter().zip(services).enumerate() {
        let stop = stop.clone();
        let name = format!("worker-{index}");
        let pulse = pulses.of(&*name);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let ended = runtime.and_then(|runtime| {
                runtime.spawn(pulse.beat());
                runtime.block_on(worker::run(listener, service, stop))
            });
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended");
            }
        })?;
        threads.push(thread);
    }
    Ok(threads)
}

/// Each stream takes two descriptors, and the usual soft limit of 1,024 is
/// there for programs that use select(2). The hard limit is the operator's.
pub(super) fn raise_open_files_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}
