//! What the tool calls of an answer are judged by, and what came of that.
//!
//! The prompt is let go of when an answer has begun. Of a call with tools what
//! they are is kept until its end, within a bound for all calls together; where
//! there is no room, the answer is not judged. It is judged once the provider has
//! said all of it: by then a stream has told its client everything but usage and
//! price.

use std::sync::Arc;

use bourse_catalog::Parameter;
use bourse_vocab::{Count, Counts};
use bourse_wire::tool_calls::{Made, Tally, Verdict, judge};

use crate::ask::Ask;
use crate::bodies::{Bodies, Room};
use crate::endpoints::ClientRequest;

/// Room for the tools of all streams under way: of a thousand coding agents.
pub const TOOLS_BYTES_MAX: usize = 64 << 20;

/// What is known of tools in one call. Nothing is allocated where there are none.
#[derive(Debug, Default)]
pub struct Tools(Option<Box<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    offered: Option<Offered>,
    made: Option<Box<Made>>,
    tally: Option<Tally>,
}

/// The `tools` member of a request, kept.
#[derive(Debug)]
struct Offered {
    text: Box<[u8]>,
    _room: Room,
}

impl Offered {
    fn of(request: &dyn ClientRequest, room: &Arc<Bodies>) -> Option<Self> {
        let text = request.tools()?;
        let mut room = Room::begin(room);
        room.grow(text.len()).ok()?;
        Some(Self {
            text: text.into(),
            _room: room,
        })
    }
}

impl Ask {
    /// Whether the model is offered tools.
    #[must_use]
    pub const fn offers_tools(&self) -> bool {
        self.needs.parameters.contains(Parameter::Tools)
    }
}

impl Tools {
    fn inner(&mut self) -> &mut Inner {
        self.0.get_or_insert_default()
    }

    /// Keeps of a request what the calls in its answer will be judged by, if
    /// there is room for it.
    pub fn keep(&mut self, request: &dyn ClientRequest, room: &Arc<Bodies>) {
        if let Some(offered) = Offered::of(request, room) {
            self.inner().offered = Some(offered);
        }
    }

    /// Judges the calls that were taken, or forgets them if the answer `did_end`
    /// otherwise than with them: what was cut off is not to be blamed for it.
    pub fn judge(&mut self, did_end: bool) -> Option<&Tally> {
        let inner = self.0.as_deref_mut()?;
        let (offered, made) = (inner.offered.take(), inner.made.take());
        let made = made.filter(|made| did_end && !made.is_empty())?;
        let offered = offered.as_ref().map(|offered| &*offered.text);
        inner.tally = Some(judge(&made, offered));
        inner.tally.as_ref()
    }

    /// Takes the calls of an answer that is whole.
    pub fn take(&mut self, made: Option<Box<Made>>) {
        if made.is_some() {
            self.inner().made = made;
        }
    }

    fn tally(&self) -> Option<&Tally> {
        self.0.as_ref()?.tally.as_ref()
    }

    /// What of it goes into a record: how many calls there were, and how many
    /// were bad.
    #[must_use]
    pub fn count(&self, counts: Counts) -> Counts {
        let Some(tally) = self.tally() else {
            return counts;
        };
        counts
            .with(Count::ToolCalls, tally.calls().into())
            .with(Count::BadToolCalls, tally.bad().into())
    }

    /// What was wrong with any of the calls, one bit each, as records have it.
    #[must_use]
    pub fn errors(&self) -> u8 {
        const BITS: [(Verdict, u8); 3] = [
            (Verdict::InvalidJson, 1),
            (Verdict::UnknownName, 2),
            (Verdict::SchemaMismatch, 4),
        ];
        let Some(tally) = self.tally() else {
            return 0;
        };
        let wrong = BITS.iter().filter(|(verdict, _)| tally.of(*verdict) > 0);
        wrong.fold(0, |bits, (_, bit)| bits | bit)
    }
}
