//! Who pays when a call does not end as it should.
//!
//! One row for each way in which a call, or one of its attempts, can end.
//! The same table, with its reasons, is in `docs/money.md`; a test compares
//! the two. Two principles make all rows: a customer never pays for what was
//! not delivered, and what a provider charges is always on our books, as a
//! cost if we know it and as a question for reconciliation if we do not.
//!
//! However a call ends, it is described once, as an [`Ended`], and
//! [`Ended::verdict`] turns that into money. There is no second way: a
//! caller that left, a provider that broke off and a server that stopped
//! differ only in the [`End`] that is said.

use bourse_vocab::Nanos;

use crate::price::Priced;
use crate::record::{Cost, Payer, VoidReason};

/// How a call or an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Whole answer, usage reported.
    Finished,
    /// Whole answer, no usage reported.
    FinishedUncounted,
    /// Whole answer, usage that contradicts itself or is absurd.
    FinishedNonsense,
    /// Finished without output and without a reason, or with an error as
    /// its reason.
    NothingDelivered,
    /// The provider broke off after content had been delivered.
    BrokeMidway,
    /// The same, and another attempt went on with the answer.
    Continued,
    /// The hold could not be extended, so the provider was cancelled.
    MoneyRanOut,
    /// An attempt failed before any content; the provider answered with an
    /// error and charges nothing.
    FailedBeforeContent,
    /// An attempt failed before any byte of the request was sent.
    Unreached,
    /// An attempt came to nothing without an answer: it may have run.
    GivenUp,
    /// Another attempt, which ran beside it, answered first.
    HedgeLost,
    /// The caller left before the provider gave any sign; cancelling stops
    /// billing.
    LeftBeforeContent,
    /// The caller left before the first content, when the provider had begun
    /// to work on the input; cancelling stops billing.
    LeftBegun,
    /// The caller left midway; cancelling stops billing.
    LeftMidwayCancelled,
    /// The caller left; the rest was drained until usage was reported.
    LeftDrained,
    /// The caller left; the drain hit its cap before usage was reported.
    LeftDrainCapped,
    /// The server stopped midway.
    StoppedMidway,
    /// The server stopped with nothing known to have been delivered.
    StoppedBeforeContent,
    /// Ended after the hold, before any dispatch.
    NotDispatched,
}

/// What the customer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomerPays {
    /// The price of the usage that the provider reported.
    Reported,
    /// The price of the input and of what was delivered, counted here and
    /// flagged as estimated.
    Delivered,
    /// Nothing.
    Nothing,
}

/// What we book as the provider's charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderCharges {
    /// The cost of the usage it reported.
    Reported,
    /// The cost of what was delivered, counted here.
    Delivered,
    /// Unknown: a question for reconciliation, at most the hold.
    Unknown,
    /// Nothing.
    Nothing,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// How it ended.
    pub end: End,
    /// What the customer pays.
    pub customer: CustomerPays,
    /// What we book as the provider's charge.
    pub provider: ProviderCharges,
    /// In words, as `docs/money.md` has it.
    pub words: &'static str,
    /// Why.
    pub why: &'static str,
}

const fn row(
    end: End,
    customer: CustomerPays,
    provider: ProviderCharges,
    words: &'static str,
    why: &'static str,
) -> Row {
    Row {
        end,
        customer,
        provider,
        words,
        why,
    }
}

use CustomerPays as C;
use ProviderCharges as P;

