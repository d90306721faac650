//! A charge, line by line.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use bourse_catalog::PriceKey;
use bourse_vocab::money::{PICOS_PER_NANO, PPM};
use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{Bill, Nanos, PicosPerUnit};

/// The largest markup: a thousand times the price. More is a mistake.
pub const MARKUP_PPM_MAX: u64 = 1_000 * PPM;

/// What one end can be priced at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Priced {
    /// What the customer would pay, markup included.
    pub charge: Nanos,
    /// What the provider charges.
    pub upstream: Nanos,
    /// What of that no customer is charged: what was paid for before, where
    /// an answer that broke is continued elsewhere.
    pub repeated: Nanos,
}

/// Why a usage cannot be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The price list lacks a price that is needed.
    #[error("no known price for {0}")]
    Unknown(PriceKey),
    /// More units than any call can use.
    #[error("{0} units of {1} are more than any call can use")]
    TooMany(u64, PriceKey),
    /// A line or the total is beyond what an account can hold.
    #[error("the charge is out of range")]
    OutOfRange,
    /// The markup is larger than [`MARKUP_PPM_MAX`].
    #[error("the markup is out of range")]
    Markup,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Something that the provider charges for.
    Price(PriceKey),
    /// What we add.
    Markup,
    /// What a checkpoint said that the call had cost when the server
    /// stopped: nano-dollars, in one sum.
    Checkpoint,
    /// Something that a later version knows, by its number in records.
    Other(u64),
}

impl Item {
    /// Whether the line belongs to the input: see [`Charge::upstream_prompt`].
    const fn is_input(self) -> bool {
        matches!(
            self,
            Self::Price(
                PriceKey::Prompt
                    | PriceKey::CacheRead
                    | PriceKey::CacheReadAudio
                    | PriceKey::CacheWrite5m
                    | PriceKey::CacheWrite1h
                    | PriceKey::Audio
                    | PriceKey::Image
                    | PriceKey::ImageInput
                    | PriceKey::Request
                    | PriceKey::SearchUnit
                    | PriceKey::AudioSecond
                    | PriceKey::Character
            )
        )
    }

    /// Whether the line is for something that the model made.
    const fn is_output(self) -> bool {
        matches!(
            self,
            Self::Price(
                PriceKey::Completion
                    | PriceKey::Reasoning
                    | PriceKey::AudioOutput
                    | PriceKey::ImageOutput
                    | PriceKey::Picture
                    | PriceKey::VideoSecond
                    | PriceKey::VideoSecond480p
                    | PriceKey::VideoSecond1080p
                    | PriceKey::VideoSecond4k
            )
        )
    }
}

/// One line of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What for.
    pub item: Item,
    /// How many units; parts per million for the markup.
    pub units: u64,
    /// The price of one unit; nothing for the markup.
    pub price: PicosPerUnit,
    /// Units times price, rounded up to a nano-dollar.
    pub amount: Nanos,
}

/// What a usage costs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charge {
    /// The lines; none of them is zero.
    pub lines: Vec<Line>,
    /// What the provider charges for the input, images and the request.
    pub upstream_prompt: Nanos,
    /// What the provider charges for the output and its searches.
    pub upstream_completion: Nanos,
    /// What the provider charges in all.
    pub upstream_total: Nanos,
    /// What the customer pays: the sum of the lines.
    pub total: Nanos,
}

impl Charge {
    /// As the caller is told.
    #[must_use]
    pub const fn bill(&self, estimated: bool) -> Bill {
        Bill {
            total: self.total,
            upstream_prompt: self.upstream_prompt,
            upstream_completion: self.upstream_completion,
            estimated,
        }
    }

    /// As [`crate::who_pays`] takes it.
    #[must_use]
    pub const fn priced(&self) -> Priced {
        Priced {
            charge: self.total,
            upstream: self.upstream_total,
            repeated: Nanos::ZERO,
        }
    }

    /// The charge of an answer that broke, and that another attempt continued
    /// for `rest`: one input, which is the first one's, and the output of both.
    ///
    /// # Errors
    /// Sums out of range.
    pub fn continued(&self, rest: &Self) -> Result<Self, PriceError> {
        let is_markup = |line: &&Line| line.item == Item::Markup;
        let of_first = self.lines.iter().filter(|line| !is_markup(line));
        let of_rest = rest.lines.iter().filter(|line| line.item.is_output());
        // The last line of either, and of the sum: the market of a call has one.
        let mut markups = self.lines.iter().chain(&rest.lines).filter(is_markup);
        let lines: Vec<_> = of_first
            .chain(of_rest)
            .chain(markups.next())
            .copied()
            .collect();
        Self::recompute(&lines)
    }

    pub(super) fn line(
        &mut self,
        item: Item,
        units: u64,
        price: PicosPerUnit,
        amount: Nanos,
    ) -> Added {
        if amount != Nanos::ZERO {
            self.lines.push(Line {
                item,
                units,
                price,
                amount,
            });
            self.total = self
                .total
                .checked_add(amount)
                .ok_or(PriceError::OutOfRange)?;
        }
        Ok(amount)
    }

    pub(super) fn item(&mut self, key: PriceKey, units: u64, price: PicosPerUnit) -> Added {
        if units > TOKENS_MAX {
            return Err(PriceError::TooMany(units, key));
        }
        let amount = round_up(price.times(units), PICOS_PER_NANO)?;
        self.line(Item::Price(key), units, price, amount)
    }

    /// Computes a charge anew from the items, units and prices of its lines:
    /// whatever amounts they carry are not believed. A bill is checked with
    /// nothing but itself.
    ///
    /// # Errors
    /// Sums out of range, a markup that is a mistake.
    pub fn recompute(lines: &[Line]) -> Result<Self, PriceError> {
        let mut charge = Self::default();
        for line in lines {
            let Line {
                item, units, price, ..
            } = *line;
            if item == Item::Markup {
                let added = markup(charge.upstream_total, units)?;
                charge.line(item, units, price, added)?;
                continue;
            }
            let amount = round_up(price.times(units), PICOS_PER_NANO)?;
            charge.line(item, units, price, amount)?;
            let side = if item.is_input() {
                &mut charge.upstream_prompt
            } else {
                &mut charge.upstream_completion
            };
            *side = side.checked_add(amount).ok_or(PriceError::OutOfRange)?;
            charge.upstream_total = charge.total;
        }
        Ok(charge)
    }
}

pub(super) type Added = Result<Nanos, PriceError>;

pub(super) fn round_up(value: u128, unit: u128) -> Added {
    let rounded = value.div_ceil(unit.max(1));
    i64::try_from(rounded)
        .map(Nanos)
        .map_err(|_| PriceError::OutOfRange)
}

/// What we add to an upstream cost, rounded up.
pub(super) fn markup(upstream: Nanos, markup_ppm: u64) -> Added {
    if markup_ppm > MARKUP_PPM_MAX {
        return Err(PriceError::Markup);
    }
    let upstream = u128::from(upstream.0.unsigned_abs());
    round_up(
        upstream.saturating_mul(u128::from(markup_ppm)),
        u128::from(PPM),
    )
}
