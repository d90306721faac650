//! `bourse serve`: everything wired together.
//!
//! A start goes through stages, each a type that the next one consumes
//! (`serve/boot.rs`): nothing can be served before the journal has been
//! replayed, and no line here can be moved to before what it needs.

mod boot;
mod running;
mod signals;
mod workers;

use std::path::Path;
use std::time::Instant;

use bourse_spool::DataDirLock;

use crate::config::Config;
use boot::Reserved;
use signals::StopSignals;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves until a signal stops the server or the journal's disk fails.
pub fn serve(config_path: Option<&Path>) -> Result<(), Error> {
    let began = Instant::now();
    let config = Config::load(config_path)?;
    crate::logging::init(&config);
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|error| format!("{}: {error}", config.data_dir.display()))?;
    let _lock = DataDirLock::acquire(&config.data_dir)?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()?;
    control.block_on(run(config, config_path, began))
}

async fn run(config: Config, config_path: Option<&Path>, began: Instant) -> Result<(), Error> {
    workers::raise_open_files_limit();
    // First of all, so that a signal during the start is not lost.
    let mut stop_signals = StopSignals::new()?;
    let running = Reserved::addresses(config)?
        .recover()
        .await?
        .build()?
        .read_keys()
        .await?
        .start(config_path)?;
    tracing::info!(
        address = %running.address(),
        workers = running.workers(),
        ms = began.elapsed().as_millis(),
        "serving"
    );
    tokio::select! {
        () = stop_signals.recv() => tracing::info!("stopping: finishing running calls"),
        () = running.journal_failed() => {
            tracing::error!("the journal's disk has failed; stopping, because only a restart learns what is on it");
        }
    }
    running.stop().await;
    Ok(())
}
