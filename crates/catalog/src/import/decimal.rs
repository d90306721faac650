//! Decimals as price lists print them.
#![deny(clippy::float_arithmetic)]

use std::borrow::Cow;

use bourse_vocab::PicosPerUnit;

/// Digits that a price can mean. A float that was computed from decimal
/// parts is off in the sixteenth; nobody charges in the thirteenth.
const SIGNIFICANT_DIGITS: usize = 12;

/// Rounds away what binary floats leave behind: `0.049999999999999996`
/// becomes `0.05`. Text with few digits is returned as it is.
#[must_use]
pub fn round_noise(text: &str) -> Cow<'_, str> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().unwrap_or(0_i32)),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let Some(first) = digits.iter().position(|&digit| digit != b'0') else {
        return Cow::Borrowed(text);
    };
    let significant = digits.get(first..).unwrap_or(&[]);
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    if significant.len() <= SIGNIFICANT_DIGITS || !is_plain {
        return Cow::Borrowed(text);
    }
    let kept = significant.iter().take(SIGNIFICANT_DIGITS);
    let mut value = kept.fold(0_u64, |sum, &digit| sum * 10 + u64::from(digit - b'0'));
    if significant
        .get(SIGNIFICANT_DIGITS)
        .is_some_and(|&digit| digit >= b'5')
    {
        value += 1;
    }
    let dropped = i32::try_from(significant.len() - SIGNIFICANT_DIGITS).unwrap_or(0);
    let places = i32::try_from(fraction.len()).unwrap_or(0);
    let mut power = exponent + dropped - places;
    while value % 10 == 0 {
        value /= 10;
        power += 1;
    }
    Cow::Owned(format!("{value}e{power}"))
}

/// Reads a price printed in dollars, for a million units or for one. `None` if it is
/// negative, too fine or not a number.
pub(crate) fn read(text: &str, per_million: bool) -> Option<PicosPerUnit> {
    let text = round_noise(text);
    let price = if per_million {
        PicosPerUnit::parse_usd_per_million(&text)
    } else {
        PicosPerUnit::parse_usd_per_unit(&text)
    };
    price.ok()
}
