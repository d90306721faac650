//! JSON trees that keep what they are given: members in the order in which
//! they came, numbers with the digits in which they were written.
//!
//! Both matter on the way between two vendors. Models generate the members of
//! a schema in its order; caches of prompts go by bytes; and a number of 30
//! digits, `1e400` or `-0` is somebody's account, limit or hash, which a float
//! would change without a word. `serde_json` can do the same by two features
//! that unify over a whole workspace and would change what a map and a number
//! mean in every crate; see decision 14.

mod convert;
mod map;
mod number;
mod parse;
mod write;

#[cfg(test)]
mod tests;

pub use convert::ToValue;
pub use map::Map;
pub use number::Number;
pub use parse::{NESTING_MAX, ParseError, parse};

/// Any JSON value.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(Number),
    /// A text.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Map),
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The number, if it is written as a whole one that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The number, if it is written as a whole one that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The number, rounded to the nearest float; `None` beyond its range.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number()?.as_f64()
    }

    /// The items, if it is an array.
    #[must_use]
    pub const fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The items, to be changed, if it is an array.
    #[must_use]
    pub const fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members, if it is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The members, to be changed, if it is an object.
    #[must_use]
    pub const fn as_object_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a text.
    #[must_use]
    pub const fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is a number.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is an array.
    #[must_use]
    pub const fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether it is an object.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// A member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// A member of an object, to be changed.
    #[must_use]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(name)
    }

    /// What a JSON Pointer (RFC 6901) leads to through objects and arrays;
    /// without its escapes, which no name here needs.
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        let mut value = self;
        for step in pointer.split('/').skip(1) {
            value = match value {
                Self::Object(members) => members.get(step)?,
                Self::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Takes the value and leaves `null`.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Builds a [`Value`] out of JSON with expressions in it. Keys are literals or
/// names of variables.
#[macro_export]
macro_rules! json {
    (null) => { $crate::json::Value::Null };
    ([ $($items:tt)* ]) => {{
        #[allow(unused_mut)]
        let mut items: ::std::vec::Vec<$crate::json::Value> = ::std::vec::Vec::new();
        $crate::json_items!(items $($items)*);
        $crate::json::Value::Array(items)
    }};
    ({ $($members:tt)* }) => {{
        #[allow(unused_mut)]
        let mut members = $crate::json::Map::new();
        $crate::json_members!(members $($members)*);
        $crate::json::Value::Object(members)
    }};
    ($value:expr) => { $crate::json::ToValue::to_value(&$value) };
}

/// The items of [`json!`].
#[doc(hidden)]
#[macro_export]
macro_rules! json_items {
    ($items:ident) => {};
    ($items:ident null $(, $($rest:tt)*)?) => {
        $items.push($crate::json!(null));
        $crate::json_items!($items $($($rest)*)?);
    };
    ($items:ident [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $items.push($crate::json!([ $($inner)* ]));
        $crate::json_items!($items $($($rest)*)?);
    };
    ($items:ident { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $items.push($crate::json!({ $($inner)* }));
        $crate::json_items!($items $($($rest)*)?);
    };
    ($items:ident $value:expr $(, $($rest:tt)*)?) => {
        $items.push($crate::json!($value));
        $crate::json_items!($items $($($rest)*)?);
    };
}

/// The members of [`json!`].
#[doc(hidden)]
#[macro_export]
macro_rules! json_members {
    ($members:ident) => {};
    ($members:ident $name:tt : null $(, $($rest:tt)*)?) => {
        $members.insert(::std::string::String::from($name), $crate::json!(null));
        $crate::json_members!($members $($($rest)*)?);
    };
    ($members:ident $name:tt : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $members.insert(::std::string::String::from($name), $crate::json!([ $($inner)* ]));
        $crate::json_members!($members $($($rest)*)?);
    };
    ($members:ident $name:tt : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $members.insert(::std::string::String::from($name), $crate::json!({ $($inner)* }));
        $crate::json_members!($members $($($rest)*)?);
    };
    ($members:ident $name:tt : $value:expr $(, $($rest:tt)*)?) => {
        $members.insert(::std::string::String::from($name), $crate::json!($value));
        $crate::json_members!($members $($($rest)*)?);
    };
}
