//! What a provider says that a call costs.

use crate::money::{Nanos, parse_scaled_up};

/// What a provider says that it charges for a call, in dollars.
///
/// It is the provider's word, and no more: who may be believed, and how far,
/// is for whoever books it to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToldCost {
    /// It says nothing, or zero: servers fill a member that they do not count
    /// with zero, and a call that is free is free without its word.
    #[default]
    Unsaid,
    /// So much, rounded up to a nano-dollar.
    Said(Nanos),
    /// Something that is no amount: below zero, out of range, or no number.
    Nonsense,
}

impl ToldCost {
    /// Reads the text of a decimal number, of which `10^places` are a dollar:
    /// 0 for dollars, 10 for xAI's ticks.
    #[must_use]
    pub fn read(text: &str, places: u32) -> Self {
        // Nine places are a nano-dollar; a unit that is finer is shifted by its
        // own exponent.
        let finer = places.saturating_sub(9);
        let amount = parse_scaled_up(text, 9_u32.saturating_sub(places));
        let amount = amount.map(|amount| match 10_u128.checked_pow(finer) {
            Some(power) => amount.div_ceil(power),
            None => u128::MAX,
        });
        match amount.map(i64::try_from) {
            Ok(Ok(0)) => Self::Unsaid,
            Ok(Ok(nanos)) => Self::Said(Nanos(nanos)),
            Ok(Err(_)) | Err(_) => Self::Nonsense,
        }
    }

    /// The two together: what is paid to two.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nonsense, _) | (_, Self::Nonsense) => Self::Nonsense,
            (Self::Unsaid, said) | (said, Self::Unsaid) => said,
            (Self::Said(one), Self::Said(two)) => match one.checked_add(two) {
                Some(sum) => Self::Said(sum),
                None => Self::Nonsense,
            },
        }
    }

    /// The first of two spellings that says anything.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == Self::Unsaid { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_to_the_nano_dollar_and_rounded_up() {
        for (text, places, nanos) in [
            ("0.00095", 0, 950_000),
            ("4.2e-05", 0, 42_000),
            ("1E+1", 0, 10_000_000_000),
            ("0.0000000001", 0, 1),
            ("0.0000000010000000000000001", 0, 2),
            ("1e-300", 0, 1),
            ("12", 0, 12_000_000_000),
            // docs.x.ai, cost tracking: $0.0037756.
            ("37756000", 10, 3_775_600),
            ("1", 10, 1),
            ("11", 10, 2),
        ] {
            let told = ToldCost::read(text, places);
            assert_eq!(told, ToldCost::Said(Nanos(nanos)), "{text}");
        }
        for text in ["0", "0.0", "-0", "0e99"] {
            assert_eq!(ToldCost::read(text, 0), ToldCost::Unsaid, "{text}");
        }
        for text in [
            "-0.1",
            "1e30",
            "1e2147483647",
            "99999999999999999999999999999999999999999",
            "",
            "NaN",
            "1,5",
            "0x1",
            "1e",
        ] {
            assert_eq!(ToldCost::read(text, 0), ToldCost::Nonsense, "{text}");
        }
    }

    #[test]
    fn what_is_paid_to_two_is_the_sum_and_nonsense_makes_no_sum() {
        let said = |nanos| ToldCost::Said(Nanos(nanos));
        assert_eq!(said(1).plus(said(2)), said(3));
        assert_eq!(ToldCost::Unsaid.plus(said(2)), said(2));
        assert_eq!(said(2).plus(ToldCost::Nonsense), ToldCost::Nonsense);
        assert_eq!(said(i64::MAX).plus(said(1)), ToldCost::Nonsense);
    }
}
