//! Money: integers only.
//!
//! A price is a whole number of pico-dollars for one unit (a token, an
//! image, a request), a charge a whole number of nano-dollars, and products
//! are 128 bits wide. One pico-dollar a token is a dollar for a million
//! million tokens, finer than any price list we know; one nano-dollar is the
//! smallest amount that an account can hold.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Pico-dollars in one nano-dollar.
pub const PICOS_PER_NANO: u128 = 1_000;
/// Nano-dollars in one dollar.
pub const NANOS_PER_USD: i64 = 1_000_000_000;
/// Parts per million in one whole: the unit of markups.
pub const PPM: u64 = 1_000_000;

/// Why a text is not an amount of money that we can represent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number.
    #[error("not a decimal number such as \"0.15\"")]
    NotDecimal,
    /// More digits after the point than the unit can hold.
    #[error("more decimal places than the unit can hold exactly")]
    TooFine,
    /// Outside the range of the type.
    #[error("amount out of range")]
    OutOfRange,
}

/// Reads `text` as a decimal and returns it times `10^scale`, exactly.
///
/// Accepts an optional sign, digits, and an optional fraction; also the
/// exponent form (`1e-07`) that JSON price lists contain. Refuses anything
/// that would need rounding.
pub fn parse_scaled(text: &str, scale: u32) -> Result<i128, MoneyError> {
    let (negative, digits, shift) = read_decimal(text, scale)?;
    if digits == 0 {
        return Ok(0);
    }
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let value = if shift >= 0 {
        power
            .and_then(|p| digits.checked_mul(p))
            .ok_or(MoneyError::OutOfRange)?
    } else {
        let power = power.ok_or(MoneyError::TooFine)?;
        if digits.checked_rem(power) != Some(0) {
            return Err(MoneyError::TooFine);
        }
        digits.checked_div(power).ok_or(MoneyError::OutOfRange)?
    };
    if negative {
        value.checked_neg().ok_or(MoneyError::OutOfRange)
    } else {
        Ok(value)
    }
}

/// Reads `text` as a decimal that is not negative, and returns it times
/// `10^scale`, rounded up: of what somebody else says that it costs, nothing
/// is left out.
///
/// # Errors
/// What is no decimal, below zero, or out of range.
pub fn parse_scaled_up(text: &str, scale: u32) -> Result<u128, MoneyError> {
    let (negative, digits, shift) = read_decimal(text, scale)?;
    let digits = u128::try_from(digits).map_err(|_| MoneyError::OutOfRange)?;
    match (negative, digits) {
        (_, 0) => return Ok(0),
        (true, _) => return Err(MoneyError::OutOfRange),
        (false, _) => {}
    }
    let power = 10_u128.checked_pow(shift.unsigned_abs());
    if shift < 0 {
        // A power beyond 128 bits is beyond any digits as well.
        return Ok(power.map_or(1, |power| digits.div_ceil(power)));
    }
    power
        .and_then(|power| digits.checked_mul(power))
        .ok_or(MoneyError::OutOfRange)
}

/// Whether it is negative, the digits of `text`, and by which power of ten they
/// are to be multiplied to be its value times `10^scale`.
fn read_decimal(text: &str, scale: u32) -> Result<(bool, i128, i32), MoneyError> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let exponent: i32 = exponent.parse().map_err(|_| MoneyError::NotDecimal)?;
            (mantissa, exponent)
        }
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(MoneyError::NotDecimal);
    }
    let mut digits: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return Err(MoneyError::NotDecimal);
        }
        let digit = i128::from(byte.wrapping_sub(b'0'));
        digits = digits
            .checked_mul(10)
            .and_then(|d| d.checked_add(digit))
            .ok_or(MoneyError::OutOfRange)?;
    }
    let places = i32::try_from(fraction.len()).map_err(|_| MoneyError::OutOfRange)?;
    let shift = i32::try_from(scale)
        .ok()
        .and_then(|s| s.checked_add(exponent))
        .and_then(|s| s.checked_sub(places))
        .ok_or(MoneyError::OutOfRange)?;
    Ok((negative, digits, shift))
}

/// Bytes of the longest decimal: 39 digits, a sign, a point, a leading zero.
const DECIMAL_BYTES_MAX: usize = 42;

/// An amount as a plain decimal without trailing zeros, such as `0.00095`.
/// Every reply carries several, so it is written without the machinery of
/// `fmt`.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// The text is at the end.
    bytes: [u8; DECIMAL_BYTES_MAX],
    start: usize,
}

