//! Unknown members below the top level.
//!
//! The reader files them under their paths. Those of tools, of the answer's
//! shape and of tool calls go back to where they were: vendors keep hints and
//! signatures there. Those of anything else are reported as lost.

use std::collections::HashMap;
use std::fmt;

use bourse_vocab::Format;
use bourse_vocab::chat::Request;
use bourse_vocab::json::Value;

use crate::object::Object;

/// The leftovers of one request, by the path of what they are members of.
pub struct Leftovers<'a>(HashMap<&'a str, Vec<(&'a str, &'a Value)>>);

impl<'a> Leftovers<'a> {
    /// Those of a request, if they are of this format.
    pub fn of(request: &'a Request) -> Self {
        let mut leftovers = HashMap::new();
        if request.extras.format == Format::OpenAiChat {
            for (path, value) in &request.extras.members {
                if let Some((parent, name)) = split(path) {
                    let list: &mut Vec<_> = leftovers.entry(parent).or_default();
                    list.push((name, value));
                }
            }
        }
        Self(leftovers)
    }

    /// Whether a leftover goes back to where it was.
    pub fn keeps(path: &str) -> bool {
        split(path).is_some()
    }

    /// Writes the leftovers of the object at `path`, in their order.
    pub fn write(&self, object: &mut Object<'_>, path: fmt::Arguments<'_>) {
        if self.0.is_empty() {
            return;
        }
        for (name, value) in self.0.get(path.to_string().as_str()).into_iter().flatten() {
            object.put(name, value);
        }
    }
}

/// The path of an object that keeps its leftovers, and the name of one.
fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('.')?;
    let is_kept = match parent.strip_suffix(".function") {
        Some(outer) => is_tool(outer) || is_call(outer),
        None => {
            is_tool(parent)
                || is_call(parent)
                || matches!(parent, "response_format" | "response_format.json_schema")
        }
    };
    (is_kept && !name.contains('[')).then_some((parent, name))
}

fn is_tool(path: &str) -> bool {
    item_of(path, "tools") == Some("")
}

fn is_call(path: &str) -> bool {
    item_of(path, "messages").and_then(|rest| item_of(rest, ".tool_calls")) == Some("")
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
        ] {
            assert!(Leftovers::keeps(path), "{path}");
        }
        for path in [
            "x",
            "tools[0]",
            "tools[0].a.b",
            "messages[3].content[1].x",
            "messages[3].x",
            "response_format.a.b",
            "tools[x].y",
        ] {
            assert!(!Leftovers::keeps(path), "{path}");
        }
    }
}
