//! Unknown members below the top level.
//!
//! The reader files them under their paths. Those of tools, of the answer's
//! shape, of tool calls and of parts go back to where they were: vendors keep
//! hints and signatures there. Those of anything else are reported as lost.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use bourse_vocab::Format;
use bourse_vocab::chat::Request;
use bourse_vocab::json::Value;

use crate::object::Object;

/// The leftovers of one request, by the path of what they are members of.
pub struct Leftovers<'a>(HashMap<&'a str, Filed<'a>>);

/// The leftovers of one object.
#[derive(Default)]
struct Filed<'a> {
    members: Vec<(&'a str, &'a Value)>,
    /// Whether they were written. A part may have found no place in the
    /// request, and then its leftovers have not either.
    written: Cell<bool>,
}

/// Objects inside parts whose leftovers are filed under their own path.
const INNER: [&str; 4] = [".image_url", ".input_audio", ".file", ".video_url"];

impl<'a> Leftovers<'a> {
    /// Those of a request, if they are of this format.
    pub fn of(request: &'a Request) -> Self {
        let mut leftovers = HashMap::new();
        if request.extras.format == Format::OpenAiChat {
            for (path, value) in &request.extras.members {
                if let Some((parent, name)) = split(path) {
                    let filed: &mut Filed<'_> = leftovers.entry(parent).or_default();
                    filed.members.push((name, value));
                }
            }
        }
        Self(leftovers)
    }

    /// Whether a leftover went back to where it was, which is known when
    /// everything else is written.
    pub fn keeps(&self, path: &str) -> bool {
        split(path).is_some_and(|(parent, _)| {
            let is_sure = !is_in_part(parent) && !is_message(parent);
            is_sure || self.0.get(parent).is_some_and(|filed| filed.written.get())
        })
    }

    /// The path of a part, if it has leftovers.
    pub fn origin(&self, path: fmt::Arguments<'_>) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let path = path.to_string();
        let is_filed = |inner: &str| self.0.contains_key(format!("{path}{inner}").as_str());
        (is_filed("") || INNER.iter().any(|inner| is_filed(inner))).then_some(path)
    }

    /// Writes the leftovers of the object at `path`, in their order.
    pub fn write(&self, object: &mut Object<'_>, path: fmt::Arguments<'_>) {
        if self.0.is_empty() {
            return;
        }
        let Some(filed) = self.0.get(path.to_string().as_str()) else {
            return;
        };
        filed.written.set(true);
        for (name, value) in &filed.members {
            object.put(name, value);
        }
    }
}

/// The path of an object that keeps its leftovers, and the name of one.
fn split(path: &str) -> Option<(&str, &str)> {
    // The names of what is kept here have no quotes, so the first are those of
    // a name that would be taken for a part of the path.
    let quoted = path
        .strip_suffix("\"]")
        .and_then(|path| path.split_once("[\""));
    let (parent, name) = quoted.or_else(|| path.rsplit_once('.'))?;
    let is_kept = match parent.strip_suffix(".function") {
        Some(outer) => is_tool(outer) || is_call(outer),
        None => {
            is_tool(parent)
                || is_call(parent)
                || is_in_part(parent)
                || (is_message(parent) && name == "type")
                || matches!(parent, "response_format" | "response_format.json_schema")
        }
    };
    let is_name = quoted.is_some() || !name.contains('[');
    (is_kept && is_name).then_some((parent, name))
}

fn is_tool(path: &str) -> bool {
    item_of(path, "tools") == Some("")
}

fn is_message(path: &str) -> bool {
    item_of(path, "messages") == Some("")
}

fn is_call(path: &str) -> bool {
    item_of(path, "messages").and_then(|rest| item_of(rest, ".tool_calls")) == Some("")
}

/// Whether a path is that of a part of a message, or of the object in one.
fn is_in_part(path: &str) -> bool {
    let outer = INNER
        .iter()
        .find_map(|inner| path.strip_suffix(inner))
        .unwrap_or(path);
    item_of(outer, "messages").is_some_and(|rest| {
        [".content", ".images"]
            .iter()
            .any(|list| item_of(rest, list) == Some(""))
    })
}

/// What follows `list[<number>]` at the beginning of a path.
fn item_of<'t>(path: &'t str, list: &str) -> Option<&'t str> {
    let (number, rest) = path
        .strip_prefix(list)?
        .strip_prefix('[')?
        .split_once(']')?;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_kept_where_their_object_is_written() {
        for path in [
            "tools[0].defer_loading",
            "tools[12].function.x",
            "response_format.x",
            "response_format.json_schema.x",
            "messages[3].tool_calls[1].extra_content",
            "messages[3].tool_calls[1].function.x",
            "messages[3].content[1].x",
            "messages[3].content[1].image_url.x",
            "messages[3].images[1].x",
            "messages[3].type",
            "response_format.json_schema[\"[\"]",
        ] {
            assert!(split(path).is_some(), "{path}");
        }
        let odd = "tools[0].function[\"a.b[\"0\"]\"]";
        assert_eq!(split(odd), Some(("tools[0].function", "a.b[\"0\"]")));
        for path in [
            "x",
            "tools[0]",
            "tools[0].a.b",
            "messages[3].content[1].other.x",
            "messages[3].content[1].image_url.x.y",
            "messages[3].x",
            "response_format.a.b",
            "tools[x].y",
        ] {
            assert!(split(path).is_none(), "{path}");
        }
    }
}
