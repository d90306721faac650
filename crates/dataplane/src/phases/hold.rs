//! Setting aside the most that a call can cost.
//!
//! The most is known before anything is sent: what the prompt contains bounds
//! its tokens, no answer is longer than the limit that the provider is told,
//! thoughts included, and of the targets that may be tried the dearest
//! counts. Where the caller sets no limit, all that the model may say is set
//! aside if the purse has plenty; otherwise as much as such answers take,
//! within a fair share of what is left, and that is the limit which the
//! provider is told ([`offers`]).

pub mod offers;

use std::sync::Arc;

use bourse_catalog::Endpoint;
use bourse_ledger::price;
use bourse_ledger::{Exhausted, Refusal, Subject};
use bourse_store::TillError;
use bourse_vocab::{Failure, Nanos};
use tokio::time::{Instant, timeout_at};

use super::plan::Plan;
use crate::ask::Ask;
use crate::call::Call;
use crate::limit::Limit;
use crate::market::context_length;
use crate::refusing::Refusing;
use crate::running::Running;
use crate::tab::Tab;
use crate::waiting::WAIT;
use offers::{Offers, SHARES};

/// Input tokens, as well as can be told without the provider's tokenizer;
/// `text` is what is known of the text.
#[must_use]
pub fn prompt_estimate(ask: &Ask, endpoint: &Endpoint, text: Option<u64>) -> u64 {
    let context = context_length(endpoint);
    price::prompt_tokens_estimate_of(&ask.facts, text, &endpoint.image_tokens, context)
}

/// Reserves the upper bound of the call's cost; on refusal says how many
/// tokens the balance covers. From here on the call has an end.
///
/// # Errors
/// Too little money, also after a while, an unknown price, or a journal that
/// takes no more.
pub async fn hold(call: Box<Call>, plan: &mut Plan) -> Result<Running, Failure> {
    let opened = Opening::new(&call, plan).open().await;
    let (tab, limit) = opened.map_err(|failure| {
        let model = call.market.catalog.model(plan.first().model);
        let refusing = Refusing::new(&call.gateway, call.id, &call.admitted);
        refusing.note(failure, &model.slug, &call.ask.attribution.title)
    })?;
    let wait_for_disk = call.gateway.wait_for_disk;
    let mut running = Running::new(call, tab, limit);
    if wait_for_disk {
        let till = Arc::clone(&running.call.gateway.till);
        if let Err(error) = till.spool().wait_durable(running.tab.opened).await {
            let story = format!("the journal failed before a dispatch: {error}");
            let failure = Failure::server(story);
            running.fail(&failure);
            return Err(failure);
        }
    }
    Ok(running)
}

/// A hold that is to be made.
struct Opening<'a> {
    call: &'a Call,
    plan: &'a mut Plan,
}

