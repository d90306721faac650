//! The certificate of the server's own TLS: read at the start, watched, and
//! replaced while connections go on.
//!
//! The directories of both files are watched, because files are replaced by
//! renaming, and directories of secrets by turning a link; and the files are
//! read again every minute, which finds what happens behind a link, on a
//! network's disk, and with time.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::alarms::Alarms;
use bourse_dataplane::alarms::kind::Kind;
use bourse_dataplane::clock::now_ms;
use bourse_net::server_tls::{Pair, ServerTls};
use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::config::TlsFiles;

/// The subject of alarms.
const SUBJECT: &str = "server.tls";
/// Longest file: a chain has some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Two files are replaced one after the other; wait until it is quiet.
const SETTLE: Duration = Duration::from_millis(150);
/// A pair that makes no sense may be one of which half is written: it is told
/// only if it still makes none so much later.
const HALF_WRITTEN: Duration = Duration::from_secs(2);
/// How often the files are read, whatever is heard of them.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So long before its end somebody is told. Automatic renewal is due 30 days
/// before (certbot's and cert-manager's defaults), and has failed for two weeks.
const WARN_BEFORE_S: u64 = 14 * 86_400;

/// The certificate that is shown, and where the next one will be.
pub struct Certificate {
    files: TlsFiles,
    tls: Arc<ServerTls>,
    shown: Shown,
    /// What was last found wrong with the files.
    problem: Option<String>,
}

/// What is shown, as it was read.
struct Shown {
    texts: [Vec<u8>; 2],
    pair: Pair,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// A sentence with the key of the configuration, the file, and what is
    /// wrong.
    pub fn open(files: &TlsFiles) -> Result<Self, String> {
        let shown = read(files)?;
        let tls = ServerTls::new(&shown.pair).map_err(|error| format!("server.tls: {error}"))?;
        tracing::info!(
            certificate = %files.certificate.display(),
            until = %shown.pair.not_after(),
            "clients are served by TLS"
        );
        Ok(Self {
            files: files.clone(),
            tls: Arc::new(tls),
            shown,
            problem: None,
        })
    }

    /// Watches the files until the server stops, and shows what is in them.
    fn keep(mut self, alarms: Arc<Alarms>, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let (changed, mut changes) = mpsc::channel::<()>(1);
        let watcher = start_watcher(&self.files, changed.clone());
        tokio::spawn(async move {
            // Kept: the channel stays open without a watcher, which watches as
            // long as it lives.
            let _kept = (changed, watcher);
            let mut minute = tokio::time::interval(LOOK_EVERY);
            minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = due(&mut hangup, &mut changes, &mut minute) => {}
                    () = crate::worker::stopped(&mut stop) => return,
                }
                let mut found = read(&self.files);
                if found.is_err() {
                    tokio::time::sleep(HALF_WRITTEN).await;
                    found = read(&self.files);
                }
                let found = found.and_then(|found| self.show(found));
                self.tell(found, &alarms, now_ms());
            }
        });
        Ok(())
    }

    /// Shows what was read, if it is another pair.
    fn show(&mut self, found: Shown) -> Result<(), String> {
        if found.texts == self.shown.texts {
            return Ok(());
        }
        let replaced = self.tls.replace(&found.pair);
        replaced.map_err(|error| format!("server.tls: {error}"))?;
        tracing::info!(
            certificate = %self.files.certificate.display(),
            until = %found.pair.not_after(),
            "clients are shown another certificate from now on"
        );
        self.shown = found;
        Ok(())
    }

    fn tell(&mut self, found: Result<(), String>, alarms: &Alarms, now_ms: u64) {
        let problem = found.err();
        match &problem {
            None => alarms.clear(Kind::CertificateRefused, SUBJECT, now_ms),
            Some(why) => {
                let message = format!("the certificate's files are not taken over: {why}");
                let is_known = alarms.active(Kind::CertificateRefused) > 0;
                alarms.lasts(Kind::CertificateRefused, SUBJECT, &message, now_ms);
                if is_known && problem != self.problem {
                    tracing::error!("{message}");
                }
            }
        }
        self.problem = problem;
        let end = self.shown.pair.not_after();
        let left_s = end.seconds.saturating_sub(now_ms / 1_000);
        if left_s >= WARN_BEFORE_S {
            return alarms.clear(Kind::CertificateExpires, SUBJECT, now_ms);
        }
        let message = match left_s / 86_400 {
            _ if left_s == 0 => format!("the certificate has expired at {end}; clients refuse it"),
            0 => format!("the certificate expires today, at {end}"),
            1 => format!("the certificate expires in a day, at {end}"),
            days => format!("the certificate expires in {days} days, at {end}"),
        };
        alarms.lasts(Kind::CertificateExpires, SUBJECT, &message, now_ms);
    }
}

/// Watches over a certificate, if there is one, until the server stops.
/// Returns what takes handshakes with it.
///
/// # Errors
/// No signal can be received.
pub fn keep(
    certificate: Option<Certificate>,
    alarms: &Arc<Alarms>,
    stop: &watch::Receiver<bool>,
) -> std::io::Result<Option<Arc<ServerTls>>> {
    let Some(certificate) = certificate else {
        return Ok(None);
    };
    let tls = Arc::clone(&certificate.tls);
    certificate.keep(Arc::clone(alarms), stop.clone())?;
    Ok(Some(tls))
}

/// What is said of the pair by whoever looks before a start.
///
/// # Errors
/// As [`Certificate::open`].
pub fn look(files: &TlsFiles) -> Result<String, String> {
    let shown = read(files)?;
    Ok(format!(
        "{} is valid until {}",
        files.certificate.display(),
        shown.pair.not_after()
    ))
}

/// Waits until the files are to be read again.
async fn due(
    hangup: &mut Signal,
    changes: &mut mpsc::Receiver<()>,
    minute: &mut tokio::time::Interval,
) {
    tokio::select! {
        _ = hangup.recv() => {}
        _ = changes.recv() => tokio::time::sleep(SETTLE).await,
        _ = minute.tick() => {}
    }
    while changes.try_recv().is_ok() {}
}

/// Reads both files; they are small, and rarely read.
fn read(files: &TlsFiles) -> Result<Shown, String> {
    let certificate = text("server.tls.certificate", &files.certificate)?;
    let key = text("server.tls.key", &files.key)?;
    let pair = Pair::read(&certificate, &key, now_ms() / 1_000).map_err(|error| {
        let (name, path) = if error.is_of_key() {
            ("key", &files.key)
        } else {
            ("certificate", &files.certificate)
        };
        format!("server.tls.{name}: {}: {error}", path.display())
    })?;
    Ok(Shown {
        texts: [certificate, key],
        pair,
    })
}

fn text(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    let told = |what: &dyn std::fmt::Display| format!("{key}: {}: {what}", path.display());
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text))
        .map_err(|error| told(&error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(told(&format_args!(
            "has more than {FILE_BYTES_MAX} bytes; it is no PEM file of a certificate or a key"
        )));
    }
    Ok(text)
}

/// Hears of everything in the directories of the files.
fn start_watcher(
    files: &TlsFiles,
    changed: mpsc::Sender<()>,
) -> Option<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Full means that they are read again anyway.
            let _ = changed.try_send(());
        }
    })
    .map_err(
        |error| tracing::warn!(%error, "the certificate is not watched; it is read every minute"),
    )
    .ok()?;
    for path in [&files.certificate, &files.key] {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        if let Some(directory) = path.parent()
            && let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive)
        {
            tracing::warn!(%error, directory = %directory.display(), "not watched; the certificate is read every minute");
        }
    }
    Some(watcher)
}
