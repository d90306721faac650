//! Writing values.

use std::fmt;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{Map, Value};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(members) => members.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

impl Map {
    /// As JSON without white space, in room that is made for it once: a long
    /// text that is written into room that grows is copied, and for a moment
    /// there twice.
    ///
    /// # Errors
    /// None that is known; a number that is none could not be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = Vec::with_capacity(members_room(self));
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }
}

/// Bytes that a value takes where nothing in it is escaped. Of a number, that
/// it is a short one.
fn room(value: &Value) -> usize {
    const SHORT: usize = 8;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => SHORT,
        Value::String(text) => text.len().saturating_add("\"\"".len()),
        Value::Array(items) => items.iter().fold("[]".len(), |sum, item| {
            sum.saturating_add(room(item)).saturating_add(",".len())
        }),
        Value::Object(members) => members_room(members),
    }
}

fn members_room(members: &Map) -> usize {
    members.iter().fold("{}".len(), |sum, (name, value)| {
        sum.saturating_add(name.len())
            .saturating_add("\"\":,".len())
            .saturating_add(room(value))
    })
}

/// Prints JSON without white space.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The same as [`fmt::Display`]: a tree of Rust types is harder to read.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
