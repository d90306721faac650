//! The part of JSON Schema that arguments are judged by.
//!
//! `type`, `enum`, `const`, `required`, `properties`, `additionalProperties:
//! false` and `items` of Draft 7, which OpenRouter judges by (openrouter.ai/docs,
//! Auto Exacto, as of October 2026; the keywords are those of
//! draft-handrews-json-schema-validation-01). Any other keyword is taken to be
//! met, and so is whatever a keyword cannot mean: nobody is blamed for a schema
//! that is not understood. Both texts are walked, neither is parsed.
//!
//! Google's `Schema` is OpenAPI 3.0's: the same keywords, but types in capitals,
//! `nullable` beside them and texts in `enum`, whatever the type (`Schema`,
//! ai.google.dev/api/caching, November 2026).

use crate::json::walk::{self, Entry};
use crate::json::{Kind, text};

/// How deep arguments are looked into: real ones stay below ten.
const DEPTH_MAX: u32 = 64;

/// In whose words a schema is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// JSON Schema, draft 7.
    Draft7,
    /// OpenAPI 3.0, as Google has it.
    OpenApi,
}

/// A schema as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schema<'a> {
    text: &'a [u8],
    words: Words,
}

impl<'a> Schema<'a> {
    /// A text in some words.
    pub const fn of(text: &'a [u8], words: Words) -> Self {
        Self { text, words }
    }

    /// Another in the same.
    const fn with(self, text: &'a [u8]) -> Self {
        Self { text, ..self }
    }
}

/// Judges, as long as what it looked at is within a bound.
#[derive(Debug)]
pub(super) struct Judge {
    /// How many bytes more may be looked at.
    left: usize,
}

/// The keywords of a schema that are judged. The last of a name counts, as to
/// parsers.
#[derive(Default)]
struct Keywords<'a> {
    kind: Option<Entry<'a>>,
    one_of: Option<Entry<'a>>,
    constant: Option<Entry<'a>>,
    required: Option<&'a [u8]>,
    properties: Option<&'a [u8]>,
    items: Option<Entry<'a>>,
    /// No other properties than those that are listed.
    is_closed: bool,
    /// Other properties may be listed by their form.
    has_patterns: bool,
    /// It stands for another schema.
    is_reference: bool,
    /// `null` is met, whatever else is said.
    is_nullable: bool,
}

/// A value as it is written.
#[derive(Clone, Copy)]
struct Value<'a> {
    text: &'a [u8],
    kind: Kind,
}

impl Judge {
    /// One that may look at so many bytes.
    pub const fn with(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// Notes that so many bytes are looked at; `None` if they are too many.
    pub fn look_at(&mut self, bytes: usize) -> Option<()> {
        // A walk over nothing is a step too.
        self.left = self.left.checked_sub(bytes.saturating_add(1))?;
        Some(())
    }

    /// Whether a valid JSON text fits a schema; `None` if that is too much work.
    pub fn fits(&mut self, schema: Schema<'_>, text: &[u8]) -> Option<bool> {
        let text = text.trim_ascii();
        let Some(kind) = kind_of(text) else {
            return Some(true);
        };
        let value = Value { text, kind };
        self.is_met(schema, value, 0)
    }

    fn is_met(&mut self, schema: Schema<'_>, value: Value<'_>, depth: u32) -> Option<bool> {
        if depth >= DEPTH_MAX {
            return None;
        }
        self.look_at(schema.text.len())?;
        match kind_of(schema.text) {
            Some(Kind::False) => return Some(false),
            Some(Kind::Object) => {}
            _ => return Some(true),
        }
        let keywords = Keywords::read(schema.text);
        let is_openapi = schema.words == Words::OpenApi;
        if is_openapi && keywords.is_nullable && value.kind == Kind::Null {
            return Some(true);
        }
        // Whatever stands beside a reference is ignored (draft 7, 8.3 of core).
        if keywords.is_reference {
            return Some(true);
        }
        let is_one_of = |list: &Entry<'_>| {
            list.kind != Kind::Array
                // Google lists numbers as texts.
                || (is_openapi && value.kind != Kind::String)
                || walk::elements(list.value).any(|one| may_equal(one.value, one.kind, value))
        };
        let is_right = keywords
            .kind
            .as_ref()
            .is_none_or(|kind| is_a(kind, value, schema.words))
            && keywords.one_of.as_ref().is_none_or(is_one_of)
            && keywords
                .constant
                .as_ref()
                .is_none_or(|one| may_equal(one.value, one.kind, value));
        if !is_right {
            return Some(false);
        }
        match value.kind {
            Kind::Object => self.members_fit((schema, &keywords), value.text, depth),
            Kind::Array => self.elements_fit((schema, &keywords), value.text, depth),
            _ => Some(true),
        }
    }

