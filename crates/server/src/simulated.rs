//! Simulated providers inside the server, for a first try without keys.

use std::net::{Ipv4Addr, SocketAddr};

use bourse_sim::{Script, Sim, SimHandle};

/// Starts them on a free port of the loopback interface, on a thread of
/// their own. They stop with the process.
pub fn start() -> std::io::Result<(SocketAddr, SimHandle)> {
    // Paced like a real model, so that a first stream looks like one.
    let script = Script {
        token_ms: 20,
        ..Script::default()
    };
    let handle = Sim::builder()
        .script(script)
        .spawn_thread(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok((handle.addr(), handle))
}
