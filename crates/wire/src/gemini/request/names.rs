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
///
/// # Errors
/// It is no object, or a member is there in both styles: which of the two
/// counts, parsers decide differently.
pub fn fields<'p>(value: Value, path: &'p Path<'p>) -> Result<Fields<'p>, Failure> {
    let Value::Object(members) = value else {
        return Fields::of(value, path);
    };
    let mut renamed = Map::new();
    for (name, value) in members {
        let own = camel(&name);
        if renamed.insert(own.clone(), value).is_some() {
            return Err(twice(path, &own));
        }
    }
    Fields::of(Value::Object(renamed), path)
}

/// A member that is there in both styles.
pub fn twice(path: &Path<'_>, name: &str) -> Failure {
    Path::Member(path, name).invalid("is there twice, in two spellings; send one")
}
