//! Simulated providers inside the server, for a first try without keys.
//!
//! Never by accident where real ones were called: a unit that lost its
//! environment would go on answering, in invented words, and bill them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bourse_sim::{Script, Sim, SimHandle};
use bourse_store::{SettledPage, Store};

use crate::config::Config;
use crate::market;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Says, in the data directory, which kind of providers were served from it.
const MARKER: &str = "providers";
const REAL: &str = "real\n";
const SIMULATED: &str = "simulated\n";

/// Starts them on a free port of the loopback interface, on a thread of
/// their own. They stop with the process.
pub fn start() -> std::io::Result<(SocketAddr, SimHandle)> {
    // Paced like a real model, so that a first stream looks like one.
    let script = Script {
        token_ms: 20,
        announce: true,
        ..Script::default()
    };
    let handle = Sim::builder()
        .script(script)
        .spawn_thread(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok((handle.addr(), handle))
}

/// Whether the server may start with the providers that it has, which is
/// written down for the next time. Without any it simulates them, which it
/// may where real ones were never served, or where the operator wants it.
///
/// # Errors
/// Real providers were served from this directory and none is configured now;
/// the directory or the store cannot be read.
pub async fn check(config: &Config, store: &dyn Store) -> Result<(), Error> {
    let path = config.data_dir.join(MARKER);
    if market::is_any_configured(config) {
        return note(&path, REAL);
    }
    if config.simulate {
        return Ok(());
    }
    let was_real = match std::fs::read_to_string(&path) {
        Ok(kind) => kind != SIMULATED,
        // A directory from before this was written down: calls that were
        // paid for were probably real ones.
        Err(error) if error.kind() == ErrorKind::NotFound => has_calls(store).await?,
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    };
    if was_real {
        return Err(format!(
            "no provider is configured, and {} has served real ones: set their keys again \
             (OPENAI_API_KEY, ANTHROPIC_API_KEY, …, or [providers] in the configuration). Simulated \
             answers would be billed like real ones; `server.simulate = true` serves them all the \
             same",
            config.data_dir.display()
        )
        .into());
    }
    note(&path, SIMULATED)
}

async fn has_calls(store: &dyn Store) -> Result<bool, Error> {
    let first = SettledPage {
        from_ms: 0,
        before_ms: u64::MAX,
        after: None,
        count_max: 1,
    };
    Ok(!store.generations_settled(first).await?.is_empty())
}

fn note(path: &Path, kind: &str) -> Result<(), Error> {
    if std::fs::read_to_string(path).is_ok_and(|known| known == kind) {
        return Ok(());
    }
    std::fs::write(path, kind).map_err(|error| format!("{}: {error}", path.display()).into())
}
