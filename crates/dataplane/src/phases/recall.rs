//! Was the same call answered before, and may its caller have that answer.
//!
//! Whoever asks for the cache has been let in like everybody else, and its
//! request was read. An answer that is kept is theirs if the endpoint that gave
//! it may still serve this call, by the market of this moment, and if what it
//! cost then could be set aside now: a balance that is used up and a limit that
//! is reached refuse what they would refuse without a cache. Whether the endpoint
//! is well is no question, because it is not asked.
//!
//! A hit costs nothing and is booked all the same, as a call of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bourse_ledger::record::{Facts, Flags, Settlement};
use bourse_routing::arrange::Lot;
use bourse_vocab::{Bill, Failure, GenerationId, Nanos, Usage};
use bourse_wire::Stamp;
use bytes::Bytes;

use super::admit::Admitted;
use super::plan::{Wanted, may_serve};
use crate::ask::Ask;
use crate::bodies::Room;
use crate::cache::fingerprint::{Digest, Owner};
use crate::cache::flights::{Joined, Leader, Turn};
use crate::cache::shelf::Answer;
use crate::cache::told;
use crate::cache::{Asked, Keeping};
use crate::endpoints::{ClientRequest, Endpoint};
use crate::gateway::Gateway;
use crate::market::{Market, Target};
use crate::relay::Feed;
use crate::replies;
use crate::tab::Tab;

/// A call that was read, before anything is set aside for it.
pub struct Asking<'a> {
    /// What every worker shares.
    pub gateway: &'a Arc<Gateway>,
    /// What it would choose from.
    pub market: &'a Arc<Market>,
    /// What its client speaks.
    pub endpoint: &'static dyn Endpoint,
    /// What it asks.
    pub ask: &'a Ask,
    /// How that was said.
    pub request: &'a dyn ClientRequest,
    /// Whether it points to an address that only some providers are sent.
    pub private_url: bool,
    /// Who calls.
    pub admitted: &'a Admitted,
    /// Its id.
    pub id: GenerationId,
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
}

/// What came of it.
pub enum Recalled {
    /// The same call was answered before.
    Hit(Hit),
    /// It was not, and what comes of this one may be kept.
    Miss(Box<Keeping>),
}

/// An answer that was kept, told once more.
pub struct Hit {
    /// How it is told.
    pub answer: Told,
    /// What it takes until its client has it.
    pub room: Room,
    /// What the head of the reply says.
    pub head: told::Hit,
}

/// How an answer is told once more.
pub enum Told {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece: what the provider sent, and what turns it into the
    /// client's.
    Stream(Bytes, Box<dyn Feed>),
}