    fn elements_fit(
        &mut self,
        (schema, keywords): (Schema<'_>, &Keywords<'_>),
        array: &[u8],
        depth: u32,
    ) -> Option<bool> {
        // A list of schemas, one for each place, is not judged.
        let Some(items) = keywords.items.as_ref().filter(|e| e.kind != Kind::Array) else {
            return Some(true);
        };
        self.look_at(array.len())?;
        for element in walk::elements(array) {
            let value = Value {
                text: element.value,
                kind: element.kind,
            };
            if !self.is_met(schema.with(items.value), value, depth.saturating_add(1))? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn members_fit(
        &mut self,
        (schema, keywords): (Schema<'_>, &Keywords<'_>),
        object: &[u8],
        depth: u32,
    ) -> Option<bool> {
        for name in keywords
            .required
            .iter()
            .flat_map(|list| walk::elements(list))
        {
            self.look_at(object.len())?;
            let is_there = |entry: Entry<'_>| is_same(entry.name, inside(name.value));
            if name.kind == Kind::String && !walk::members(object).any(is_there) {
                return Some(false);
            }
        }
        self.look_at(object.len())?;
        let properties = keywords.properties.unwrap_or_default();
        for entry in walk::members(object) {
            self.look_at(properties.len())?;
            let listed = walk::members(properties).filter(|one| is_same(one.name, entry.name));
            let fits = match listed.last() {
                Some(listed) => {
                    let value = Value {
                        text: entry.value,
                        kind: entry.kind,
                    };
                    self.is_met(schema.with(listed.value), value, depth.saturating_add(1))?
                }
                None => !keywords.is_closed || keywords.has_patterns,
            };
            if !fits {
                // To parsers the last of a name counts, which is yet to come.
                self.look_at(object.len())?;
                let later = walk::members(object).filter(|one| one.at.start > entry.at.start);
                if !later.into_iter().any(|one| is_same(one.name, entry.name)) {
                    return Some(false);
                }
            }
        }
        Some(true)
    }
}

impl<'a> Keywords<'a> {
    fn read(schema: &'a [u8]) -> Self {
        let mut read = Self::default();
        for entry in walk::members(schema) {
            match entry.name {
                b"type" => read.kind = Some(entry),
                b"enum" => read.one_of = Some(entry),
                b"const" => read.constant = Some(entry),
                b"required" => read.required = Some(entry.value),
                b"properties" => read.properties = Some(entry.value),
                b"items" => read.items = Some(entry),
                b"additionalProperties" => read.is_closed = entry.kind == Kind::False,
                b"patternProperties" => read.has_patterns = true,
                b"$ref" => read.is_reference = true,
                b"nullable" => read.is_nullable = entry.kind == Kind::True,
                _ => {}
            }
        }
        read
    }
}

/// What sort of value a valid text begins with.
fn kind_of(text: &[u8]) -> Option<Kind> {
    Some(match text.trim_ascii_start().first()? {
        b'"' => Kind::String,
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b't' => Kind::True,
        b'f' => Kind::False,
        b'n' => Kind::Null,
        _ => Kind::Number,
    })
}

/// Whether a value is of a `type`, or of one in a list.
fn is_a(kind: &Entry<'_>, value: Value<'_>, words: Words) -> bool {
    match kind.kind {
        Kind::String => is_of(kind.value, value, words),
        Kind::Array => {
            let mut listed = walk::elements(kind.value);
            listed.any(|word| word.kind != Kind::String || is_of(word.value, value, words))
        }
        _ => true,
    }
}

/// The same for one word. One that is none of the schema's says nothing.
fn is_of(word: &[u8], value: Value<'_>, words: Words) -> bool {
    let small: Vec<u8>;
    let word = match words {
        Words::Draft7 => word,
        // The API takes small letters, too.
        Words::OpenApi => {
            small = word.to_ascii_lowercase();
            &small
        }
    };
    match word {
        b"\"string\"" => value.kind == Kind::String,
        b"\"number\"" => value.kind == Kind::Number,
        b"\"integer\"" => value.kind == Kind::Number && is_whole(value.text),
        b"\"boolean\"" => matches!(value.kind, Kind::True | Kind::False),
        b"\"null\"" => value.kind == Kind::Null,
        b"\"array\"" => value.kind == Kind::Array,
        b"\"object\"" => value.kind == Kind::Object,
        _ => true,
    }
}

/// Whether a number is a whole one, however it is written: `7.0` is one.
fn is_whole(number: &[u8]) -> bool {
    text::whole(number).is_some()
        || text::f64(number).is_none_or(|number| number.fract().abs() < f64::MIN_POSITIVE)
}

/// Whether two values may be the same. Numbers are compared as clients have
/// them; objects and arrays are not compared.
fn may_equal(one: &[u8], kind: Kind, other: Value<'_>) -> bool {
    if kind != other.kind {
        return false;
    }
    match kind {
        Kind::String => is_same(inside(one), inside(other.text)),
        Kind::Number => match (text::f64(one), text::f64(other.text)) {
            (Some(one), Some(other)) => one.total_cmp(&other).is_eq() || one == other,
            _ => true,
        },
        _ => true,
    }
}

/// What is between the quotes.
fn inside(text: &[u8]) -> &[u8] {
    let end = text.len().saturating_sub(1);
    text.get(1..end).unwrap_or_default()
}

/// Whether two texts are the same, both as they are between their quotes.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let has_escapes = |text| memchr::memchr(b'\\', text).is_some();
    if !has_escapes(one) && !has_escapes(other) {
        return false;
    }
    let read = |text: &[u8]| text::string(&[b"\"", text, b"\""].concat()).map(|t| t.into_owned());
    read(one) == read(other)
}
