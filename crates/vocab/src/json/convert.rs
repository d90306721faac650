//! Making values out of other types, and comparing the two.

use std::borrow::Cow;
use std::ops::{Index, IndexMut};

use super::{Map, Number, Value};

/// What [`json!`](crate::json!) can put into a value.
pub trait ToValue {
    /// The value that says the same.
    fn to_value(&self) -> Value;
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

impl<T: ToValue> ToValue for [T] {
    fn to_value(&self) -> Value {
        self.iter().map(T::to_value).collect()
    }
}

impl<T: ToValue, const N: usize> ToValue for [T; N] {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<T: ToValue + ToOwned + ?Sized> ToValue for Cow<'_, T> {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::String(self.to_owned())
    }
}

/// Types that are cloned into a value, made of it by `From`, and, in tests,
/// compared with it.
macro_rules! plain {
    ($($type:ty => |$given:ident| $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($given: $type) -> Self {
                $value
            }
        }

        impl ToValue for $type {
            fn to_value(&self) -> Value {
                Value::from(self.clone())
            }
        }

        impl PartialEq<$type> for Value {
            fn eq(&self, other: &$type) -> bool {
                *self == other.to_value()
            }
        }
    )*};
}

plain! {
    bool => |flag| Self::Bool(flag);
    u8 => |number| Self::Number(Number::from(u64::from(number)));
    u16 => |number| Self::Number(Number::from(u64::from(number)));
    u32 => |number| Self::Number(Number::from(u64::from(number)));
    u64 => |number| Self::Number(Number::from(number));
    usize => |number| Self::Number(Number::from(number as u64));
    i32 => |number| Self::Number(Number::from(i64::from(number)));
    i64 => |number| Self::Number(Number::from(number));
    f64 => |number| Number::from_f64(number).map_or(Self::Null, Self::Number);
    String => |text| Self::String(text);
    Map => |members| Self::Object(members);
    Number => |number| Self::Number(number);
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_value()
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().map(Into::into).collect()
    }
}

impl<T: ToValue> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        items.to_value()
    }
}

impl From<&Number> for Value {
    fn from(number: &Number) -> Self {
        Self::Number(number.clone())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

/// A member, or `null` if there is none.
impl Index<&str> for Value {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        static NULL: Value = Value::Null;
        self.get(name).unwrap_or(&NULL)
    }
}

/// An item, or `null` if there is none.
impl Index<usize> for Value {
    type Output = Self;

    fn index(&self, at: usize) -> &Self {
        static NULL: Value = Value::Null;
        self.as_array()
            .and_then(|items| items.get(at))
            .unwrap_or(&NULL)
    }
}

/// A member, made as `null` if there is none; what is no object becomes one.
impl IndexMut<&str> for Value {
    fn index_mut(&mut self, name: &str) -> &mut Self {
        if !self.is_object() {
            *self = Self::Object(Map::new());
        }
        match self {
            Self::Object(members) => members.slot(name),
            other => other,
        }
    }
}