/// Why there is none.
enum Refused {
    Till(TillError),
    Other(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl Refused {
    const fn by_the_books(&self) -> Option<&Refusal> {
        match self {
            Self::Till(TillError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// Whether it would fit once running calls have ended.
    fn fits_later(&self) -> bool {
        matches!(self.by_the_books(), Some(Refusal::Exhausted(why)) if why.fits_later())
    }
}

type Opened = Result<(Tab, Limit), Refused>;

impl<'a> Opening<'a> {
    const fn new(call: &'a Call, plan: &'a mut Plan) -> Self {
        Self { call, plan }
    }

    async fn open(mut self) -> Result<(Tab, Limit), Failure> {
        let mut refused = match self.attempt() {
            Ok(opened) => return Ok(opened),
            Err(refused) => refused,
        };
        // A purse that memory does not know is loaded. Credit or a limit may
        // have been raised a moment ago, by a command beside the server:
        // before anyone is refused, look.
        if let Some(refusal) = refused.by_the_books()
            && refusal.may_be_stale()
        {
            self.look(refusal.is_unknown()).await?;
            refused = match self.attempt() {
                Ok(opened) => return Ok(opened),
                Err(refused) => refused,
            };
        }
        if refused.fits_later() {
            // Boxed: few calls wait, and every call would carry it.
            refused = match Box::pin(self.wait(refused)).await {
                Ok(opened) => return Ok(opened),
                Err(refused) => refused,
            };
        }
        Err(self.failure(refused))
    }

    async fn look(&self, is_unknown: bool) -> Result<(), Failure> {
        let office = &self.call.gateway.office;
        if !is_unknown {
            office.refresh().await;
            return Ok(());
        }
        let loaded = office
            .load(&[self.call.admitted.key.principal().hash])
            .await;
        loaded
            .map(|_| ())
            .map_err(|unavailable| unavailable.failure())
    }

    /// Looks again whenever a call of the account has ended.
    async fn wait(&mut self, mut refused: Refused) -> Opened {
        let account = self.call.admitted.key.principal().account;
        let Some(place) = self.call.gateway.waiting.join(account) else {
            return Err(refused);
        };
        let deadline = Instant::now() + WAIT;
        loop {
            match self.attempt() {
                Ok(opened) => return Ok(opened),
                Err(again) => refused = again,
            }
            if !refused.fits_later() || timeout_at(deadline, place.turn()).await.is_err() {
                return Err(refused);
            }
        }
    }

    /// Sets money aside, as much as the limit asks for.
    fn attempt(&mut self) -> Opened {
        let limit = match self.call.ask.max_output {
            Some(asked) => Limit::Asked(asked),
            None => Limit::Model,
        };
        let amount = self.offers().cost(limit)?;
        let leaving = match limit {
            Limit::Model => amount.0.saturating_mul(SHARES.saturating_sub(1)),
            Limit::Asked(_) | Limit::Set(_) => 0,
        };
        match self.tab(limit, amount, Nanos(leaving)) {
            Err(refused) if limit == Limit::Model => match refused.by_the_books() {
                Some(Refusal::Exhausted(_)) => self.attempt_fair(refused),
                _ => Err(refused),
            },
            tried => tried,
        }
    }

    /// Sets aside what such answers take, within a fair share.
    fn attempt_fair(&mut self, refused: Refused) -> Opened {
        let principal = self.call.admitted.key.principal();
        let gateway = &self.call.gateway;
        let at_ms = gateway.clock.now_ms();
        let books = gateway.till.books();
        let Some(room) = books.room(principal.account, principal.key, at_ms) else {
            return Err(refused);
        };
        // Whoever cannot be told a limit is asked only where all that it may
        // say is paid for, if there is anybody else.
        let (call, free) = (self.call, room.free);
        self.plan
            .retain(|target| offers::is_within(call, target, free));
        let (limit, amount) = self.offers().fair(room)?;
        self.tab(limit, amount, Nanos::ZERO)
    }

    fn tab(&self, limit: Limit, amount: Nanos, leaving: Nanos) -> Opened {
        let call = self.call;
        let principal = call.admitted.key.principal();
        let payer = (principal.account, principal.key);
        let at_ms = call.gateway.clock.now_ms();
        let first = (&*call.market, self.plan.first());
        Tab::open(
            &call.gateway.till,
            call.id,
            payer,
            (amount, leaving),
            at_ms,
            first,
        )
        .map(|tab| (tab, limit))
        .map_err(Refused::Till)
    }

    fn offers(&self) -> Offers<'_> {
        Offers {
            call: self.call,
            plan: self.plan,
        }
    }

    fn failure(&self, refused: Refused) -> Failure {
        let error = match refused {
            Refused::Till(error) => error,
            Refused::Other(failure) => return failure,
        };
        match &error {
            TillError::Refused(Refusal::Exhausted(Exhausted {
                purse: Subject::Account(_),
                room,
                ..
            })) => self.afford(error.failure(), *room),
            _ => error.failure(),
        }
    }

    /// The same where nothing but the input costs anything.
    fn afford_input(&self, failure: Failure, available: Nanos) -> Failure {
        let most = self.offers().cost(Limit::Asked(0)).unwrap_or_default();
        let message = format!(
            "This request requires more credits, or a shorter input. It may cost up to {most} USD, and there is {available} USD. To increase, add credits with `bourse credit grant`.",
        );
        Failure {
            message: message.into(),
            ..failure
        }
        .metadata("provider_name", serde_json::Value::Null)
    }

    /// OpenRouter's sentence about what would be affordable; clients match on
    /// it. Whoever sets no limit asks for all that the model may say.
    fn afford(&self, failure: Failure, available: Nanos) -> Failure {
        let offers = self.offers();
        if self.call.ask.max_output == Some(0) {
            return self.afford_input(failure, available);
        }
        let asked = self.call.ask.max_output.unwrap_or_else(|| offers.whole());
        let affordable = offers.affordable(available).min(asked);
        let message = format!(
            "This request requires more credits, or fewer max_tokens. You requested up to {asked} tokens, but can only afford {affordable}. To increase, add credits with `bourse credit grant`.",
        );
        Failure {
            message: message.into(),
            ..failure
        }
        .metadata("provider_name", serde_json::Value::Null)
    }
}

#[cfg(test)]
pub mod goals;
