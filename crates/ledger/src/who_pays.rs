//! Who pays when a call does not end as it should.
//!
//! One row for each way in which a call, or one of its attempts, can end.
//! The same table, with its reasons, is in `docs/money.md`; a test compares
//! the two. Two principles make all rows: a customer never pays for what was
//! not delivered, and what a provider charges is always on our books, as a
//! cost if we know it and as a question for reconciliation if we do not.

use bourse_vocab::Nanos;

use crate::record::Payer;

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
    /// An attempt failed before any content; the provider answered with an
    /// error and charges nothing.
    FailedBeforeContent,
    /// An attempt was given up without an answer: it may have run.
    GivenUp,
    /// The caller left before the first content; cancelling stops billing.
    LeftBeforeContent,
    /// The caller left midway; cancelling stops billing.
    LeftMidwayCancelled,
    /// The caller left; the rest was drained until usage was reported.
    LeftDrained,
    /// The caller left; the drain hit its cap before usage was reported.
    LeftDrainCapped,
    /// A hedged attempt lost and reported what it used.
    HedgeLoserCounted,
    /// A hedged attempt lost and was cancelled without a report.
    HedgeLoserCancelled,
    /// The server stopped midway, after a checkpoint.
    RestartWithCheckpoint,
    /// The server stopped with nothing known to have been delivered.
    RestartWithoutCheckpoint,
    /// Refused after the hold, before any dispatch.
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
        End::FailedBeforeContent,
        C::Nothing,
        P::Nothing,
        "an attempt was answered with an error",
        "providers do not charge for errors; failover is free",
    ),
    row(
        End::GivenUp,
        C::Nothing,
        P::Unknown,
        "an attempt was given up without an answer",
        "it may have run: nobody pays yet, reconciliation finds out, the house bears it",
    ),
    row(
        End::LeftBeforeContent,
        C::Nothing,
        P::Unknown,
        "the caller left before any content; the provider stops billing on cancel",
        "nothing was delivered; what the provider charges for the input is the house's",
    ),
    row(
        End::LeftMidwayCancelled,
        C::Delivered,
        P::Delivered,
        "the caller left midway; the provider stops billing on cancel",
        "the input and what was delivered until then",
    ),
    row(
        End::LeftDrained,
        C::Reported,
        P::Reported,
        "the caller left; the provider bills to the end and was drained to it",
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
        End::HedgeLoserCounted,
        C::Nothing,
        P::Reported,
        "a hedged attempt lost and reported usage",
        "hedging is our choice; the customer pays for one answer",
    ),
    row(
        End::HedgeLoserCancelled,
        C::Nothing,
        P::Unknown,
        "a hedged attempt lost and was cancelled",
        "as above, and the provider's charge is not known yet",
    ),
    row(
        End::RestartWithCheckpoint,
        C::Delivered,
        P::Delivered,
        "the server stopped midway, after a checkpoint",
        "settled by the last checkpoint; what came after it is the house's",
    ),
    row(
        End::RestartWithoutCheckpoint,
        C::Nothing,
        P::Unknown,
        "the server stopped, nothing known to be delivered",
        "the hold is voided; the possible charge goes to reconciliation",
    ),
    row(
        End::NotDispatched,
        C::Nothing,
        P::Nothing,
        "refused after the hold, before any dispatch",
        "nothing happened",
    ),
];

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
}

/// What one end can be priced at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Priced {
    /// What the customer would pay, markup included.
    pub charge: Nanos,
    /// What the provider charges.
    pub upstream: Nanos,
}

/// The verdict in money: what goes into a settlement or a voiding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What the customer is charged. Zero calls for a voiding unless the
    /// call is a free one that finished.
    pub charge: Nanos,
    /// The provider's charge, and who bears it.
    pub cost: Option<(Nanos, Payer)>,
    /// A charge that may have been made: at most this.
    pub possible: Option<Nanos>,
    /// Whether the call was served, so that it is settled and has a
    /// generation record; otherwise it is voided.
    pub served: bool,
}

