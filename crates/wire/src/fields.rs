//! Taking a JSON object apart, member by member, with errors that say where.

use std::fmt;

use bourse_vocab::Failure;
use bourse_vocab::json::{Map, Number, Value};

/// Where in a request we are. Built on the stack and printed only when
/// something is wrong.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The whole body.
    Root,
    /// A member of an object.
    Member(&'a Path<'a>, &'a str),
    /// An item of an array.
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(Self::Root, name) => f.write_str(name),
            // A name that would be taken for a part of the path.
            Self::Member(parent, name) if name.contains(['.', '[', ']']) => {
                write!(f, "{parent}[\"{name}\"]")
            }
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Path<'_> {
    /// A failure that names this place.
    pub fn invalid(&self, what: impl fmt::Display) -> Failure {
        match self {
            Self::Root => Failure::invalid(format!("request body: {what}")),
            path => Failure::invalid(format!("{path}: {what}")),
        }
    }

    /// The value as a text.
    pub fn text(&self, value: Value) -> Result<String, Failure> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(self.expected("a string", &other)),
        }
    }

    /// The value as an array of at most `max` items.
    pub fn array(&self, value: Value, max: usize) -> Result<Vec<Value>, Failure> {
        match value {
            Value::Array(items) if items.len() <= max => Ok(items),
            Value::Array(items) => Err(self.invalid(format_args!(
                "at most {max} items are accepted, got {}",
                items.len()
            ))),
            other => Err(self.expected("an array", &other)),
        }
    }

    /// A failure for a value of the wrong type.
    pub fn expected(&self, what: &str, got: &Value) -> Failure {
        self.invalid(format_args!("expected {what}, got {}", kind(got)))
    }
}

/// What a value is, in words.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The members of one object. Each is taken out as it is read; what remains
/// at the end is what the reader does not know. `null` counts as absent.
#[derive(Debug)]
pub struct Fields<'p> {
    members: Map,
    path: &'p Path<'p>,
}

impl<'p> Fields<'p> {
    /// The members of `value`, which must be an object.
    pub fn of(value: Value, path: &'p Path<'p>) -> Result<Self, Failure> {
        match value {
            Value::Object(members) => Ok(Self { members, path }),
            other => Err(path.expected("an object", &other)),
        }
    }

    /// Where this object is.
    pub const fn path(&self) -> &'p Path<'p> {
        self.path
    }

    /// A failure that names one member.
    pub fn invalid(&self, name: &str, what: impl fmt::Display) -> Failure {
        Path::Member(self.path, name).invalid(what)
    }

    /// Takes a member out, whatever it is. A `null` stays in its place, which
    /// says the same as no member and costs the others nothing.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.members.get_mut(name)?.take();
        (!value.is_null()).then_some(value)
    }

    /// Puts a member back where it was, for the extras.
    pub fn put_back(&mut self, name: &str, value: Value) {
        self.members.insert(name.to_owned(), value);
    }

    /// Takes out a text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        self.take(name)
            .map(|value| Path::Member(self.path, name).text(value))
            .transpose()
    }

    /// Takes out a text that must be there.
    pub fn required_text(&mut self, name: &str) -> Result<String, Failure> {
        self.text(name)?
            .ok_or_else(|| self.invalid(name, "is required"))
    }

    /// Takes out a boolean.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(Path::Member(self.path, name).expected("a boolean", &other)),
        }
    }

    /// Takes out a number from `min` to `max`.
    pub fn number(&mut self, name: &str, min: f64, max: f64) -> Result<Option<Number>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => match number.as_f64() {
                Some(float) if (min..=max).contains(&float) => Ok(Some(number)),
                _ => Err(self.invalid(
                    name,
                    format_args!("must be from {min} to {max}, got {number}"),
                )),
            },
            Some(other) => Err(Path::Member(self.path, name).expected("a number", &other)),
        }
    }

    /// Takes out a whole number from `min` to `max`. Some clients write
    /// whole numbers with a fraction of zero; that is accepted.
    pub fn count(&mut self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Failure> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match whole(&value) {
            Some(number) if (i128::from(min)..=i128::from(max)).contains(&number) => {
                Ok(u64::try_from(number).ok())
            }
            Some(number) => Err(self.invalid(
                name,
                format_args!("must be from {min} to {max}, got {number}"),
            )),
            None => Err(Path::Member(self.path, name).expected("a whole number", &value)),
        }
    }

    /// Takes out a whole number that may be negative.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match whole(&value).map(i64::try_from) {
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(self.invalid(name, "must fit into 64 bits with a sign")),
            None => Err(Path::Member(self.path, name).expected("a whole number", &value)),
        }
    }

    /// Takes out an array of at most `max` items.
    pub fn array(&mut self, name: &str, max: usize) -> Result<Option<Vec<Value>>, Failure> {
        self.take(name)
            .map(|value| Path::Member(self.path, name).array(value, max))
            .transpose()
    }

    /// Takes out an object.
    pub fn object(&mut self, name: &str) -> Result<Option<Map>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(other) => Err(Path::Member(self.path, name).expected("an object", &other)),
        }
    }

    /// What was not taken, without nulls.
    pub fn rest(self) -> Map {
        let mut members = self.members;
        members.retain(|_, value| !value.is_null());
        members
    }

    /// Files what was not taken under its full path, so that writers can
    /// report it.
    pub fn rest_into(self, extras: &mut Map) {
        for (name, value) in self.members {
            if !value.is_null() {
                extras.insert(Path::Member(self.path, &name).to_string(), value);
            }
        }
    }
}

/// The value as a whole number, if it is one.
fn whole(value: &Value) -> Option<i128> {
    value.as_number()?.as_whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bourse_vocab::json;

    #[test]
    fn a_mistake_is_reported_with_its_path() {
        let root = Path::Root;
        let messages = Path::Member(&root, "messages");
        let message = Path::Item(&messages, 2);
        let mut fields = Fields::of(json!({"name": 7}), &message).unwrap();
        let failure = fields.text("name").unwrap_err();
        assert_eq!(
            failure.message,
            "messages[2].name: expected a string, got a number"
        );
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction_of_zero() {
        let mut fields = Fields::of(
            json!({"a": 3.0, "b": 3.5, "c": -1, "d": null, "e": 1e300}),
            &Path::Root,
        )
        .unwrap();
        assert_eq!(fields.count("a", 1, 9).unwrap(), Some(3));
        assert!(fields.count("b", 1, 9).is_err());
        assert!(fields.count("c", 1, 9).is_err());
        assert_eq!(fields.count("d", 1, 9).unwrap(), None);
        assert!(fields.count("e", 1, u64::MAX).is_err());
    }

    #[test]
    fn what_nobody_took_is_filed_under_its_path() {
        let path = Path::Item(&Path::Root, 1);
        let mut extras = Map::new();
        Fields::of(json!({"odd": 1, "nil": null}), &path)
            .unwrap()
            .rest_into(&mut extras);
        assert_eq!(Value::Object(extras), json!({"[1].odd": 1}));
    }
}
