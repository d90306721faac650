//! Walking the targets as attempts fail.

use bourse_vocab::{Failure, FailureKind, Next};
use smallvec::SmallVec;

/// Attempts for one call, whatever the caller lists: an outage of everything
/// must not multiply the load on it without bound.
pub const ATTEMPTS_MAX: u32 = 8;

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
    tried_again: bool,
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
            tried_again: false,
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

    /// The target to try after `failed` failed before any content reached
    /// the client; `None` ends the call with that failure.
    pub fn after(
        &mut self,
        failed: &Step<T>,
        failure: &Failure,
        may_use: impl Fn(&T) -> bool,
    ) -> Option<Step<T>> {
        match failure.next {
            Next::Stop => return None,
            Next::TryAnother => {}
            Next::TryAnotherModel => {
                while self
                    .steps
                    .get(self.next)
                    .is_some_and(|step| step.1 == failed.model_rank)
                {
                    self.next += 1;
                }
            }
        }
        if let Some(step) = self.next(&may_use) {
            return Some(step);
        }
        // Nobody else is left. One failure does not condemn the last healthy
        // target: without a second try on it, one call in a few hundred
        // fails for nothing.
        let transient = matches!(
            failure.kind,
            FailureKind::Unavailable | FailureKind::Overloaded
        );
        if transient
            && failure.next == Next::TryAnother
            && failure.retry_after.is_none()
            && !self.tried_again
            && self.attempts < ATTEMPTS_MAX
            && may_use(&failed.target)
        {
            self.tried_again = true;
            self.attempts += 1;
            return Some(Step {
                is_last: true,
                ..failed.clone()
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: &[(u32, u16)]) -> Plan<u32> {
        Plan::new(steps.iter().copied()).unwrap()
    }

    #[test]
    fn targets_are_left_out_unless_none_would_be_left() {
        let mut some = plan(&[(1, 0), (2, 0), (3, 1)]);
        some.retain(|target| *target > 1);
        assert_eq!(*some.first(), 2);
        assert_eq!(some.targets().copied().collect::<Vec<_>>(), [2, 3]);
        some.retain(|_| false);
        assert_eq!(some.targets().count(), 2);
        assert_eq!(some.next(anyone).unwrap().target, 2);
    }

    fn anyone(_: &u32) -> bool {
        true
    }

    #[test]
    fn a_failure_moves_on_and_the_last_target_gets_a_second_try() {
        let mut plan = plan(&[(1, 0), (2, 0)]);
        let down = Failure::unavailable("connection refused");
        let first = plan.next(anyone).unwrap();
        assert_eq!((first.target, first.is_last), (1, false));
        let second = plan.after(&first, &down, anyone).unwrap();
        assert_eq!((second.target, second.is_last), (2, true));
        let again = plan.after(&second, &down, anyone).unwrap();
        assert_eq!(again.target, 2);
        assert_eq!(plan.after(&again, &down, anyone), None);
        assert_eq!(plan.attempts(), 3);
    }

    #[test]
    fn the_callers_own_mistake_ends_the_call() {
        let mut plan = plan(&[(1, 0), (2, 0)]);
        let first = plan.next(anyone).unwrap();
        assert_eq!(
            plan.after(&first, &Failure::invalid("temperature"), anyone),
            None
        );
    }

    #[test]
    fn a_prompt_that_is_too_long_moves_to_another_model() {
        let mut plan = plan(&[(1, 0), (2, 0), (3, 1)]);
        let first = plan.next(anyone).unwrap();
        let long = Failure::new(FailureKind::ContextLengthExceeded, "too long");
        assert_eq!(plan.after(&first, &long, anyone).unwrap().target, 3);
    }

    #[test]
    fn a_plan_of_nothing_is_none_and_any_other_has_a_first() {
        assert!(Plan::<u32>::new([]).is_none());
        assert_eq!(plan(&[(7, 0), (2, 0)]).first(), &7);
    }

    #[test]
    fn a_target_that_must_rest_is_passed_over() {
        let mut plan = plan(&[(1, 0), (2, 0)]);
        assert_eq!(plan.next(|target| *target != 1).unwrap().target, 2);
    }

    #[test]
    fn a_target_is_the_last_if_all_others_must_rest() {
        let mut three = plan(&[(1, 0), (2, 0), (3, 0)]);
        assert!(three.next(|target| *target == 1).unwrap().is_last);
        let mut three = plan(&[(1, 0), (2, 0), (3, 0)]);
        assert!(!three.next(|target| *target != 2).unwrap().is_last);
    }

    #[test]
    fn a_rate_limit_or_a_timeout_earns_no_second_try() {
        for kind in [FailureKind::RateLimited, FailureKind::Timeout] {
            let mut plan = plan(&[(1, 0)]);
            let first = plan.next(anyone).unwrap();
            assert_eq!(plan.after(&first, &Failure::new(kind, "no"), anyone), None);
        }
    }

    #[test]
    fn attempts_are_bounded() {
        let steps: Vec<_> = (0..100).map(|target| (target, 0)).collect();
        let mut plan = plan(&steps);
        let down = Failure::unavailable("down");
        let mut step = plan.next(anyone);
        let mut count = 0;
        while let Some(current) = step {
            count += 1;
            step = plan.after(&current, &down, anyone);
        }
        assert_eq!(count, ATTEMPTS_MAX);
    }
}
