//! Films: asking after jobs that providers have taken, settling them, and
//! telling callbacks.
//!
//! One loop looks for what is due; each job that is gets a task of its own, one
//! at a time. Every step is written down before the next: an outcome before it
//! is paid for, a payment before anybody is told. So whoever is killed in
//! between goes on where it was, and the books say whether a payment has
//! happened ([`bourse_dataplane::videos::settle`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bourse_dataplane::chance;
use bourse_dataplane::gateway::Gateway;
use bourse_dataplane::videos::follow::{self, Answer};
use bourse_dataplane::videos::settle::{self, Settled};
use bourse_dataplane::videos::{Job, Outcome, Taken};
use bourse_net::Upstream;
use bourse_store::{Store, StoreError, VideoRow, VideoState};
use bourse_vocab::videos::Progress;
use bourse_vocab::{AccountId, GenerationId, Nanos};
use bourse_wire::videos::reply::Told;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use crate::BoxFuture;

/// How often it is looked what is due.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// The same once nothing was for [`QUIET`]: most servers make no films, and
/// each look asks the database.
const LOOKS_SELDOM: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(10);
/// Jobs that are asked after at once. A question takes a moment; what waits is
/// asked a moment later.
const AT_ONCE: usize = 32;
/// The longest time between two questions after a job, also where a provider
/// asks for more: its film may be there for an hour only.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How often in a row a provider does not know a job until that is believed: it
/// may have been asked too soon, or at another of its places.
const FORGOTTEN_MAX: u32 = 5;
/// How often a callback is called: for some three hours.
const TELLINGS_MAX: u32 = 12;
/// The wait after the first time, doubled each time.
const TELL_WAIT: Duration = Duration::from_secs(5);
/// The longest such wait.
const TELL_WAIT_MAX: Duration = Duration::from_secs(3_600);
/// When a job is looked at again that somebody is about to send.
const SENDING_WAIT: Duration = Duration::from_secs(60);
/// When the journal or the database is tried again.
const RETRIES_EVERY: Duration = Duration::from_secs(5);
/// How often old jobs are forgotten, and how many at once.
const FORGETS_EVERY: Duration = Duration::from_secs(600);
const FORGETS: u64 = 256;

/// Bounds of films.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoLimits {
    /// The time between two questions after a job in its first minutes.
    pub ask_every: Duration,
    /// After so long nobody asks any more.
    pub give_up_after: Duration,
    /// For how long it is known what became of a job, in milliseconds.
    pub keep_ms: u64,
}

/// What came of calling a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It has the message.
    Taken,
    /// It may take it later.
    Later {
        /// When, if it said.
        after: Option<Duration>,
        /// Why not now.
        why: String,
    },
    /// It never will.
    Refused(String),
}

