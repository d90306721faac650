//! Names of members, in either style.

use bourse_vocab::Failure;
use bourse_vocab::json::{Map, Value};

use crate::fields::{Fields, Path};

/// A name in the style of Google's JSON. Its servers take the style of its
/// protocol definitions too (`inline_data`), and many clients send it.
pub fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// The members of an object, whichever style their names are in.
pub fn fields<'p>(value: Value, path: &'p Path<'p>) -> Result<Fields<'p>, Failure> {
    let value = match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (camel(&name), value))
            .collect::<Map>()
            .into(),
        value => value,
    };
    Fields::of(value, path)
}
