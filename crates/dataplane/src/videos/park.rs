//! From a call that runs to a job that is written down.

use std::time::Duration;

use bourse_ledger::video_job::{Job, Taken, lines_of};
use bourse_routing::health::Outcome as Health;
use bourse_store::{VideoRow, VideoState};
use bourse_vocab::Failure;
use bytes::Bytes;

use crate::endpoints::JobRequest;
use crate::running::Running;

/// How often it is tried to write down that a provider has taken a job: without
/// that the job is lost, and the house pays for it.
const TRIES: u32 = 5;
/// How long is waited between two tries.
const BETWEEN: Duration = Duration::from_millis(500);
/// When a job is asked after that was sent and of which nothing more was heard.
const UNHEARD: u64 = 600_000;
/// When a job is first asked after that was taken: hardly any film is made
/// sooner.
const FIRST_LOOK: u64 = 1_000;

impl Running {
    /// What is written down before anything is sent.
    fn job(&self, request: &dyn JobRequest) -> Job {
        let who = &self.call.ask.attribution;
        Job {
            requested: self.call.ask.models.first().cloned().unwrap_or_default(),
            callback: request.callback().map(str::to_owned),
            session: who.session_id.clone(),
            user: who.user.clone(),
            referer: who.referer.clone(),
            app: who.title.clone(),
            user_agent: who.user_agent.clone(),
            extra: self.call.more_of_it().into_owned(),
            started_ms: self.call.started_ms,
            ..Job::default()
        }
    }

    fn row(&self, job: &Job, state: VideoState, due_at_ms: u64) -> VideoRow {
        VideoRow {
            id: self.call.id,
            account: self.tab.account,
            state,
            is_open: !state.is_ended(),
            job: job.write(),
            created_at_ms: self.call.started_ms,
            due_at_ms,
        }
    }

    /// Writes a job down before it is sent.
    ///
    /// # Errors
    /// It may not be made, or cannot be written down: nothing is sent, and the
    /// call has ended.
    pub(crate) async fn begin_job(&mut self, request: &dyn JobRequest) -> Result<(), Failure> {
        let job = self.job(request);
        let due_at_ms = self.call.started_ms.saturating_add(UNHEARD);
        let row = self.row(&job, VideoState::Submitting, due_at_ms);
        let book = std::sync::Arc::clone(&self.call.gateway.book);
        let begun = book.begin(row, request.callback()).await;
        begun.inspect_err(|failure| self.fail(failure))
    }

    /// Writes down that nobody has taken a job. What cannot be written now is
    /// found later.
    pub(crate) async fn drop_job(&self, request: &dyn JobRequest) {
        let job = self.job(request);
        let now_ms = self.call.gateway.clock.now_ms();
        let row = self.row(&job, VideoState::Failed, now_ms);
        let saved = self.call.gateway.book.save(row).await;
        if let Err(failure) = saved {
            tracing::debug!(id = %self.call.id, why = failure.inside.as_deref(), "a job that nobody took is still noted");
        }
    }

    /// Writes down that a provider has taken a job under this name. The call is
    /// over, its money stays set aside.
    ///
    /// # Errors
    /// It cannot be written down. The call has ended without a charge, and what
    /// the provider may charge is a question.
    pub(crate) async fn park(
        mut self,
        request: &dyn JobRequest,
        name: String,
    ) -> Result<Bytes, Failure> {
        let now_ms = self.call.gateway.clock.now_ms();
        let taken = self
            .taken(request, name, now_ms)
            .inspect_err(|failure| self.fail(failure))?;
        let job = Job {
            taken: Some(taken),
            ..self.job(request)
        };
        let row = self.row(&job, VideoState::Running, now_ms.saturating_add(FIRST_LOOK));
        let book = std::sync::Arc::clone(&self.call.gateway.book);
        let mut saved = book.save(row.clone()).await;
        for _ in 1..TRIES {
            if saved.is_ok() {
                break;
            }
            tokio::time::sleep(BETWEEN).await;
            saved = book.save(row.clone()).await;
        }
        saved.inspect_err(|failure| self.fail(failure))?;
        // Nothing is awaited from here on: either all of it has happened, or none.
        if self.begin_end() {
            self.note_taken(now_ms);
        }
        tracing::info!(id = %self.call.id, endpoint = %self.target().id, "a provider has taken a job");
        Ok(request.taken(&self.call.id_text))
    }

    fn taken(&self, request: &dyn JobRequest, name: String, now_ms: u64) -> Result<Taken, Failure> {
        let (market, target) = (&self.call.market, self.target());
        let endpoint = market.endpoint(target);
        let way = target.way(|way| self.call.endpoint.rank(way));
        let way =
            way.ok_or_else(|| Failure::server("a job was taken by a way that there is not"))?;
        let (ordered_ms, tier, shape) = request.order(way, &endpoint.upstream_model)?;
        let (last, earlier) = match self.attempts.split_last() {
            Some((last, earlier)) => (Some(last), earlier),
            None => (None, self.attempts.as_slice()),
        };
        Ok(Taken {
            provider: target.provider.slug.to_string(),
            provider_name: target.provider.name.to_string(),
            endpoint: target.id.to_string(),
            credential: target.credential,
            model: market.catalog.model(target.model).slug.to_string(),
            shape: shape.name().to_owned(),
            name,
            ordered_ms,
            lines: lines_of(tier),
            prices: market.prices(target).base,
            markup_ppm: market.markup_ppm,
            price_book: market.catalog.version(),
            refused_by: earlier
                .iter()
                .map(|attempt| attempt.target.provider.slug.to_string())
                .collect(),
            sent_ms: last.map_or(now_ms, |attempt| attempt.dispatched_ms),
            taken_ms: now_ms,
        })
    }

    /// Tells the target's health that it answers.
    fn note_taken(&mut self, now_ms: u64) {
        let Some(attempt) = self.attempts.last_mut() else {
            return;
        };
        attempt.ended_ms = Some(now_ms);
        let ticket = attempt.take_ticket();
        let outcome = Health::Success {
            first_token_ms: attempt.latency_ms(now_ms),
            tokens: 0,
            total_ms: now_ms.saturating_sub(attempt.dispatched_ms).max(1),
        };
        attempt.note(ticket, now_ms, outcome, &self.call.gateway.alarms);
        attempt.target.metrics.count(outcome);
    }
}
