//! `bourse serve`: everything wired together.
//!
//! A start goes through stages, each a type that the next one consumes
//! (`serve/boot.rs`): nothing can be served before the journal has been
//! replayed, and no line here can be moved to before what it needs.

mod boot;
mod disk;
mod doors;
mod freed;
mod running;
mod signals;
mod workers;

use std::path::Path;
use std::time::{Duration, Instant};

use bourse_dataplane::clock::now_ms;
use bourse_spool::DataDirLock;

use crate::config::Config;
use crate::manager::{Manager, Sockets};
use crate::{place, privacy};
use boot::{Opened, Reserved};
use signals::StopSignals;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Serves until a signal stops the server or the journal's disk fails.
///
/// `take_over` says that another server of the same database is gone for
/// good.
pub fn serve(config_path: Option<&Path>, take_over: bool) -> Result<(), Error> {
    let began = Instant::now();
    let config = Config::load(config_path)?;
    crate::logging::init(&config);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|error| format!("{}: {error}", config.data_dir.display()))?;
    let lock = DataDirLock::acquire(&config.data_dir)?;
    privacy::narrow(&config.data_dir);
    let me = place::here(&config.data_dir, &lock, now_ms())?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()?;
    control.block_on(async {
        // First of all, so that a signal during the start is not lost.
        let stop_signals = StopSignals::new()?;
        let given = Sockets::of_process()?;
        let opened = Reserved::addresses(config, given)?
            .open(&me, take_over)
            .await?;
        run(opened, config_path, stop_signals, began).await
    })
}

async fn run(
    opened: Opened,
    config_path: Option<&Path>,
    mut stop_signals: StopSignals,
    began: Instant,
) -> Result<(), Error> {
    workers::raise_open_files_limit();
    let running = opened
        .recover()
        .await?
        .build()?
        .make_first_keys()
        .await?
        .start(config_path, Manager::of_process())?;
    freed::give_back();
    tracing::info!(
        address = %running.address(),
        workers = running.workers(),
        ms = began.elapsed().as_millis(),
        "serving"
    );
    // A supervisor restarts what ended with an error; another server's place
    // is not to be taken back.
    // Only who was asked to go may stay for a while.
    let mut lame_duck = Duration::ZERO;
    let ended = tokio::select! {
        () = stop_signals.recv() => {
            tracing::info!("stopping: finishing running calls");
            lame_duck = running.lame_duck();
            Ok(())
        }
        error = running.taken_over() => {
            tracing::error!(%error, "stopping: finishing running calls");
            Ok(())
        }
        () = running.journal_failed() => {
            tracing::error!("the journal's disk has failed; stopping, because only a restart learns what is on it");
            Err("the journal's disk has failed: start again, and see what the log says of it".into())
        }
    };
    let stopped = running.stop(&mut stop_signals, lame_duck).await;
    ended.and(stopped)
}
