//! Writing JSON objects in an order of our choosing.
//!
//! The parsed map sorts its members by name, which is legal but hard to read
//! in a log, and building a tree only to print it costs two allocations a
//! member. This writes straight into the output.

use serde::Serialize;

/// An object that is being written. [`Object::close`] ends it.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Begins an object at the end of `out`.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Goes on with an object whose beginning, which ends after a member,
    /// is in `out` already.
    pub fn resume(out: &'a mut Vec<u8>) -> Self {
        Self { out, empty: false }
    }

    /// Writes a member.
    pub fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> &mut Self {
        self.nested(name, |out| write(out, value))
    }

    /// Writes a member if there is a value.
    pub fn put_some<T: Serialize>(&mut self, name: &str, value: Option<&T>) -> &mut Self {
        if let Some(value) = value {
            self.put(name, value);
        }
        self
    }

    /// Writes a member whose value is JSON text already.
    pub fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.nested(name, |out| out.extend_from_slice(json.as_bytes()))
    }

    /// Writes a member whose value `fill` appends; it must append exactly
    /// one JSON value.
    pub fn nested(&mut self, name: &str, fill: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write(self.out, name);
        self.out.push(b':');
        fill(self.out);
        self
    }

    /// Ends the object.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// Writes an object that `fill` gives its members.
pub fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    let mut object = Object::open(out);
    fill(&mut object);
    object.close();
}

/// Writes an array with one item for each of `items`; `write_item` must
/// append exactly one JSON value.
pub fn array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write_item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_item(out, item);
    }
    out.push(b']');
}

/// Writes one value.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let before = out.len();
    // Writing text, numbers and trees to memory cannot fail. Should a type
    // come along that can, the output stays JSON.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_the_order_in_which_they_are_written() {
        let mut out = Vec::new();
        object(&mut out, |outer| {
            outer.put("z", "\"").put_some("no", None::<&u8>);
            outer.nested("a", |out| array(out, [1, 2], |out, n| write(out, &n)));
            outer
                .nested("m", |out| object(out, |_| {}))
                .raw("r", "1.50");
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"z":"\"","a":[1,2],"m":{},"r":1.50}"#
        );
    }
}
