//! The tools of a request, looked up by name in its text.
//!
//! Chat completions have a tool's name and `parameters` inside of its
//! `function`, Responses beside its `type`, Messages has `input_schema`, and
//! Google has lists of declarations, whose `parameters` are in a dialect of
//! their own. No two formats mean different things by one member in one place,
//! so that one reading does for all, and a list is walked rather than parsed.

use std::borrow::Cow;

use super::schema::{Schema, Words};
use crate::json::{Kind, text, walk};

/// A `tools` member as it was scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered<'a>(pub &'a [u8]);

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A tool whose arguments have a schema.
    Schema(Schema<'a>),
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
    schema: Option<Schema<'a>>,
    is_custom: bool,
    /// It has tools of its own, which are called by other names.
    is_group: bool,
    /// It is a list of Google's declarations.
    declared: Option<&'a [u8]>,
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
                    read.schema = Some(Schema::of(entry.value, Words::Draft7));
                }
                // Both spellings (`FunctionDeclaration`, ai.google.dev/api,
                // November 2026; JSON of protocol buffers).
                (b"functionDeclarations" | b"function_declarations", Kind::Array) => {
                    read.declared = Some(entry.value);
                }
                _ => {}
            }
        }
        read
    }

    /// One of Google's declarations.
    fn read_declared(declaration: &'a [u8]) -> Self {
        let mut read = Self::default();
        let mut older = None;
        for entry in walk::members(declaration) {
            match (entry.name, entry.kind) {
                (b"name", Kind::String) => read.name = Some(entry.value),
                (b"parametersJsonSchema" | b"parameters_json_schema", Kind::Object) => {
                    read.schema = Some(Schema::of(entry.value, Words::Draft7));
                }
                (b"parameters", Kind::Object) => {
                    older = Some(Schema::of(entry.value, Words::OpenApi));
                }
                _ => {}
            }
        }
        read.schema = read.schema.or(older);
        read
    }

    /// What it is, if it is called so; `None` if it is called otherwise, or if
    /// nobody can say how.
    fn if_called(&self, name: &str, is_sure: &mut bool) -> Option<Found<'a>> {
        let own_name = self.name.filter(|_| !self.is_group);
        let Some(called) = own_name.and_then(text::string) else {
            *is_sure = false;
            return None;
        };
        if called != Cow::Borrowed(name) {
            return None;
        }
        Some(match self.schema {
            Some(schema) => Found::Schema(schema),
            None if self.is_custom => Found::Text,
            None => Found::Plain,
        })
    }
}

impl<'a> Offered<'a> {
    /// The first tool of a name.
    pub fn find(self, name: &str) -> Found<'a> {
        let mut is_sure = true;
        for element in walk::elements(self.0) {
            let tool = Tool::read(element.value);
            let found = match tool.declared {
                None => tool.if_called(name, &mut is_sure),
                Some(list) => walk::elements(list).find_map(|declared| {
                    Tool::read_declared(declared.value).if_called(name, &mut is_sure)
                }),
            };
            if let Some(found) = found {
                return found;
            }
        }
        if is_sure {
            Found::Nothing
        } else {
            Found::Unsure
        }
    }
}
