//! What every answer of a session has in common, and the money for the next.

use std::sync::Arc;

use bourse_catalog::{Modalities, Modality, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::facts::{Audio, Media};
use bourse_vocab::{Failure, FailureKind, GenerationId, Nanos, PromptFacts, TierWish, Units};

use super::meter::Demand;
use crate::admission::{Door, InFlight};
use crate::ask::{Ask, Attribution, Options, Thinking};
use crate::call::{Call, Status};
use crate::chance;
use crate::endpoints::Endpoint;
use crate::gateway::Gateway;
use crate::limit::Limit;
use crate::market::{Market, Target};
use crate::phases::admit::Admitted;
use crate::phases::hold::{hold, offers};
use crate::phases::plan::Plan;
use crate::progress::Progress;
use crate::running::Running;

/// By how many tokens more is set aside than is needed, where the money is
/// there: a conversation grows word by word, and the journal need not hear of
/// each.
const AHEAD: u64 = 1_024;

/// Who talks with whom.
pub struct Terms {
    /// What every worker shares.
    pub gateway: Arc<Gateway>,
    /// The door of the session's worker.
    pub door: Arc<Door>,
    /// Where its worker keeps how far streams have come.
    pub progress: Arc<Progress>,
    /// What the session chooses from: the market of its first moment.
    pub market: Arc<Market>,
    /// Who talks.
    pub admitted: Admitted,
    /// What the client speaks.
    pub endpoint: &'static dyn Endpoint,
    /// The model, as typed.
    pub models: Vec<String>,
    /// The `provider` object.
    pub wishes: Preferences,
    /// Who the caller says they are.
    pub attribution: Attribution,
}

/// A prompt of so many tokens, some of which may be heard.
fn facts(tokens: u64) -> PromptFacts {
    PromptFacts {
        text_bytes: tokens,
        // Without bytes: it makes the price of sound count, and no tokens.
        audio: Audio {
            media: Media {
                inline: 1,
                ..Media::NONE
            },
            steady_bytes: 0,
        },
        ..PromptFacts::default()
    }
}

impl Terms {
    /// What the next answer asks for.
    #[must_use]
    pub fn ask(&self, demand: Demand) -> Box<Ask> {
        let sound = Modalities::of(&[Modality::Text, Modality::Audio]);
        Box::new(Ask {
            models: self.models.clone(),
            wishes: self.wishes.clone(),
            needs: Needs {
                input: sound,
                output: sound,
                parameters: Parameters::EMPTY,
                text_bytes: 0,
                max_output: None,
            },
            stream: true,
            answers: 1,
            max_output: Some(demand.output),
            units: Units::default(),
            form: Form::Media,
            thinking: Thinking::default(),
            tier: TierWish::default(),
            search: None,
            facts: facts(demand.input),
            options: Options::default(),
            opener: None,
            attribution: self.attribution.clone(),
        })
    }

    /// A call for the next answer.
    #[must_use]
    pub fn call(&self, id: GenerationId, demand: Demand, in_flight: InFlight) -> Box<Call> {
        Box::new(Call {
            gateway: Arc::clone(&self.gateway),
            market: Arc::clone(&self.market),
            id,
            id_text: id.to_string().into(),
            started_ms: self.gateway.clock.now_ms(),
            status: Arc::new(Status::new(self.admitted.key.principal().into())),
            admitted: self.admitted.clone(),
            endpoint: self.endpoint,
            ask: self.ask(demand),
            progress: Arc::clone(&self.progress),
            losses: Vec::new(),
            decision: None,
            keeping: None,
            witness: None,
            in_flight,
        })
    }

    /// Sets aside what the next answer of a target can cost.
    ///
    /// # Errors
    /// The money is not there, the key may not call any more, or has too many
    /// calls under way.
    pub async fn set_aside(
        &self,
        target: &Arc<Target>,
        demand: Demand,
    ) -> Result<Running, Failure> {
        let gateway = &self.gateway;
        let now_ms = gateway.clock.now_ms();
        let who = self.admitted.key.principal();
        // A key that was switched off, or is gone, begins nothing more.
        let known = gateway.keyring.get(&who.hash);
        let may = known.as_ref().map(|principal| principal.may_infer(now_ms));
        match may {
            Some(Ok(_)) => {}
            Some(Err(refusal)) => return Err(refusal.failure()),
            None => return Err(gone()),
        }
        let part = gateway.admission.bounds().take(who);
        let in_flight = self.door.begin(part.map_err(|shed| shed.failure())?);
        let id = GenerationId::at_ms(now_ms, chance::random());
        let call = self.call(id, demand, in_flight);
        let mut plan = Plan::new([(Arc::clone(target), 0)])
            .ok_or_else(|| Failure::server("a plan of one target has none"))?;
        hold(call, &mut plan).await
    }

    /// Makes what is set aside for an answer cover a demand.
    ///
    /// # Errors
    /// The money is not there. What was set aside stays so.
    pub fn cover(&self, running: &mut Running, demand: Demand) -> Result<(), Failure> {
        let covered = covered(running);
        let needed = Demand {
            input: covered.input.max(demand.input),
            output: covered.output.max(demand.output),
        };
        if needed == covered {
            return Ok(());
        }
        let ahead = Demand {
            input: needed.input.saturating_add(AHEAD),
            ..needed
        };
        let raised = raise(running, ahead).or_else(|_| raise(running, needed));
        if raised.is_err() {
            asks(running, covered);
        }
        raised
    }
}

/// What is set aside for an answer covers.
fn covered(running: &Running) -> Demand {
    let ask = &running.call.ask;
    Demand {
        input: ask.facts.text_bytes,
        output: ask.max_output.unwrap_or(0),
    }
}

/// Makes an answer ask for a demand.
fn asks(running: &mut Running, demand: Demand) {
    let ask = &mut running.call.ask;
    ask.facts.text_bytes = demand.input;
    ask.max_output = Some(demand.output);
    running.limit = Limit::Asked(demand.output);
}

fn raise(running: &mut Running, demand: Demand) -> Result<(), Failure> {
    asks(running, demand);
    let cost = offers::cost_at(&running.call, running.target(), running.limit)?;
    let missing = cost.saturating_sub(running.tab.held());
    if missing <= Nanos::ZERO {
        return Ok(());
    }
    running.tab.extend_by(missing)
}

fn gone() -> Failure {
    Failure::new(
        FailureKind::Authentication,
        "The API key that the session was opened with is gone.",
    )
}