/// The table.
pub static TABLE: &[Row] = &[
    row(
        End::Finished,
        C::Reported,
        P::Reported,
        "whole answer, usage reported",
        "the provider's count is the bill",
    ),
    row(
        End::FinishedUncounted,
        C::Delivered,
        P::Delivered,
        "whole answer, no usage reported",
        "counted here and flagged as estimated; never free by accident",
    ),
    row(
        End::FinishedNonsense,
        C::Delivered,
        P::Delivered,
        "whole answer, absurd usage reported",
        "a broken counter must neither bill a fortune nor nothing; counted here and flagged",
    ),
    row(
        End::NothingDelivered,
        C::Nothing,
        P::Reported,
        "no output and no finish reason, or an error as the reason",
        "zero-completion insurance: the house pays what the provider charges",
    ),
    row(
        End::BrokeMidway,
        C::Delivered,
        P::Delivered,
        "the provider broke off after content",
        "the customer has that content and pays for it, not for what never came",
    ),
    row(
        End::Continued,
        C::Delivered,
        P::Delivered,
        "the provider broke off after content, and another one went on with the answer",
        "the customer has that content; of the attempt that goes on it pays what that adds, and the house pays the input again",
    ),
    row(
        End::MoneyRanOut,
        C::Delivered,
        P::Delivered,
        "the money ran out midway and the provider was cancelled",
        "the input and what was delivered until then; more was never agreed to",
    ),
    row(
        End::FailedBeforeContent,
        C::Nothing,
        P::Nothing,
        "an attempt was answered with an error",
        "providers do not charge for errors; failover is free",
    ),
    row(
        End::Unreached,
        C::Nothing,
        P::Nothing,
        "an attempt failed before any of the request was sent",
        "the provider never heard of it",
    ),
    row(
        End::GivenUp,
        C::Nothing,
        P::Unknown,
        "an attempt came to nothing without an answer",
        "it may have run: nobody pays yet, reconciliation finds out, the house bears it",
    ),
    row(
        End::HedgeLost,
        C::Nothing,
        P::Unknown,
        "another attempt that ran beside it answered first, and it was cancelled",
        "a call has one answer and one bill; what the loser charges for its input is the house's",
    ),
    row(
        End::LeftBeforeContent,
        C::Nothing,
        P::Unknown,
        "the caller left before any sign of the provider; it stops billing on cancel",
        "it may not have begun; what it charges for the input is the house's",
    ),
    row(
        End::LeftBegun,
        C::Delivered,
        P::Unknown,
        "the caller left before any content, when the provider had begun; it stops billing on cancel",
        "the input, which it had begun to read, and what it thought until then; the rest is ours to find out",
    ),
    row(
        End::LeftMidwayCancelled,
        C::Delivered,
        P::Unknown,
        "the caller left midway; the provider stops billing on cancel",
        "the input and what was delivered and thought until then; the rest is ours to find out",
    ),
    row(
        End::LeftDrained,
        C::Reported,
        P::Reported,
        "the caller left; the provider told its usage, or bills to the end and was drained to it",
        "the provider's terms: the call was ordered and ran",
    ),
    row(
        End::LeftDrainCapped,
        C::Delivered,
        P::Unknown,
        "the caller left; the drain reached its cap",
        "the customer pays what we saw; the rest is ours to find out and to bear",
    ),
    row(
        End::StoppedMidway,
        C::Delivered,
        P::Delivered,
        "the server stopped midway, after content",
        "settled by what was delivered, after a crash by the last checkpoint; the rest is the house's",
    ),
    row(
        End::StoppedBeforeContent,
        C::Nothing,
        P::Unknown,
        "the server stopped, nothing known to be delivered",
        "the hold is voided; the possible charge goes to reconciliation",
    ),
    row(
        End::NotDispatched,
        C::Nothing,
        P::Nothing,
        "ended after the hold, before any dispatch",
        "nothing happened",
    ),
];

impl ProviderCharges {
    /// Whether what the provider charges is known when the call ends, so that
    /// its own word for it counts.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(self, Self::Reported | Self::Delivered)
    }
}

impl End {
    /// The row for this end. Every end has one: a test goes through them.
    #[must_use]
    pub fn row(self) -> &'static Row {
        /// What an end without a row would get: the customer is not charged
        /// and the question is kept.
        static UNWRITTEN: Row = row(
            End::GivenUp,
            C::Nothing,
            P::Unknown,
            "no row",
            "an end that the table forgot is never the customer's",
        );
        TABLE
            .iter()
            .find(|row| row.end == self)
            .unwrap_or(&UNWRITTEN)
    }

    /// Why a call that ended so costs its customer nothing, as its record
    /// says. Only asked of ends for which the customer pays nothing.
    #[must_use]
    pub const fn void_reason(self) -> VoidReason {
        match self {
            Self::NotDispatched => VoidReason::NotDispatched,
            Self::NothingDelivered => VoidReason::NothingDelivered,
            Self::StoppedMidway | Self::StoppedBeforeContent => VoidReason::Restart,
            Self::FailedBeforeContent | Self::Unreached | Self::GivenUp | Self::HedgeLost => {
                VoidReason::AttemptsFailed
            }
            Self::Finished
            | Self::FinishedUncounted
            | Self::FinishedNonsense
            | Self::BrokeMidway
            | Self::Continued
            | Self::MoneyRanOut
            | Self::LeftBeforeContent
            | Self::LeftBegun
            | Self::LeftMidwayCancelled
            | Self::LeftDrained
            | Self::LeftDrainCapped => VoidReason::CallerLeft,
        }
    }
}

/// One attempt, as far as money is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// Slug of the provider.
    pub provider: &'a str,
    /// How it ended.
    pub end: End,
}

/// What an attempt delivered before it broke, where others went on with its
/// answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun<'a> {
    /// Slug of the provider.
    pub provider: &'a str,
    /// What was delivered is worth.
    pub delivered: Priced,
}