impl Row {
    /// Turns the row into money. `reported` is the price of the reported
    /// usage, `delivered` of what was counted here, `at_most` what the
    /// attempt could cost upstream. A row that wants reported usage where
    /// none is known takes what was counted.
    #[must_use]
    pub fn verdict(
        &self,
        reported: Option<Priced>,
        delivered: impl Fn() -> Priced,
        at_most: Nanos,
    ) -> Verdict {
        let told = || reported.unwrap_or_else(&delivered);
        let charge = match self.customer {
            C::Reported => told().charge,
            C::Delivered => delivered().charge,
            C::Nothing => Nanos::ZERO,
        };
        let payer = match self.customer {
            C::Nothing => Payer::House,
            C::Reported | C::Delivered => Payer::Customer,
        };
        let (cost, possible) = match self.provider {
            P::Reported => (Some(told().upstream), None),
            P::Delivered => (Some(delivered().upstream), None),
            // What was delivered is known to be charged; what remains is
            // the question.
            P::Unknown if self.customer == C::Delivered => (
                Some(delivered().upstream),
                Some(at_most.saturating_sub(delivered().upstream)),
            ),
            P::Unknown => (None, Some(at_most)),
            P::Nothing => (None, None),
        };
        Verdict {
            charge,
            cost: cost
                .filter(|cost| *cost != Nanos::ZERO)
                .map(|cost| (cost, payer)),
            possible: possible.filter(|most| *most > Nanos::ZERO),
            served: self.customer != C::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORTED: Priced = Priced {
        charge: Nanos(110),
        upstream: Nanos(100),
    };
    const DELIVERED: Priced = Priced {
        charge: Nanos(44),
        upstream: Nanos(40),
    };
    const AT_MOST: Nanos = Nanos(500);

    #[test]
    fn every_row_pays_as_written() {
        let customer = |nanos| Some((Nanos(nanos), Payer::Customer));
        let house = |nanos| Some((Nanos(nanos), Payer::House));
        let expected = [
            (End::Finished, 110, customer(100), None),
            (End::FinishedUncounted, 44, customer(40), None),
            (End::FinishedNonsense, 44, customer(40), None),
            (End::NothingDelivered, 0, house(100), None),
            (End::BrokeMidway, 44, customer(40), None),
            (End::FailedBeforeContent, 0, None, None),
            (End::GivenUp, 0, None, Some(500)),
            (End::LeftBeforeContent, 0, None, Some(500)),
            (End::LeftMidwayCancelled, 44, customer(40), None),
            (End::LeftDrained, 110, customer(100), None),
            (End::LeftDrainCapped, 44, customer(40), Some(460)),
            (End::HedgeLoserCounted, 0, house(100), None),
            (End::HedgeLoserCancelled, 0, None, Some(500)),
            (End::RestartWithCheckpoint, 44, customer(40), None),
            (End::RestartWithoutCheckpoint, 0, None, Some(500)),
            (End::NotDispatched, 0, None, None),
        ];
        assert_eq!(TABLE.len(), expected.len());
        for (row, (end, charge, cost, possible)) in TABLE.iter().zip(expected) {
            assert_eq!((row.end, end.row().end), (end, end));
            let verdict = row.verdict(Some(REPORTED), || DELIVERED, AT_MOST);
            let wanted = Verdict {
                charge: Nanos(charge),
                cost,
                possible: possible.map(Nanos),
                served: charge > 0,
            };
            assert_eq!(verdict, wanted, "{end:?}");
        }
    }

    #[test]
    fn a_missing_report_is_never_a_free_call() {
        let verdict = End::Finished.row().verdict(None, || DELIVERED, AT_MOST);
        assert_eq!(verdict.charge, Nanos(44));
    }

    #[test]
    fn the_document_has_the_same_rows() {
        let document = include_str!("../../../docs/money.md");
        for row in TABLE {
            let customer = match row.customer {
                C::Reported => "reported usage",
                C::Delivered => "what was delivered",
                C::Nothing => "nothing",
            };
            let provider = match row.provider {
                P::Reported => "reported usage",
                P::Delivered => "what was delivered",
                P::Unknown => "unknown, to reconcile",
                P::Nothing => "nothing",
            };
            let line = format!("| {} | {customer} | {provider} | {} |", row.words, row.why);
            assert!(document.contains(&line), "docs/money.md lacks:\n{line}");
        }
    }
}
