//! The tools of a request, looked up by name in its text.
//!
//! Chat completions have a tool's name and `parameters` inside of its
//! `function`, Responses beside its `type`, Messages has `input_schema`. No two
//! formats mean different things by one member, so that one reading does for
//! all, and a list is walked rather than parsed.

use std::borrow::Cow;

use crate::json::{Kind, text, walk};

/// A `tools` member as it was scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered<'a>(pub &'a [u8]);

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A tool whose arguments have a schema.
    Schema(&'a [u8]),
    /// A tool of whose arguments nothing is said.
    Plain,
    /// A tool that takes any text.
    Text,
    /// No tool.
    Nothing,
    /// There are tools without a name, or groups of tools: one of them may be
    /// called so.
    Unsure,
}

/// What is said of one tool.
#[derive(Default)]
struct Tool<'a> {
    name: Option<&'a [u8]>,
    schema: Option<&'a [u8]>,
    is_custom: bool,
    /// It has tools of its own, which are called by other names.
    is_group: bool,
}

impl<'a> Tool<'a> {
    fn read(tool: &'a [u8]) -> Self {
        let mut read = Self::default();
        for entry in walk::members(tool) {
            match (entry.name, entry.kind) {
                (b"function" | b"custom", Kind::Object) => {
                    let inside = Self::read(entry.value);
                    read.name = inside.name.or(read.name);
                    read.schema = inside.schema.or(read.schema);
                    read.is_custom |= entry.name == b"custom";
                }
                (b"type", Kind::String) => read.is_custom |= entry.value == b"\"custom\"",
                (b"tools", Kind::Array) => read.is_group = true,
                (b"name", Kind::String) => read.name = Some(entry.value),
                (b"parameters" | b"input_schema", Kind::Object | Kind::True | Kind::False) => {
                    read.schema = Some(entry.value);
                }
                _ => {}
            }
        }
        read
    }
}

impl<'a> Offered<'a> {
    /// The first tool of a name.
    pub fn find(self, name: &str) -> Found<'a> {
        let mut is_sure = true;
        for element in walk::elements(self.0) {
            let tool = Tool::read(element.value);
            let own_name = tool.name.filter(|_| !tool.is_group);
            let Some(called) = own_name.and_then(text::string) else {
                is_sure = false;
                continue;
            };
            if called != Cow::Borrowed(name) {
                continue;
            }
            return match tool.schema {
                Some(schema) => Found::Schema(schema),
                None if tool.is_custom => Found::Text,
                None => Found::Plain,
            };
        }
        if is_sure {
            Found::Nothing
        } else {
            Found::Unsure
        }
    }
}
