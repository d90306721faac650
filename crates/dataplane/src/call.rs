//! One call under way: everything that its phases share.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use bourse_ledger::record::EXTRA_BYTES_MAX;
use bourse_ledger::who_pays::End;
use bourse_vocab::chat::Loss;
use bourse_vocab::trace::{Parent, span_id};
use bourse_vocab::{GenerationId, Nanos};
use bourse_wire::Stamp;
use serde_json::json;

use crate::admission::InFlight;
use crate::ask::Ask;
use crate::attempts::Attempt;
use crate::cache::Keeping;
use crate::cache::recording::Recording;
use crate::endpoints::{ClientRequest, Endpoint};
use crate::gateway::Gateway;
use crate::limit::Limit;
use crate::line::Witness;
use crate::market::{Market, Target};
use crate::phases::admit::Admitted;
use crate::phases::plan::{Decision, Plan};
use crate::progress::Progress;
use crate::unknown::Who;

/// How much a record says of what was lost: some dozens of losses. Labels have
/// the rest of the room that a record has for both.
const LOSSES_BYTES_MAX: usize = 4_096;
/// The name of the member, and what stands around it.
const AROUND_BYTES: usize = 32;

/// What the call and whoever waits for it tell each other.
#[derive(Debug)]
pub struct Status {
    /// Who waits.
    who: Who,
    /// The provider that is being called bills an answer even if nobody
    /// reads it, so it should be read.
    pub drain: AtomicBool,
    /// The client has left and the call goes on by itself: it finishes what is
    /// under way and starts nothing new.
    detached: AtomicBool,
    /// What the provider that is being called may charge for the input, in
    /// nano-dollars; nothing before one is called.
    input_nanos: AtomicI64,
}

impl Status {
    /// Of a call that has just begun.
    #[must_use]
    pub const fn new(who: Who) -> Self {
        Self {
            who,
            drain: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            input_nanos: AtomicI64::new(0),
        }
    }

    /// Notes that a provider is called that may charge so much for the input.
    pub fn is_at_stake(&self, input: Nanos) {
        self.input_nanos.store(input.0, Relaxed);
    }

    /// Whether the search for an answer goes on although the client has left:
    /// the provider bills anyway, or has too often been left.
    #[must_use]
    pub fn outlasts_its_client(&self, gateway: &Gateway) -> bool {
        let input = Nanos(self.input_nanos.load(Relaxed));
        let unknown = &gateway.unknown;
        self.drain.load(Relaxed) || !unknown.may_leave(self.who, input, gateway.clock.now_ms())
    }

    /// Notes that the client has left and the call goes on by itself.
    pub fn detach(&self) {
        self.detached.store(true, Relaxed);
    }

    /// Whether the call goes on without its client.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        self.detached.load(Relaxed)
    }
}

/// One call under way.
pub struct Call {
    /// What every worker shares.
    pub gateway: Arc<Gateway>,
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
    pub ask: Box<Ask>,
    /// See [`Status`].
    pub status: Arc<Status>,
    /// Where its worker keeps how far streams have come.
    pub progress: Arc<Progress>,
    /// What the chosen target could not be told.
    pub losses: Vec<Loss>,
    /// Why its targets were chosen, where the caller asks for that.
    pub decision: Option<Box<Decision>>,
    /// How its answer is kept, where the caller asks for that.
    pub keeping: Option<Box<Keeping>>,
    /// Who keeps its answer before it is settled, if it is a line of a batch.
    pub witness: Option<Arc<dyn Witness>>,
    /// Counts it as under way.
    pub in_flight: InFlight,
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

    /// The request in a way that its answer is taken down, if that is to be
    /// kept.
    #[must_use]
    pub fn recorded(&self, request: &Arc<dyn ClientRequest>) -> Option<Arc<dyn ClientRequest>> {
        self.keeping.as_ref()?;
        Some(Arc::new(Recording {
            request: Arc::clone(request),
            underway: Arc::clone(&self.gateway.cache.underway),
        }))
    }

    /// The span that the attempt at this place, from 1, is in the trace of the
    /// caller, if they have one.
    #[must_use]
    pub fn span_of_attempt(&self, place: usize) -> Option<Parent> {
        let caller = self.ask.attribution.trace?;
        Some(Parent {
            span: span_id(self.id, place as u64),
            ..caller
        })
    }

