//! Numbers with the digits in which they were written.

/// A number. Whole numbers of 64 bits are kept as such, everything else as
/// text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number(Digits);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Digits {
    Whole(u64),
    /// Below zero.
    Negative(i64),
    /// Anything whose digits the two above would not print again.
    Text(Box<str>),
}

impl Number {
    /// The number that `text` is; it must follow RFC 8259, section 6, which
    /// the parser has checked.
    pub(super) fn from_digits(text: &str) -> Self {
        let digits = match text.strip_prefix('-') {
            // `-0` is not what 0 prints.
            Some(rest) if !rest.starts_with('0') => text.parse().ok().map(Digits::Negative),
            Some(_) => None,
            None => text.parse().ok().map(Digits::Whole),
        };
        Self(digits.unwrap_or_else(|| Digits::Text(text.into())))
    }

    /// A float, with the fewest digits that say which; `None` if it is none
    /// that JSON can write.
    #[must_use]
    pub fn from_f64(number: f64) -> Option<Self> {
        number
            .is_finite()
            .then(|| Self(Digits::Text(format!("{number:?}").into())))
    }

    /// The number, if it is written as a whole one that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Digits::Whole(number) => Some(*number),
            Digits::Negative(_) => None,
            Digits::Text(text) => (**text == *"-0").then_some(0),
        }
    }

    /// The number, if it is written as a whole one that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Digits::Whole(number) => i64::try_from(*number).ok(),
            Digits::Negative(number) => Some(*number),
            Digits::Text(text) => (**text == *"-0").then_some(0),
        }
    }

    /// The whole number that this is, in whatever way it is written: `7`, `7.0`
    /// and `7e0` are one number to JSON Schema. `None` if it is none, or above
    /// 2^53 with a fraction or an exponent, where floats are no longer exact.
    #[must_use]
    pub fn as_whole(&self) -> Option<i128> {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        match &self.0 {
            Digits::Whole(number) => Some(i128::from(*number)),
            Digits::Negative(number) => Some(i128::from(*number)),
            Digits::Text(text) => text.parse().ok().or_else(|| {
                let number = self.as_f64()?;
                if number.fract() != 0.0 || number.abs() > EXACT_MAX {
                    return None;
                }
                #[allow(clippy::cast_possible_truncation)] // Whole and below 2^53.
                Some(number as i128)
            }),
        }
    }

    /// The nearest float; `None` beyond its range.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match &self.0 {
            #[allow(clippy::cast_precision_loss)] // The nearest is what is asked for.
            Digits::Whole(number) => Some(*number as f64),
            #[allow(clippy::cast_precision_loss)]
            Digits::Negative(number) => Some(*number as f64),
            Digits::Text(text) => text.parse().ok().filter(|float: &f64| float.is_finite()),
        }
    }

    /// Whether this is so near to `other` that no model could tell.
    #[must_use]
    pub fn is_about(&self, other: f64) -> bool {
        self.as_f64()
            .is_some_and(|number| (number - other).abs() < 1e-9)
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(Digits::Whole(number))
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(u64::try_from(number).map_or(Digits::Negative(number), Digits::Whole))
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Digits::Whole(number) => number.fmt(f),
            Digits::Negative(number) => number.fmt(f),
            Digits::Text(text) => f.write_str(text),
        }
    }
}

impl serde::Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Digits::Whole(number) => serializer.serialize_u64(*number),
            Digits::Negative(number) => serializer.serialize_i64(*number),
            // A raw value is written as it is and copied by no one.
            Digits::Text(text) => serde_json::from_str::<&serde_json::value::RawValue>(text)
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
}
