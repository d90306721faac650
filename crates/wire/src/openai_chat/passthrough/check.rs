//! Whether a parameter looks as it should; if not, a sentence that names
//! it and the remedy.

use bourse_vocab::Failure;

use crate::dialect::parameters::{Check, Param, STOPS_MAX};
use crate::json::{Kind, text};

/// Checks one value, which is not `null`, by the parameter's rule.
pub(super) fn check(param: Param, rule: Check, kind: Kind, value: &[u8]) -> Result<(), Failure> {
    let must_be = |what: &str| {
        let name = param.name();
        Err(Failure::invalid(format!("{name} must be {what}.")))
    };
    match rule {
        Check::Any => Ok(()),
        Check::Number(min, max) => match text::f64(value) {
            Some(number) if kind == Kind::Number && min <= number && number <= max => Ok(()),
            _ => must_be(&format!("a number from {min} to {max}")),
        },
        Check::Whole(min, max) => match text::whole(value) {
            Some(number) if (i128::from(min)..=i128::from(max)).contains(&number) => Ok(()),
            _ => must_be(&format!("a whole number from {min} to {max}")),
        },
        Check::Integer => match text::whole(value).map(i64::try_from) {
            Some(Ok(_)) => Ok(()),
            _ => must_be("a whole number"),
        },
        Check::Bool => match kind {
            Kind::True | Kind::False => Ok(()),
            _ => must_be("true or false"),
        },
        Check::Text(max) if is_plain(kind, value, max) && value.len() > 2 => Ok(()),
        Check::Text(max) => match text::string(value) {
            Some(string) if !string.is_empty() && string.chars().count() <= max => Ok(()),
            _ => must_be(&format!("a string of 1 to {max} characters")),
        },
        Check::AnyText(max) if is_plain(kind, value, max) => Ok(()),
        Check::AnyText(max) => match text::string(value) {
            Some(string) if string.chars().count() <= max => Ok(()),
            _ => must_be(&format!("a string of at most {max} characters")),
        },
        Check::Array if kind == Kind::Array => Ok(()),
        Check::Array => must_be("an array"),
        Check::Filled if kind == Kind::Array => Ok(()),
        Check::Filled => must_be("an array with at least one element"),
        Check::Object if kind == Kind::Object => Ok(()),
        Check::Object => must_be("an object"),
        Check::TextOrObject if matches!(kind, Kind::String | Kind::Object) => Ok(()),
        Check::TextOrObject => must_be("a string or an object"),
        Check::Stop => {
            let fits = match kind {
                Kind::String => true,
                Kind::Array => serde_json::from_slice::<Vec<String>>(value)
                    .is_ok_and(|stops| stops.len() <= STOPS_MAX),
                _ => false,
            };
            if fits {
                Ok(())
            } else {
                must_be(&format!(
                    "a string or an array of at most {STOPS_MAX} strings"
                ))
            }
        }
    }
}

/// Whether a value is a text without escapes and with at most `max` bytes: so
/// it need not be decoded to know that it has no more characters.
fn is_plain(kind: Kind, value: &[u8], max: usize) -> bool {
    kind == Kind::String
        && value.len() <= max.saturating_add(2)
        && memchr::memchr(b'\\', value).is_none()
}

/// Whether a check must see the value, or its kind says enough.
pub(super) const fn needs_value(rule: Check) -> bool {
    matches!(
        rule,
        Check::Number(..)
            | Check::Whole(..)
            | Check::Integer
            | Check::Text(_)
            | Check::AnyText(_)
            | Check::Stop
    )
}
