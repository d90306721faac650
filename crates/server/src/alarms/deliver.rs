//! Telling a receiver of one event after the other, and again where it did not
//! take one.

use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::alarms::{Alarms, Event};
use bourse_dataplane::chance;
use bourse_dataplane::clock::now_ms;
use tokio::sync::{mpsc, watch};

use super::webhook::{Posted, Receiver, message, message_id};

/// How long to wait after a receiver did not take an event, doubled each time.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest such wait, also where a receiver asks for more.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How often an event is sent: for some three quarters of an hour. What lasts
/// is told again in any case.
const TRIES_MAX: u32 = 16;
/// How long a server that ends goes on telling, each event once.
const LAST_WORDS_MAX: Duration = Duration::from_secs(3);

/// Who takes events.
pub(super) trait Post: Send + Sync + 'static {
    /// Takes one, or does not.
    fn post(&self, id: &str, body: &[u8], at_s: u64) -> impl Future<Output = Posted> + Send;
}

impl Post for Receiver {
    fn post(&self, id: &str, body: &[u8], at_s: u64) -> impl Future<Output = Posted> + Send {
        Self::post(self, id, body, at_s)
    }
}

/// Tells a receiver.
pub(super) struct Deliverer<P> {
    receiver: P,
    alarms: Arc<Alarms>,
    /// How this server is told from others.
    server: String,
    wait_min: Duration,
    is_away: bool,
}

/// How long to wait before the next try, with a jitter of up to a half: servers
/// that lost the same receiver do not come back to it at once. `random` is
/// uniform in [0, 1).
fn wait(tries: u32, least: Duration, asked: Option<Duration>, random: f64) -> Duration {
    let doubled = least.saturating_mul(1 << tries.saturating_sub(1).min(16));
    let wait = asked.unwrap_or(doubled).min(WAIT_MAX);
    wait.mul_f64(1.0 + random.clamp(0.0, 1.0) / 2.0)
}

impl<P: Post> Deliverer<P> {
    pub(super) const fn new(receiver: P, alarms: Arc<Alarms>, server: String) -> Self {
        Self {
            receiver,
            alarms,
            server,
            wait_min: WAIT_MIN,
            is_away: false,
        }
    }

    /// Tells until `stop` says so (or its sender is gone), and then what waits,
    /// once and for a moment.
    pub(super) async fn run(
        mut self,
        mut told: mpsc::Receiver<Event>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut unfinished = None;
        loop {
            let event = tokio::select! {
                event = told.recv() => event,
                () = crate::worker::stopped(&mut stop) => break,
            };
            let Some(event) = event else { return };
            let sent = (message_id(), message(&event, &self.server));
            tokio::select! {
                () = self.deliver(&sent) => {}
                () = crate::worker::stopped(&mut stop) => {
                    unfinished = Some(sent);
                    break;
                }
            }
        }
        told.close();
        let last_words = async {
            if let Some((id, body)) = unfinished {
                self.post(&id, &body).await;
            }
            while let Some(event) = told.recv().await {
                let body = message(&event, &self.server);
                self.post(&message_id(), &body).await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS_MAX, last_words).await;
    }

    async fn post(&self, id: &str, body: &[u8]) -> Posted {
        self.receiver.post(id, body, now_ms() / 1_000).await
    }

    async fn deliver(&mut self, (id, body): &(String, Vec<u8>)) {
        for tries in 1..=TRIES_MAX {
            match self.post(id, body).await {
                Posted::Taken(_) => {
                    if std::mem::take(&mut self.is_away) {
                        tracing::info!("the receiver of alarms is back");
                    }
                    return self.alarms.note_told(true);
                }
                Posted::Refused(status) => {
                    tracing::warn!(status, "the receiver of alarms refuses one, which is lost");
                    return self.alarms.note_told(false);
                }
                Posted::Later { after, why } => {
                    if !std::mem::replace(&mut self.is_away, true) {
                        tracing::warn!(why, "the receiver of alarms is away; they wait");
                    }
                    if tries < TRIES_MAX {
                        let wait = wait(tries, self.wait_min, after, chance::random());
                        tokio::time::sleep(wait).await;
                    }
                }
            }
        }
        tracing::warn!(
            tries = TRIES_MAX,
            "the receiver of alarms did not take one, which is lost"
        );
        self.alarms.note_told(false);
    }
}

#[cfg(test)]
mod tests;