impl Decimal {
    /// `value / 10^scale`.
    fn scaled(value: i128, scale: usize) -> Self {
        let mut text = Self {
            bytes: [b'0'; DECIMAL_BYTES_MAX],
            start: DECIMAL_BYTES_MAX,
        };
        let mut rest = value.unsigned_abs();
        let mut shows_fraction = false;
        for _ in 0..scale {
            let digit = last_digit(&mut rest);
            shows_fraction |= digit != b'0';
            if shows_fraction {
                text.prepend(digit);
            }
        }
        if shows_fraction {
            text.prepend(b'.');
        }
        text.prepend(last_digit(&mut rest));
        while rest != 0 {
            text.prepend(last_digit(&mut rest));
        }
        if value < 0 {
            text.prepend(b'-');
        }
        text
    }

    fn prepend(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(slot) = self.bytes.get_mut(self.start) {
            *slot = byte;
        }
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits, a point, a sign.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// Takes the last digit off a number. Numbers of 64 bits, which nearly all
/// are, take a fraction of what dividing 128 bits does.
fn last_digit(rest: &mut u128) -> u8 {
    let digit = if let Ok(small) = u64::try_from(*rest) {
        *rest = u128::from(small.wrapping_div(10));
        small.wrapping_rem(10)
    } else {
        let digit = rest.wrapping_rem(10);
        *rest = rest.wrapping_div(10);
        u64::try_from(digit).unwrap_or(0)
    };
    b'0'.wrapping_add(u8::try_from(digit).unwrap_or(0))
}

/// An amount of money in nano-dollars (10^-9 USD). May be negative, as a
/// movement; whether a *balance* may be negative is the ledger's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Nanos(pub i64);

impl Nanos {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The most an account can hold: about 9.2 billion dollars.
    pub const MAX: Self = Self(i64::MAX);

    /// Whole dollars.
    #[must_use]
    pub const fn from_usd(usd: i32) -> Self {
        Self((usd as i64).saturating_mul(NANOS_PER_USD))
    }

    /// In dollars, with every digit.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal::scaled(i128::from(self.0), 9)
    }

    /// Sum, or `None` outside the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Difference, or `None` outside the range.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// Sum that stops at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference that stops at the ends of the range.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether this is less than nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for Nanos {
    /// Dollars, exactly, without trailing zeros: `0.000123`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.decimal().as_str())
    }
}

impl FromStr for Nanos {
    type Err = MoneyError;

    /// Reads decimal dollars.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let value = parse_scaled(text.trim(), 9)?;
        i64::try_from(value)
            .map(Self)
            .map_err(|_| MoneyError::OutOfRange)
    }
}

/// In JSON a charge is a plain number of dollars with every digit written
/// out, because the public API says so; it never passes through a float here.
impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = serde_json::value::RawValue::from_string(self.to_string())
            .map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Reads a JSON number or string of dollars from its literal text.
impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        raw.get()
            .trim_matches('"')
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A price: pico-dollars (10^-12 USD) for one unit, at most [`Self::MOST`].
///
/// Kept as one more than it is, so that a price that is not stated takes no
/// room of its own: a catalog has some sixteen for each of thousands of
/// endpoints, and most of them are not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PicosPerUnit(NonZeroU64);

impl PicosPerUnit {
    /// Costs nothing.
    pub const FREE: Self = Self(NonZeroU64::MIN);

    /// The dearest that can be written down: 18 million dollars for one unit.
    pub const MOST: Self = Self(NonZeroU64::MAX);

    /// So many pico-dollars, or [`Self::MOST`] if they are more.
    #[must_use]
    pub const fn new(picos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(picos))
    }

    /// In pico-dollars.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get().wrapping_sub(1)
    }

    /// Reads decimal dollars for one unit, such as `"0.00000015"`.
    pub fn parse_usd_per_unit(text: &str) -> Result<Self, MoneyError> {
        Self::from_scaled(parse_scaled(text.trim(), 12)?)
    }

    /// Reads decimal dollars for a million units, such as `"0.15"`.
    pub fn parse_usd_per_million(text: &str) -> Result<Self, MoneyError> {
        Self::from_scaled(parse_scaled(text.trim(), 6)?)
    }

    /// Reads decimal dollars for a thousand units, such as `"0.0001"` for a
    /// second of sound, of which a unit is a millisecond.
    pub fn parse_usd_per_thousand(text: &str) -> Result<Self, MoneyError> {
        Self::from_scaled(parse_scaled(text.trim(), 9)?)
    }

    fn from_scaled(value: i128) -> Result<Self, MoneyError> {
        match u64::try_from(value) {
            Ok(picos) if picos <= Self::MOST.get() => Ok(Self::new(picos)),
            _ => Err(MoneyError::OutOfRange),
        }
    }

    /// Dollars for `10^(12 - places)` units, exactly: for a million with 6, for
    /// one with 12.
    #[must_use]
    pub fn write_scaled(self, places: usize) -> String {
        Decimal::scaled(i128::from(self.get()), places)
            .as_str()
            .to_owned()
    }

    /// What `units` cost, in pico-dollars. Cannot overflow: 64 × 64 bits.
    #[must_use]
    pub fn times(self, units: u64) -> u128 {
        u128::from(self.get()).saturating_mul(u128::from(units))
    }
}

