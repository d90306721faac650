//! Walking the targets as attempts fail.

use smallvec::SmallVec;

use crate::classes::Then;

/// Attempts for one call, whatever the caller lists: an outage of everything
/// must not multiply the load on it without bound.
pub const ATTEMPTS_MAX: u32 = 8;

/// Attempts at the last target that is left, the first included. One failure
/// does not condemn it: without a second try, one call in a few hundred fails
/// for nothing. A third is for one that has been answering well: at a failure
/// in a hundred it is what makes one in ten thousand calls one in a million.
const TRIES_MAX: u32 = 3;

/// One target to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<T> {
    /// Whom to call.
    pub target: T,
    /// See [`crate::candidate::Candidate::model_rank`].
    pub model_rank: u16,
    /// Whether no other target follows: it may take all the time there is.
    pub is_last: bool,
}

/// The targets of one call, in order, and how far it has come. There is at
/// least one. `T` is whatever a target is to the caller, cheap to clone.
#[derive(Debug, Clone)]
pub struct Plan<T> {
    first: T,
    steps: SmallVec<[(T, u16); 8]>,
    next: usize,
    attempts: u32,
    tries_of_last: u32,
}

impl<T: Clone> Plan<T> {
    /// A plan over targets that are already in order, each with its rank
    /// (see [`crate::candidate::Candidate::model_rank`]). `None` if there are
    /// none.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = (T, u16)>) -> Option<Self> {
        let steps: SmallVec<_> = steps.into_iter().collect();
        let (first, _) = steps.first()?;
        Some(Self {
            first: T::clone(first),
            steps,
            next: 0,
            attempts: 0,
            tries_of_last: 1,
        })
    }

    /// The target that is tried first if nothing speaks against it.
    #[must_use]
    pub const fn first(&self) -> &T {
        &self.first
    }

    /// The targets, in order.
    pub fn targets(&self) -> impl Iterator<Item = &T> {
        self.steps.iter().map(|(target, _)| target)
    }

    /// Leaves out targets before any was tried, unless that leaves none.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let Some((first, _)) = self.steps.iter().find(|(target, _)| keep(target)) else {
            return;
        };
        self.first = T::clone(first);
        self.steps.retain(|(target, _)| keep(target));
    }

    /// How many attempts were handed out.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next target, if the call may have another attempt. `may_use`
    /// says whether a target may be sent to right now (its key may have been
    /// told to rest since the plan was made).
    pub fn next(&mut self, may_use: impl Fn(&T) -> bool) -> Option<Step<T>> {
        if self.attempts >= ATTEMPTS_MAX {
            return None;
        }
        while let Some((target, model_rank)) = self.steps.get(self.next) {
            self.next += 1;
            if may_use(target) {
                self.attempts += 1;
                // Targets whose key rests are no reason to hurry.
                let mut rest = self.steps.iter().skip(self.next);
                let is_last =
                    self.attempts >= ATTEMPTS_MAX || !rest.any(|(target, _)| may_use(target));
                return Some(Step {
                    target: T::clone(target),
                    model_rank: *model_rank,
                    is_last,
                });
            }
        }
        None
    }

    /// Another target of the same model, to be tried beside `step` while that
    /// is under way. The others keep their order.
    pub fn beside(&mut self, step: &Step<T>, may_use: impl Fn(&T) -> bool) -> Option<Step<T>> {
        if self.attempts >= ATTEMPTS_MAX {
            return None;
        }
        let suits = |one: &(T, u16)| one.1 == step.model_rank && may_use(&one.0);
        let at = self.steps.iter().skip(self.next).position(suits)?;
        let one = self.steps.remove(self.next + at);
        let target = T::clone(&one.0);
        self.steps.insert(self.next, one);
        self.next += 1;
        self.attempts += 1;
        let mut rest = self.steps.iter().skip(self.next);
        Some(Step {
            target,
            model_rank: step.model_rank,
            is_last: self.attempts >= ATTEMPTS_MAX || !rest.any(|(target, _)| may_use(target)),
        })
    }

    /// Takes back the attempt that was handed out last: it is not made,
    /// because another call is just finding out whether its target is back.
    pub const fn pass_over(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
    }

    /// The target to try after `failed` failed before any content reached
    /// the client, where `then` may help; `None` ends the call with that
    /// failure. `is_well` says whether a target mostly answers.
    pub fn after(
        &mut self,
        failed: &Step<T>,
        then: Then,
        may_use: impl Fn(&T) -> bool,
        is_well: impl Fn(&T) -> bool,
    ) -> Option<Step<T>> {
        match then {
            Then::Stop => return None,
            Then::Next | Then::SameAgain => {}
            Then::AnotherModel => {
                while self
                    .steps
                    .get(self.next)
                    .is_some_and(|step| step.1 == failed.model_rank)
                {
                    self.next += 1;
                }
            }
        }
        if let Some(mut step) = self.next(&may_use) {
            // With one to go back to it is not the last chance of the call.
            step.is_last &= self.well_before(&may_use, &is_well).is_none();
            return Some(step);
        }
        // Nobody else is left.
        if then != Then::SameAgain
            || (self.tries_of_last > 1 && !is_well(&failed.target))
            || !may_use(&failed.target)
        {
            return self.back(may_use, is_well);
        }
        self.again(failed.target.clone(), failed.model_rank)
    }

    /// Goes back to a target that failed, but has been answering well: that is
    /// better than none. The last that was handed out is not meant.
    pub fn back(
        &mut self,
        may_use: impl Fn(&T) -> bool,
        is_well: impl Fn(&T) -> bool,
    ) -> Option<Step<T>> {
        let (target, model_rank) = self.well_before(may_use, is_well)?;
        self.again(target, model_rank)
    }

    /// Whether there is a target to go back to if the one that was handed out
    /// last comes to nothing. It may not have been known when that was sent.
    pub fn can_go_back(&self, may_use: impl Fn(&T) -> bool, is_well: impl Fn(&T) -> bool) -> bool {
        let is_allowed = self.tries_of_last < TRIES_MAX && self.attempts < ATTEMPTS_MAX;
        is_allowed && self.well_before(may_use, is_well).is_some()
    }

    /// A target that was tried before the one that was handed out last, and
    /// has been answering well.
    fn well_before(
        &self,
        may_use: impl Fn(&T) -> bool,
        is_well: impl Fn(&T) -> bool,
    ) -> Option<(T, u16)> {
        let earlier = self.steps.iter().take(self.next.saturating_sub(1));
        let mut well = earlier.filter(|(target, _)| may_use(target) && is_well(target));
        well.next().cloned()
    }

    fn again(&mut self, target: T, model_rank: u16) -> Option<Step<T>> {
        if self.tries_of_last >= TRIES_MAX || self.attempts >= ATTEMPTS_MAX {
            return None;
        }
        self.tries_of_last += 1;
        self.attempts += 1;
        Some(Step {
            target,
            model_rank,
            is_last: true,
        })
    }
}

#[cfg(test)]
mod tests;
