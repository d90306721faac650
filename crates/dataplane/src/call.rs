//! One call under way: everything that its phases share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bourse_net::Client;
use bourse_vocab::chat::Loss;
use bourse_vocab::{Failure, FailureKind, GenerationId};
use bourse_wire::Stamp;
use serde_json::json;

use crate::ask::Ask;
use crate::endpoints::Endpoint;
use crate::facts::span_ms;
use crate::gateway::Gateway;
use crate::market::{Market, Target};
use crate::phases::admit::Admitted;
use crate::phases::plan::Plan;
use crate::relay::Report;

/// What the call and whoever waits for it tell each other.
#[derive(Debug, Default)]
pub struct Status {
    /// The provider that is being called bills an answer even if nobody
    /// reads it, so it should be read.
    pub drain: AtomicBool,
    /// The client has left: finish what is under way and start nothing new.
    pub client_left: AtomicBool,
}

impl Status {
    /// Whether the client has left.
    #[must_use]
    pub fn client_left(&self) -> bool {
        self.client_left.load(Relaxed)
    }
}

/// One try, for the record.
#[derive(Clone)]
pub struct Tried {
    /// Who was tried.
    pub target: Arc<Target>,
    /// Milliseconds since 1970 at which the request was sent.
    pub sent_ms: u64,
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// What went wrong, if anything did.
    pub failure: Option<FailureKind>,
    /// The provider's id for the request, where it told one with an error.
    pub request_id: Option<Box<str>>,
    /// Milliseconds from sending to the head of the answer; 0 without one.
    pub head_ms: u32,
    /// Milliseconds from sending to the first content, or to giving up.
    pub latency_ms: u32,
    /// Whether the provider may charge for it although it failed.
    pub may_be_charged: bool,
}

/// One call under way.
pub struct Call {
    /// What every worker shares.
    pub gateway: Arc<Gateway>,
    /// This worker's connections.
    pub client: Client,
    /// What the call chooses from: the market of its first moment.
    pub market: Arc<Market>,
    /// Its id.
    pub id: GenerationId,
    /// The id, printed.
    pub id_text: Arc<str>,
    /// Milliseconds since 1970 at which it began.
    pub started_ms: u64,
    /// Who calls.
    pub admitted: Admitted,
    /// What the client speaks.
    pub endpoint: &'static dyn Endpoint,
    /// What they ask.
    pub ask: Ask,
    /// See [`Status`].
    pub status: Arc<Status>,
    /// Tries so far.
    pub tried: Vec<Tried>,
    /// What the chosen target could not be told.
    pub losses: Vec<Loss>,
}

impl Call {
    /// What a reply by `target` carries besides its content.
    #[must_use]
    pub fn stamp<'a>(&'a self, target: &'a Target, metadata: Option<&'a str>) -> Stamp<'a> {
        Stamp {
            id: &self.id_text,
            model: &self.market.catalog.model(target.model).slug,
            provider: &target.provider.name,
            created: self.started_ms / 1000,
            metadata,
        }
    }

    /// `openrouter_metadata`: how the call was routed, and what was lost in
    /// translation.
    #[must_use]
    pub fn metadata(&self, chosen: &Target, plan: &Plan) -> serde_json::Value {
        let slug = |target: &Target| self.market.catalog.model(target.model).slug.to_string();
        let available: Vec<_> = plan
            .targets()
            .map(|target| {
                json!({
                    "provider": &*target.provider.name,
                    "model": slug(target),
                    "selected": chosen.endpoint == target.endpoint,
                })
            })
            .collect();
        let attempt = |target: &Target, status: u16| {
            json!({
                "provider": &*target.provider.name,
                "model": slug(target),
                "status": status,
            })
        };
        let mut attempts: Vec<_> = self
            .tried
            .iter()
            .map(|tried| attempt(&tried.target, tried.status))
            .collect();
        // A stream is stamped before its attempt is noted: if it is read at
        // all, that attempt answered.
        if self.tried.last().is_none_or(|last| last.status != 200) {
            attempts.push(attempt(chosen, 200));
        }
        let requested = self.ask.models.first().cloned().unwrap_or_default();
        let selected = &*chosen.provider.name;
        let fell_back = self
            .market
            .catalog
            .resolve(&requested)
            .is_none_or(|r| r.model != chosen.model);
        json!({
            "requested": requested,
            "strategy": if fell_back { "fallback" } else { "direct" },
            "region": null,
            "summary": format!("available={}, selected={selected}", available.len()),
            "attempt": attempts.len().max(1),
            "attempts": attempts,
            "is_byok": false,
            "endpoints": { "total": available.len(), "available": available },
            "translation_losses": self.losses,
        })
    }

    /// When the first attempt was sent, in milliseconds since 1970.
    #[must_use]
    pub fn dispatched_ms(&self) -> Option<u64> {
        self.tried.first().map(|tried| tried.sent_ms)
    }

    /// Notes that an attempt that was sent at `sent_ms` failed at `at_ms`.
    pub fn note_failure(
        &mut self,
        target: &Arc<Target>,
        failure: &Failure,
        (sent_ms, at_ms): (u64, u64),
        may_be_charged: bool,
    ) {
        let upstream = failure.upstream.as_deref();
        let status = upstream.and_then(|upstream| upstream.status).unwrap_or(0);
        let latency_ms = span_ms(sent_ms, at_ms);
        self.tried.push(Tried {
            target: Arc::clone(target),
            sent_ms,
            status,
            failure: Some(failure.kind),
            request_id: upstream
                .and_then(|upstream| upstream.request_id.as_deref())
                .map(Into::into),
            // A status is the head of an answer.
            head_ms: if status == 0 { 0 } else { latency_ms },
            latency_ms,
            may_be_charged,
        });
    }

    /// Notes that an attempt that was sent at `sent_ms` began to answer at
    /// `at_ms`; the head of its answer had come at `head_at_ms`.
    pub fn note_answer(&mut self, target: &Arc<Target>, sent_ms: u64, head_at_ms: u64, at_ms: u64) {
        self.tried.push(Tried {
            target: Arc::clone(target),
            sent_ms,
            status: 200,
            failure: None,
            request_id: None,
            head_ms: span_ms(sent_ms, head_at_ms),
            latency_ms: span_ms(sent_ms, at_ms),
            may_be_charged: false,
        });
    }
}

/// What the end of a call is settled by.
#[derive(Clone)]
pub struct Delivered {
    /// The target that answered.
    pub target: Arc<Target>,
    /// What was learned from its answer.
    pub report: Report,
    /// Milliseconds since 1970 at which the request was sent.
    pub sent_ms: u64,
    /// Milliseconds from sending to the first content.
    pub first_content_ms: u64,
}