/// Who calls callbacks.
pub trait Teller: Send + Sync {
    /// Sends a message of an account's, signed with its secret.
    fn tell(
        &self,
        account: AccountId,
        url: String,
        id: String,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Posted>;
}

/// What follows jobs.
pub struct Followers<U> {
    /// What all workers share.
    pub gateway: Arc<Gateway>,
    /// Where jobs are kept.
    pub store: Arc<dyn Store>,
    /// Connections to providers.
    pub client: U,
    /// Who calls callbacks.
    pub teller: Arc<dyn Teller>,
    /// Bounds.
    pub limits: VideoLimits,
}

/// What a client is told of a job.
#[must_use]
pub fn told<'a>(id: &'a str, row: &VideoRow, job: &'a Job) -> Told<'a> {
    let status = match row.state {
        VideoState::Submitting => "pending",
        VideoState::Running if job.asked == 0 => "pending",
        VideoState::Running | VideoState::Settling => "in_progress",
        VideoState::Completed => "completed",
        VideoState::Failed => "failed",
        VideoState::Expired => "expired",
    };
    let (error, films) = match &job.outcome {
        Some(Outcome::Made { places, .. }) if row.state == VideoState::Completed => {
            (None, places.len())
        }
        Some(Outcome::Failed { why, .. } | Outcome::Lost { why }) if row.state.is_ended() => {
            (Some(why.as_str()), 0)
        }
        _ => (None, 0),
    };
    Told {
        id,
        status,
        model: job
            .taken
            .as_ref()
            .map_or(&job.requested, |taken| &taken.model),
        error,
        films,
        cost: job.paid.map(Nanos),
        callback: job.callback.as_ref().map(|_| match job.told {
            Some(true) => "delivered",
            Some(false) => "failed",
            None => "pending",
        }),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl<U: Upstream + Clone + Send + Sync + 'static> Followers<U> {
    /// Follows jobs until told to stop. What is under way then is let go of: it
    /// is written down as far as it had come.
    pub async fn keep_following(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let mut busy = Busy::default();
        let mut stopped = std::pin::pin!(stopped(stop));
        let mut forget_at = Instant::now();
        let mut quiet_since = Instant::now();
        loop {
            busy.forget_ended();
            self.begin_due(&mut busy).await;
            if !busy.ids.is_empty() {
                quiet_since = Instant::now();
            }
            let pause = match quiet_since.elapsed() < QUIET {
                true => LOOKS_EVERY,
                false => LOOKS_SELDOM,
            };
            if Instant::now() >= forget_at {
                forget_at = Instant::now() + FORGETS_EVERY;
                self.forget_old().await;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = &mut stopped => break,
            }
        }
        busy.tasks.shutdown().await;
    }

    async fn begin_due(self: &Arc<Self>, busy: &mut Busy) {
        let room = AT_ONCE.saturating_sub(busy.ids.len());
        if room == 0 {
            return;
        }
        let now_ms = self.now_ms();
        let due = match self.store.videos_due(now_ms, AT_ONCE as u64).await {
            Ok(due) => due,
            Err(error) => {
                tracing::debug!(%error, "jobs cannot be looked up");
                return;
            }
        };
        for row in due.into_iter().take(room) {
            let id = row.id;
            if !busy.ids.insert(id) {
                continue;
            }
            let followers = Arc::clone(self);
            let task = busy.tasks.spawn(async move {
                if let Err(error) = followers.step(row).await {
                    tracing::debug!(%id, %error, "a job does not go on; it is tried again");
                    tokio::time::sleep(RETRIES_EVERY).await;
                }
            });
            busy.by_task.insert(task.id(), id);
        }
    }

    async fn forget_old(&self) {
        let before_ms = self.now_ms().saturating_sub(self.limits.keep_ms);
        if let Err(error) = self.store.forget_videos(before_ms, FORGETS).await {
            tracing::debug!(%error, "old jobs cannot be forgotten; it is tried again");
        }
    }

    fn now_ms(&self) -> u64 {
        self.gateway.clock.now_ms()
    }

    fn due_in(&self, wait: Duration) -> u64 {
        self.now_ms().saturating_add(millis(wait))
    }

    /// Does what is due of a job.
    async fn step(&self, mut row: VideoRow) -> Result<(), StoreError> {
        let Ok(mut job) = Job::read(&row.job) else {
            tracing::error!(id = %row.id, "what is written of a job cannot be read; it is let be");
            row.is_open = false;
            self.store.save_video(row).await?;
            return Ok(());
        };
        match row.state {
            VideoState::Submitting => self.look_for(row, job).await,
            VideoState::Running => match job.taken.clone() {
                Some(taken) => {
                    let is_known = self.ask(&mut row, &mut job, &taken).await;
                    self.save(&mut row, &job).await?;
                    if is_known {
                        self.settle(row, job).await?;
                    }
                    Ok(())
                }
                None => self.look_for(row, job).await,
            },
            VideoState::Settling => self.settle(row, job).await,
            VideoState::Completed | VideoState::Failed | VideoState::Expired => {
                self.tell(row, job).await
            }
        }
    }

    async fn save(&self, row: &mut VideoRow, job: &Job) -> Result<(), StoreError> {
        row.job = job.write();
        self.store.save_video(row.clone()).await?;
        Ok(())
    }

    /// What was about to be sent: by a server that lives it still is, after a
    /// restart nobody knows, and the money was given back with the question.
    async fn look_for(&self, mut row: VideoRow, mut job: Job) -> Result<(), StoreError> {
        if self.is_held(&row) {
            row.due_at_ms = self.due_in(SENDING_WAIT);
        } else {
            let why = "The server was stopped when the job was being sent; it was not sent again";
            job.outcome = Some(Outcome::Lost {
                why: why.to_owned(),
            });
            job.paid = Some(0);
            row.state = VideoState::Failed;
            row.is_open = false;
        }
        self.save(&mut row, &job).await
    }

    fn is_held(&self, row: &VideoRow) -> bool {
        let books = self.gateway.till.books();
        let purse = books.look(row.account, || ());
        purse.is_some_and(|purse| purse.running.iter().any(|call| call.id == row.id))
    }

    /// Asks after a job; whether it is known now what became of it.
    async fn ask(&self, row: &mut VideoRow, job: &mut Job, taken: &Taken) -> bool {
        let answer = follow::ask(&self.gateway, &self.client, taken).await;
        job.asked = job.asked.saturating_add(1);
        let mut wait = self.wait(row, job);
        match answer {
            Answer::Progress(progress) => {
                (job.unanswered, job.forgotten) = (0, 0);
                match progress {
                    Progress::Waiting | Progress::Working => {}
                    Progress::Done(made) => job.outcome = Some(made.into()),
                    Progress::Failed { why, is_refusal } => {
                        job.outcome = Some(Outcome::Failed { why, is_refusal });
                    }
                }
            }
            Answer::Later { after, why } => {
                tracing::debug!(id = %row.id, why, "a job could not be asked after");
                job.unanswered = job.unanswered.saturating_add(1);
                let doubled = wait.saturating_mul(1 << job.unanswered.min(6));
                wait = after.unwrap_or(doubled).max(wait);
            }
            Answer::Forgotten => job.forgotten = job.forgotten.saturating_add(1),
        }
        if job.outcome.is_none() {
            job.outcome = self.given_up(row, job);
        }
        let is_known = job.outcome.is_some();
        if is_known {
            row.state = VideoState::Settling;
            wait = Duration::ZERO;
        }
        row.due_at_ms = self.due_in(wait.min(WAIT_MAX));
        is_known
    }

    /// That nobody asks any more, if that is so.
    fn given_up(&self, row: &VideoRow, job: &Job) -> Option<Outcome> {
        let age = self.now_ms().saturating_sub(row.created_at_ms);
        let why = if job.forgotten >= FORGOTTEN_MAX {
            "The provider does not know the job any more"
        } else if age >= millis(self.limits.give_up_after) {
            "The provider did not say in time what became of the job"
        } else {
            return None;
        };
        tracing::warn!(id = %row.id, why, "a job is given up: what its provider may charge is a question for reconciliation");
        Some(Outcome::Lost {
            why: why.to_owned(),
        })
    }

    /// How long to wait for the next question: the older a job is the longer, at
    /// most a minute, with a jitter of a quarter.
    fn wait(&self, row: &VideoRow, job: &Job) -> Duration {
        let since = job
            .taken
            .as_ref()
            .map_or(row.created_at_ms, |taken| taken.taken_ms);
        let age = Duration::from_millis(self.now_ms().saturating_sub(since));
        let least = self.limits.ask_every;
        let wait = (age / 20).clamp(least, least.max(Duration::from_secs(60)));
        wait.mul_f64(1.0 + chance::random::<f64>().clamp(0.0, 1.0) / 4.0)
    }

    /// Pays for a job, and notes that it is paid for.
    async fn settle(&self, mut row: VideoRow, mut job: Job) -> Result<(), StoreError> {
        let (Some(taken), Some(outcome)) = (job.taken.clone(), job.outcome.clone()) else {
            return self.look_for(row, job).await;
        };
        let settled = settle::settle(&self.gateway, &row, (&job, &taken, &outcome));
        job.paid = match settled {
            Settled::Now(paid) => Some(paid.0),
            Settled::Before => match self.paid_before(row.id).await? {
                Some(paid) => Some(paid.0),
                // The database has not taken it over yet.
                None => {
                    row.due_at_ms = self.due_in(RETRIES_EVERY);
                    return self.save(&mut row, &job).await;
                }
            },
            Settled::NotYet => {
                row.due_at_ms = self.due_in(RETRIES_EVERY);
                return self.save(&mut row, &job).await;
            }
        };
        row.state = match outcome {
            Outcome::Made { .. } => VideoState::Completed,
            Outcome::Failed { .. } => VideoState::Failed,
            Outcome::Lost { .. } => VideoState::Expired,
        };
        row.is_open = job.callback.is_some();
        row.due_at_ms = self.now_ms();
        self.save(&mut row, &job).await?;
        tracing::info!(id = %row.id, state = row.state.name(), "a job has ended");
        Ok(())
    }

    /// What was paid for a job that was settled before; `None` if that is not
    /// known yet.
    async fn paid_before(&self, id: GenerationId) -> Result<Option<Nanos>, StoreError> {
        let spool = self.gateway.till.spool();
        if spool.applied() < spool.written() {
            return Ok(None);
        }
        let row = self.store.generation(id).await?;
        Ok(Some(row.map_or(Nanos::ZERO, |row| row.paid)))
    }

    /// Calls a callback.
    async fn tell(&self, mut row: VideoRow, mut job: Job) -> Result<(), StoreError> {
        let Some(url) = job.callback.clone() else {
            row.is_open = false;
            return self.save(&mut row, &job).await;
        };
        let id = row.id.to_string();
        let told = told(&id, &row, &job);
        let message = format!("{id}-{}", told.status);
        let body = told.event(self.now_ms() / 1_000);
        let posted = self.teller.tell(row.account, url, message, body).await;
        job.tellings = job.tellings.saturating_add(1);
        match posted {
            Posted::Taken => job.told = Some(true),
            Posted::Refused(why) => {
                tracing::debug!(%id, why, "a callback refuses a message");
                job.told = Some(false);
            }
            Posted::Later { why, .. } if job.tellings >= TELLINGS_MAX => {
                tracing::debug!(%id, why, "a callback did not take a message");
                job.told = Some(false);
            }
            Posted::Later { after, why } => {
                tracing::debug!(%id, why, "a callback does not take a message now");
                let doubled = 1_u32 << job.tellings.saturating_sub(1).min(16);
                let wait = after.unwrap_or(TELL_WAIT.saturating_mul(doubled));
                let wait = wait.clamp(Duration::from_secs(1), TELL_WAIT_MAX);
                let jitter = 1.0 + chance::random::<f64>().clamp(0.0, 1.0) / 4.0;
                row.due_at_ms = self.due_in(wait.mul_f64(jitter));
            }
        }
        row.is_open = job.told.is_none();
        self.save(&mut row, &job).await
    }
}

/// Jobs that something is done for: for each one thing at a time.
#[derive(Default)]
struct Busy {
    tasks: JoinSet<()>,
    by_task: HashMap<Id, GenerationId>,
    ids: HashSet<GenerationId>,
}

impl Busy {
    fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let task = ended.map_or_else(|error| error.id(), |(task, ())| task);
            if let Some(id) = self.by_task.remove(&task) {
                self.ids.remove(&id);
            }
        }
    }
}

/// Waits until the server stops.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone has stopped as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