    /// The limit that was set because of the money, and what helps against it.
    fn output_limit(&self, chosen: &Target, limit: Limit) -> Option<serde_json::Value> {
        let tokens = limit.set_for(self.market.endpoint(chosen))?;
        Some(json!({
            "max_tokens": tokens,
            "reason": "The request sets no limit, and the balance does not cover all that the model may say.",
            "remedy_hint": "Add credits, or set max_tokens to what the answer may take.",
        }))
    }

    /// Why the targets were chosen and what came of each attempt: what
    /// OpenRouter's members do not say.
    fn explained(&self, plan: &Plan, attempts: &[Attempt]) -> Option<serde_json::Value> {
        let is_planned = |target: &Arc<Target>| plan.targets().any(|one| Arc::ptr_eq(one, target));
        let mut told = self.decision.as_ref()?.told(&self.market, is_planned);
        let attempts: Vec<_> = attempts
            .iter()
            .map(|tried| tried.told(self.started_ms))
            .collect();
        told.as_object_mut()?
            .insert("attempts".to_owned(), attempts.into());
        Some(told)
    }

    /// What `GET /generation` tells of a call beside what every record has: the
    /// caller's labels, and what was lost in translation.
    #[must_use]
    pub fn more_of_it(&self) -> Cow<'_, str> {
        let labels = &*self.ask.attribution.labels;
        // Of more than a record has room for it keeps nothing.
        let room = EXTRA_BYTES_MAX.saturating_sub(labels.len().saturating_add(AROUND_BYTES));
        let room = room.min(LOSSES_BYTES_MAX);
        let mut losses = self.losses.as_slice();
        // The last ones go first: a conversation of a thousand turns may lose
        // something in each.
        let told = loop {
            let told = serde_json::to_string(losses).unwrap_or_default();
            if losses.is_empty() {
                return Cow::Borrowed(labels);
            }
            if told.len() <= room {
                break told;
            }
            losses = losses.split_at(losses.len() / 2).0;
        };
        let rest = labels.strip_prefix('{').unwrap_or("}");
        let comma = if rest == "}" { "" } else { "," };
        Cow::Owned(format!("{{\"translation_losses\":{told}{comma}{rest}"))
    }

    /// `openrouter_metadata`: how the call was routed, and what was lost in
    /// translation. What is not OpenRouter's is in `bourse`, but for the losses
    /// and the limit.
    #[must_use]
    pub fn metadata(
        &self,
        chosen: &Target,
        plan: &Plan,
        attempts: &[Attempt],
        limit: Limit,
    ) -> serde_json::Value {
        let slug = |target: &Target| self.market.catalog.model(target.model).slug.to_string();
        let available: Vec<_> = plan
            .targets()
            .map(|target| {
                json!({
                    "provider": &*target.provider.name,
                    "model": slug(target),
                    "selected": chosen.id == target.id,
                })
            })
            .collect();
        let bourse = self.explained(plan, attempts);
        let continued = attempts
            .iter()
            .find(|tried| tried.end == Some(End::Continued))
            .map(
                |broke| json!({"from": &*broke.target.provider.name, "by": &*chosen.provider.name}),
            );
        let attempt = |target: &Target, status: u16| {
            json!({
                "provider": &*target.provider.name,
                "model": slug(target),
                "status": status,
            })
        };
        // A stream is stamped before its first byte: if that is read at all,
        // the attempt that is under way has answered.
        let attempts: Vec<_> = attempts
            .iter()
            .map(|tried| {
                let status = tried.end.map_or(200, |_| tried.status);
                attempt(&tried.target, status)
            })
            .collect();
        let requested = self.ask.models.first().cloned().unwrap_or_default();
        let selected = &*chosen.provider.name;
        let fell_back = self
            .market
            .catalog
            .resolve(&requested)
            .is_none_or(|r| r.model != chosen.model);
        let mut told = json!({
            "requested": requested,
            "strategy": if fell_back { "fallback" } else { "direct" },
            "region": null,
            "summary": format!("available={}, selected={selected}", available.len()),
            "attempt": attempts.len().max(1),
            "attempts": attempts,
            "is_byok": false,
            "endpoints": { "total": available.len(), "available": available },
            "translation_losses": self.losses,
            "output_limit": self.output_limit(chosen, limit),
            "bourse": bourse,
        });
        if let (Some(continued), Some(told)) = (continued, told.as_object_mut()) {
            told.insert("continuation".to_owned(), continued);
        }
        told
    }
}