impl Asking<'_> {
    /// What it asks for, as far as choosing is concerned.
    #[must_use]
    pub fn wanted(&self, lot: Lot) -> Wanted<'_> {
        Wanted::of(
            self.ask,
            self.endpoint,
            self.private_url,
            lot,
            self.started_ms,
        )
    }

    /// Looks for the answer of a call. One that wishes to share waits for a
    /// call that is the same.
    ///
    /// # Errors
    /// A header cannot be read, or there is no room for the answer.
    pub async fn recall(&self, asked: &Asked) -> Result<Recalled, Failure> {
        let wish = asked.wish;
        let digest = asked.digest(self.owner(), self.endpoint, self.ask);
        let cache = &self.gateway.cache;
        let shares = wish.shares()?;
        let miss = |asked, leader| {
            let [_, no] = &cache.counters.found;
            no.fetch_add(1, Relaxed);
            Ok(Recalled::Miss(Box::new(Keeping {
                digest,
                asked,
                ttl_s: wish.ttl_s,
                leader,
            })))
        };
        if wish.clears {
            // What is under way asked before.
            return miss(cache.shelf.clear(digest, self.owner(), self.now_ms()), None);
        }
        let mut seen = cache.shelf.look(&digest, self.now_ms());
        let mut turn = None;
        if shares && seen.answer.is_none() {
            turn = Some(self.share(digest).await);
            seen = cache.shelf.look(&digest, self.now_ms());
        }
        let hit = match &seen.answer {
            Some((answer, ends_ms)) => self.hit(answer, *ends_ms)?,
            None => None,
        };
        if let Some(Shared::Waited(_)) = &turn {
            let [yes, no] = &cache.counters.shared;
            let count = if hit.is_some() { yes } else { no };
            count.fetch_add(1, Relaxed);
        }
        let Some(hit) = hit else {
            return miss(seen.asked, turn.and_then(Shared::leader));
        };
        let [yes, _] = &cache.counters.found;
        yes.fetch_add(1, Relaxed);
        Ok(Recalled::Hit(hit))
    }

    /// Waits for a call that is the same, if one is under way.
    async fn share(&self, digest: Digest) -> Shared {
        match self.gateway.cache.flights.join(digest) {
            Joined::Leads(leader) => Shared::Alone(Some(leader)),
            Joined::Crowded => Shared::Alone(None),
            Joined::Waits(waiter) => Shared::Waited(match waiter.turn().await {
                Some(Turn::Lead(leader)) => Some(leader),
                Some(Turn::Look) | None => None,
            }),
        }
    }

    /// Tells an answer once more and books that, if it is the caller's.
    fn hit(&self, answer: &Arc<Answer>, ends_ms: u64) -> Result<Option<Hit>, Failure> {
        // Nobody is chosen, so there is nothing to draw.
        let wanted = self.wanted(Lot::single(0.0));
        let Some(target) = may_serve(self.market, &wanted, &answer.endpoint) else {
            return Ok(None);
        };
        let mut room = Room::begin(&self.gateway.replies);
        room.grow(answer.text.len()).map_err(|_| replies::full())?;
        let Some(told) = self.tell(answer, target) else {
            return Ok(None);
        };
        if !self.book(answer, target) {
            return Ok(None);
        }
        let now_ms = self.now_ms();
        Ok(Some(Hit {
            answer: told,
            room,
            head: told::Hit {
                age_s: now_ms.saturating_sub(answer.made_ms) / 1_000,
                ttl_s: ends_ms.saturating_sub(now_ms).div_ceil(1_000),
                source: answer.source,
            },
        }))
    }

    /// Tells an answer with this call's id and time. `None` if its endpoint
    /// speaks something else since.
    fn tell(&self, answer: &Answer, target: &Target) -> Option<Told> {
        let way = target.way(|way| self.endpoint.rank(way))?;
        if (way.format, way.framing) != (answer.format, answer.framing) {
            return None;
        }
        let id = self.id.to_string();
        let stamp = Stamp {
            id: &id,
            model: &self.market.catalog.model(target.model).slug,
            provider: &target.provider.name,
            created: self.started_ms / 1_000,
            metadata: None,
        };
        if self.ask.stream {
            let feed = self.request.feed(way, &stamp);
            return Some(Told::Stream(answer.text.clone(), feed));
        }
        let whole = self.request.whole(way, &stamp, &answer.text).ok()?;
        let text = (whole.render)(&Usage::default(), &Bill::default());
        Some(Told::Whole(text))
    }

    /// Books a call that costs nothing, if what its answer cost could be set
    /// aside.
    fn book(&self, answer: &Answer, target: &Arc<Target>) -> bool {
        let Owner { account, key } = self.owner();
        let at_ms = self.now_ms();
        let opened = Tab::open(
            &self.gateway.till,
            self.id,
            (account, key),
            (Nanos::ZERO, answer.charge),
            at_ms,
            (self.market, target),
        );
        let Ok(tab) = opened else {
            return false;
        };
        let who = &self.ask.attribution;
        let model: &str = &self.market.catalog.model(target.model).slug;
        let asked = self.ask.models.first().map_or("", String::as_str);
        tab.settle(&Settlement {
            id: self.id,
            account,
            at_ms,
            charge: Nanos::ZERO,
            costs: Vec::new(),
            possible: Vec::new(),
            facts: Facts {
                model,
                provider: &target.provider.slug,
                provider_name: &target.provider.name,
                endpoint: &target.id,
                requested: if asked == model { "" } else { asked },
                session_id: &who.session_id,
                user: &who.user,
                extra: &who.labels,
                finish: answer.finish,
                native_finish: &answer.native_finish,
                referer: &who.referer,
                app: &who.title,
                user_agent: &who.user_agent,
                service_tier: &answer.service_tier,
                flags: Flags {
                    streamed: self.ask.stream,
                    ..Flags::default()
                },
                cache_source: Some(answer.source),
                ..Facts::default()
            },
        });
        true
    }

    fn owner(&self) -> Owner {
        self.admitted.key.principal().into()
    }

    fn now_ms(&self) -> u64 {
        self.gateway.clock.now_ms()
    }
}

/// How a call stands to those that are the same.
enum Shared {
    /// Nobody was waited for.
    Alone(Option<Leader>),
    /// Somebody was. With a leader, those behind it wait for this one now.
    Waited(Option<Leader>),
}

impl Shared {
    fn leader(self) -> Option<Leader> {
        match self {
            Self::Alone(leader) | Self::Waited(leader) => leader,
        }
    }
}
