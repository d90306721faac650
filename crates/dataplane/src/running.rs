//! A call whose money is set aside, from its hold to its one end.
//!
//! Whoever holds a [`Running`] holds the call: the search for an answer, the
//! relay of a stream, a drain. It is handed from one to the next, and
//! whichever of them lets go of it ends the call. [`Running::end`] is the
//! only end there is, and dropping only says which one it is.

use std::sync::Arc;

use bourse_vocab::Failure;

use crate::attempts::Attempt;
use crate::begun::Begun;
use crate::call::Call;
use crate::ending::Ending;
use crate::limit::{self, Limit};
use crate::market::Target;
use crate::relay::Report;
use crate::tab::Tab;
use crate::tools::Tools;

/// A call whose money is set aside.
pub struct Running {
    /// The call.
    pub call: Box<Call>,
    /// Its money.
    pub tab: Tab,
    /// Its attempts, in order; the last may still run.
    pub attempts: Vec<Attempt>,
    /// One that runs beside the last.
    pub rival: Option<Box<Attempt>>,
    /// How long the answer may be.
    pub limit: Limit,
    /// What was there of the answer when its provider broke off, where others
    /// go on with it.
    pub begun: Option<Arc<Begun>>,
    /// What of tools is kept to judge its answer.
    pub tools: Tools,
    is_ended: bool,
}

impl Running {
    /// A call whose hold has just been made.
    #[must_use]
    pub fn new(call: Box<Call>, tab: Tab, limit: Limit) -> Self {
        Self {
            call,
            tab,
            attempts: Vec::new(),
            rival: None,
            limit,
            begun: None,
            tools: Tools::default(),
            is_ended: false,
        }
    }

    /// Whether the call has ended.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Notes that the call ends; `false` if it had ended before.
    pub(crate) const fn begin_end(&mut self) -> bool {
        !std::mem::replace(&mut self.is_ended, true)
    }

    /// Whether others go on with an answer that broke.
    #[must_use]
    pub const fn is_continued(&self) -> bool {
        self.begun.is_some()
    }

    /// Ends a call that no attempt answered.
    pub fn fail(&mut self, failure: &Failure) {
        let thought = self.take_thought();
        self.end(&thought, Ending::Failed(failure));
    }

    /// What the model was paid for thinking, if nothing was shown of it.
    fn take_thought(&mut self) -> Report {
        self.attempts
            .last_mut()
            .and_then(|attempt| attempt.thought.take())
            .unwrap_or_default()
    }

    /// Whom the call is about: who answers, or was tried last, or would have
    /// been tried first.
    #[must_use]
    pub fn target(&self) -> &Arc<Target> {
        match self.attempts.last() {
            Some(attempt) => &attempt.target,
            None => self.tab.target(),
        }
    }

    /// The most output tokens that whom it is about may give, in all answers.
    #[must_use]
    pub fn output_max(&self) -> u64 {
        let call = &*self.call;
        let one = limit::output_max(self.limit, (&call.market, self.target()), call.endpoint);
        one.saturating_mul(call.ask.answers.max(1))
    }

    /// Which end it is if the call is let go of now.
    #[must_use]
    pub fn ending_if_dropped(&self) -> Ending<'static> {
        if self.call.status.is_detached() {
            Ending::DrainCapped
        } else if self.call.gateway.stopping.is_cut_off() {
            Ending::Stopped
        } else {
            Ending::ClientLeft
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_ended {
            let thought = self.take_thought();
            self.end(&thought, self.ending_if_dropped());
        }
    }
}