/// A call that ended, however it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended<'a> {
    /// The attempts before the last, in order. Each came to nothing for the
    /// customer, but for the one that was continued.
    pub attempts: Vec<Attempt<'a>>,
    /// The attempt that the call ended with; none if nobody was called.
    pub last: Option<Attempt<'a>>,
    /// What was on hold in the end: the most that any attempt is believed
    /// to have been charged for.
    pub held: Nanos,
    /// The part of the answer that was there before the last attempt.
    pub begun: Option<Begun<'a>>,
    /// What the last provider says that it charges, if it is believed: booked
    /// where a cost is known, in place of the price of the usage.
    pub told: Option<Nanos>,
}

/// Who pays what for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// How the call ended.
    pub end: End,
    /// What the customer is charged.
    pub charge: Nanos,
    /// What providers charge, and who bears it.
    pub costs: Vec<Cost<'a>>,
    /// What providers may have charged beside that: at most so much each.
    pub possible: Vec<Cost<'a>>,
    /// Whether the customer got something, so that the call is settled;
    /// otherwise it is voided.
    pub served: bool,
}

impl<'a> Ended<'a> {
    /// How the call ended: what its last attempt did.
    #[must_use]
    pub fn end(&self) -> End {
        self.last.map_or(End::NotDispatched, |last| last.end)
    }

    /// Turns the end into money. `reported` is the price of the usage that
    /// the last provider reported, `delivered` of what was counted here. A
    /// row that wants reported usage where none is known takes what was
    /// counted.
    ///
    /// The customer pays for the last attempt only, whatever the rows of
    /// the others say: a call has one answer. If it was begun by an earlier
    /// one, `reported` and `delivered` say what the last one adds.
    #[must_use]
    pub fn verdict(&self, reported: Option<Priced>, delivered: impl Fn() -> Priced) -> Verdict<'a> {
        let end = self.end();
        let row = end.row();
        let told = || reported.unwrap_or_else(&delivered);
        let charge = match row.customer {
            C::Reported => told().charge,
            C::Delivered => delivered().charge,
            C::Nothing => Nanos::ZERO,
        };
        let mut verdict = Verdict {
            end,
            charge,
            costs: Vec::new(),
            possible: Vec::new(),
            served: row.customer != C::Nothing,
        };
        if let Some(begun) = self.begun {
            let Priced {
                charge, upstream, ..
            } = begun.delivered;
            verdict.charge = verdict.charge.saturating_add(charge);
            verdict.served = true;
            push(
                &mut verdict.costs,
                begun.provider,
                upstream,
                Payer::Customer,
            );
        }
        for attempt in &self.attempts {
            // No report of an attempt that was not the last is known here.
            if attempt.end.row().provider == P::Unknown {
                push(
                    &mut verdict.possible,
                    attempt.provider,
                    self.held,
                    Payer::House,
                );
            }
        }
        if let Some(last) = self.last {
            self.add_last(&mut verdict, last.provider, &told, &delivered);
        }
        verdict
    }

    /// Adds what the last attempt costs, and who bears it.
    fn add_last(
        &self,
        verdict: &mut Verdict<'a>,
        provider: &'a str,
        told: &dyn Fn() -> Priced,
        delivered: &dyn Fn() -> Priced,
    ) {
        let row = verdict.end.row();
        let payer = match row.customer {
            C::Nothing => Payer::House,
            C::Reported | C::Delivered => Payer::Customer,
        };
        let (cost, possible) = match row.provider {
            P::Reported => (self.told.unwrap_or_else(|| told().upstream), Nanos::ZERO),
            P::Delivered => (
                self.told.unwrap_or_else(|| delivered().upstream),
                Nanos::ZERO,
            ),
            // What was delivered is known to be charged; what remains is
            // the question.
            P::Unknown if row.customer == C::Delivered => {
                let known = delivered().upstream;
                (known, self.held.saturating_sub(known))
            }
            P::Unknown => (Nanos::ZERO, self.held),
            P::Nothing => (Nanos::ZERO, Nanos::ZERO),
        };
        let repeated = match row.customer {
            C::Nothing => Nanos::ZERO,
            C::Reported => told().repeated,
            C::Delivered => delivered().repeated,
        };
        let repeated = repeated.min(cost);
        let paid = cost.saturating_sub(repeated);
        push(&mut verdict.costs, provider, paid, payer);
        push(&mut verdict.costs, provider, repeated, Payer::House);
        // A question stays one where nothing more is expected: an invoice that
        // has more of the call finds a row to be compared with.
        if row.provider == P::Unknown && self.held > Nanos::ZERO {
            verdict.possible.push(Cost {
                provider,
                amount: possible.max(Nanos::ZERO),
                payer: Payer::House,
            });
        }
    }
}

fn push<'a>(costs: &mut Vec<Cost<'a>>, provider: &'a str, amount: Nanos, payer: Payer) {
    if amount > Nanos::ZERO {
        costs.push(Cost {
            provider,
            amount,
            payer,
        });
    }
}

#[cfg(test)]
mod tests;
