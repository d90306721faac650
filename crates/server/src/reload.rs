//! New configuration in a running server: on SIGHUP and when the file, or one
//! with a key, changes. A market is built from it and swapped in whole; a file with a
//! mistake is reported, and the last good market stays. What only a restart
//! takes over is named in the log.

mod secrets;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::alarms::kind::Kind;
use bourse_dataplane::gateway::Gateway;
use bourse_net::Client;
use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::config::{self, Changes, Config, ConfigErrors, DEFAULT_PATH, Description};
use crate::manager::Manager;
use crate::market::{self, Providers};
use crate::tokens::Tokens;
use secrets::SecretFiles;

/// The subject of the alarm.
const CONFIGURATION: &str = "configuration";
/// Editors write a file in several steps; wait until it is quiet.
const SETTLE: Duration = Duration::from_millis(150);

/// Watches until the server stops. The watcher lives as long as what is returned.
pub fn watch(
    path: Option<&Path>,
    config: &Config,
    (providers, tokens): (Providers, Tokens),
    gateway: Arc<Gateway>,
    clients: Vec<Client>,
    (manager, mut stop): (Manager, watch::Receiver<bool>),
) -> std::io::Result<Option<notify::RecommendedWatcher>> {
    // Before the first call, so that no signal ends the server.
    let mut hangup = signal(SignalKind::hangup())?;
    let given = path.map(Path::to_owned);
    let file = given.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    let file = std::path::absolute(&file).unwrap_or(file);
    let synced = config.data_dir.join(market::SYNCED_CATALOG);
    let synced = std::path::absolute(&synced).unwrap_or(synced);
    let (changed, mut changes) = mpsc::channel::<()>(1);
    let watcher = start_watcher(&file, &synced, changed.clone());
    let (touched, mut touches) = mpsc::channel::<()>(1);
    let mut secrets = SecretFiles::watch(config.secret_files(), &touched);
    let mut in_force = Description::of(config)?;
    keep(&in_force, &config.data_dir);
    let running = config.clone();
    tokio::spawn(async move {
        // Kept, so that the channel stays open without a watcher.
        let _changed = changed;
        loop {
            let is_touched = tokio::select! {
                _ = hangup.recv() => false,
                _ = changes.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    false
                }
                _ = touches.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    true
                }
                () = crate::worker::stopped(&mut stop) => return,
            };
            while changes.try_recv().is_ok() || touches.try_recv().is_ok() {}
            // Looked at before they are read: what changes meanwhile is seen next.
            if !secrets.have_changed() && is_touched {
                continue;
            }
            manager.reloading();
            let taken = Config::load(given.as_deref()).map_err(|wrong| wrong.on_one_line());
            let taken = taken.and_then(|new| {
                let changes = in_force.changes(&new);
                let market = (&*gateway, &tokens);
                apply((&running, &new), &changes, &providers, market, &clients)?;
                in_force.take_over(&new);
                keep(&in_force, &running.data_dir);
                secrets.follow(new.secret_files(), &touched);
                Ok(())
            });
            tell(&gateway, taken);
            manager.ready();
        }
    });
    Ok(watcher)
}

/// Leaves a description of what is in force to `bourse check`.
fn keep(in_force: &Description, data_dir: &Path) {
    if let Err(error) = in_force.write(data_dir) {
        tracing::warn!(%error, "`bourse check` is not told what configuration is in force");
    }
}

fn start_watcher(
    file: &Path,
    synced: &Path,
    changed: mpsc::Sender<()>,
) -> Option<notify::RecommendedWatcher> {
    let (watched, also) = (file.to_owned(), synced.to_owned());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if event.kind.is_access() {
            return;
        }
        if event
            .paths
            .iter()
            .any(|path| *path == watched || *path == also)
        {
            // Full means that a reload is due anyway.
            let _ = changed.try_send(());
        }
    })
    .map_err(|error| tracing::warn!(%error, "the configuration is not watched; use SIGHUP"))
    .ok()?;
    if let Some(directory) = synced.parent()
        && let Err(error) = std::fs::create_dir_all(directory)
    {
        tracing::warn!(%error, directory = %directory.display(), "not created");
    }
    // Directories, because editors replace files rather than write them.
    for directory in [file.parent(), synced.parent()].into_iter().flatten() {
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            tracing::warn!(%error, directory = %directory.display(), "not watched; use SIGHUP");
        }
    }
    Some(watcher)
}

/// Builds a market from the new configuration and swaps it in.
fn apply(
    (running, new): (&Config, &Config),
    changes: &Changes,
    providers: &Providers,
    (gateway, tokens): (&Gateway, &Tokens),
    clients: &[Client],
) -> Result<(), String> {
    let mut waiting = config::waiting_for_restart(running, new);
    let is_simulated = matches!(providers, Providers::Simulated(_));
    if is_simulated == market::is_any_configured(new) && !running.simulate {
        waiting.push("the choice between real and simulated providers");
    }
    if !waiting.is_empty() {
        tracing::warn!(
            keys = waiting.join(", "),
            "changed, and in force only after a restart"
        );
    }
    // Connections by the old roads are there already, of others than providers,
    // too: all go by the same until the restart.
    let new = &Config {
        roads: Arc::clone(&running.roads),
        ..new.clone()
    };
    let built =
        market::build(new, providers, &gateway.memory, tokens).map_err(|error| match error
            .downcast_ref::<ConfigErrors>(
        ) {
            Some(wrong) => wrong.on_one_line(),
            None => error.to_string(),
        })?;
    for warning in &new.warnings {
        tracing::warn!("{warning}");
    }
    for problem in &built.problems {
        tracing::warn!(provider = problem.provider, "{}", problem.message);
    }
    for client in clients {
        client.set_egress(built.egress.clone());
    }
    let version = built.market.catalog.version();
    gateway.market.store(Arc::new(built.market));
    let changes = match changes.at_once.as_slice() {
        [] => "nothing that a running server takes over".to_owned(),
        changes => changes.join(", "),
    };
    tracing::info!(version, changes, "new configuration in force");
    Ok(())
}

/// Tells the operator of a configuration that makes no sense, each time: it is
/// somebody's who waits for an answer.
fn tell(gateway: &Gateway, taken: Result<(), String>) {
    let (alarms, now_ms) = (&gateway.alarms, gateway.clock.now_ms());
    match taken {
        Ok(()) => alarms.clear(Kind::ConfigurationRefused, CONFIGURATION, now_ms),
        Err(problems) => {
            let is_known = alarms.active(Kind::ConfigurationRefused) > 0;
            let message = format!("the configuration is not taken over: {problems}");
            alarms.raise(Kind::ConfigurationRefused, CONFIGURATION, &message, now_ms);
            if is_known {
                tracing::error!("{message}");
            }
        }
    }
}