impl Default for PicosPerUnit {
    fn default() -> Self {
        Self::FREE
    }
}

impl fmt::Debug for PicosPerUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PicosPerUnit").field(&self.get()).finish()
    }
}

/// As the number of pico-dollars.
impl Serialize for PicosPerUnit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.get())
    }
}

impl<'de> Deserialize<'de> for PicosPerUnit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Display for PicosPerUnit {
    /// Dollars for one unit, exactly: the public API's price strings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Decimal::scaled(i128::from(self.get()), 12).as_str())
    }
}

/// What one call cost, as the caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bill {
    /// What the caller's account pays, markup included.
    pub total: Nanos,
    /// What the provider charges for the input.
    pub upstream_prompt: Nanos,
    /// What the provider charges for the output.
    pub upstream_completion: Nanos,
    /// Whether the numbers behind it were counted here because the provider
    /// reported none, or reported nonsense.
    pub estimated: bool,
}

impl Bill {
    /// What the provider charges in all.
    #[must_use]
    pub const fn upstream(&self) -> Nanos {
        self.upstream_prompt
            .saturating_add(self.upstream_completion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_prices_are_read_exactly() {
        let cases = [
            ("0.15", 150_000),
            ("15", 15_000_000),
            ("0.000001", 1),
            ("1e-6", 1),
            ("2.50", 2_500_000),
            (".5", 500_000),
            ("0", 0),
            ("0e5", 0),
        ];
        for (text, picos) in cases {
            assert_eq!(
                PicosPerUnit::parse_usd_per_million(text),
                Ok(PicosPerUnit::new(picos)),
                "{text}"
            );
        }
        assert_eq!(
            PicosPerUnit::parse_usd_per_unit("1.5e-07"),
            Ok(PicosPerUnit::new(150_000))
        );
    }

    #[test]
    fn what_cannot_be_exact_is_refused() {
        for (text, error) in [
            ("0.0000001", MoneyError::TooFine),
            ("abc", MoneyError::NotDecimal),
            ("", MoneyError::NotDecimal),
            (".", MoneyError::NotDecimal),
            ("1.2.3", MoneyError::NotDecimal),
            ("-1", MoneyError::OutOfRange),
            ("NaN", MoneyError::NotDecimal),
            ("1e999", MoneyError::OutOfRange),
            ("1e-999", MoneyError::TooFine),
            ("99999999999999999999999999", MoneyError::OutOfRange),
        ] {
            assert_eq!(
                PicosPerUnit::parse_usd_per_million(text),
                Err(error),
                "{text}"
            );
        }
    }

    #[test]
    fn amounts_print_every_digit_and_no_more() {
        for (nanos, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (1_500_000_000, "1.5"),
            (-20_000_000, "-0.02"),
            (10, "0.00000001"),
            (12_000_000_000, "12"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(Nanos(nanos).to_string(), text);
            assert_eq!(text.parse(), Ok(Nanos(nanos)));
            assert_eq!(serde_json::to_string(&Nanos(nanos)).unwrap(), text);
            assert_eq!(serde_json::from_str::<Nanos>(text).unwrap(), Nanos(nanos));
        }
        assert_eq!(PicosPerUnit::new(150_000).to_string(), "0.00000015");
        assert_eq!(PicosPerUnit::MOST.to_string(), "18446744.073709551614");
        let widest = Decimal::scaled(i128::MIN, 9);
        assert_eq!(widest.as_str(), "-170141183460469231731687303715.884105728");
    }

    #[test]
    fn a_price_that_is_not_stated_takes_no_room_and_the_dearest_is_written_and_read() {
        assert_eq!(size_of::<Option<PicosPerUnit>>(), size_of::<u64>());
        for picos in [0, 1, 150_000, u64::MAX - 1] {
            let price = PicosPerUnit::new(picos);
            assert_eq!(price.get(), picos);
            let read = PicosPerUnit::parse_usd_per_unit(&price.to_string());
            assert_eq!(read, Ok(price));
        }
        assert_eq!(PicosPerUnit::new(u64::MAX), PicosPerUnit::MOST);
        assert_eq!(
            PicosPerUnit::parse_usd_per_unit("18446744.073709551615"),
            Err(MoneyError::OutOfRange)
        );
    }
}
