//! One thing that is wrong, or looks wrong, and where.

use std::fmt;

use serde_json::{Value, json};

use super::schema::{names, schema};
use super::snippet::Snippet;

/// Mistakes of one file that are told. More are of one cause, or of a file that
/// is none of ours.
pub(super) const PROBLEMS_MAX: usize = 100;

/// Whether the configuration can be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It cannot.
    Error,
    /// It can, but is hardly what was meant.
    Warning,
}

impl Level {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Something that is nowhere, because it is missing or concerns the whole.
    Nowhere,
    /// A variable laid over the file, and what it holds, unless that is secret.
    Variable {
        /// Its name.
        name: String,
        /// What it holds.
        holds: Option<String>,
    },
    /// A place in a file, counted from 1; columns are characters.
    File {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The character in it.
        column: usize,
        /// The line itself, fit to be shown.
        snippet: Snippet,
    },
}

/// One mistake, or something that looks like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// The key that it is about, such as `models[3] (local/llama).slug`; empty
    /// if it is about none.
    pub key: String,
    /// What is wrong.
    pub sentence: String,
    /// What to do.
    pub help: Option<String>,
    /// Where.
    pub place: Place,
}

impl Problem {
    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = serde_json::Map::new();
        let mut set = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        set("level", json!(self.level.word()));
        set("message", json!(self.sentence));
        if !self.key.is_empty() {
            set("key", json!(self.key));
        }
        if let Some(help) = &self.help {
            set("help", json!(help));
        }
        match &self.place {
            Place::Nowhere => {}
            Place::Variable { name, holds } => {
                set("variable", json!(name));
                if let Some(holds) = holds {
                    set("value", json!(holds));
                }
            }
            Place::File {
                file, line, column, ..
            } => {
                set("file", json!(file));
                set("line", json!(line));
                set("column", json!(column));
            }
        }
        Value::Object(out)
    }
}

impl fmt::Display for Problem {
    /// One line: a record of the log must stay one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = match &self.place {
            Place::Nowhere => String::new(),
            Place::Variable { name, holds: None } => format!("{name}: "),
            Place::Variable {
                name,
                holds: Some(holds),
            } => format!("{name} (`{holds}`): "),
            Place::File {
                file, line, column, ..
            } => format!("{file}:{line}:{column}: "),
        };
        if !self.key.is_empty() {
            line.push_str(&self.key);
            line.push_str(": ");
        }
        line.push_str(&self.sentence);
        if let Some(help) = &self.help {
            line.push_str("; ");
            line.push_str(help);
        }
        f.write_str(&crate::spelled::plain(&line))
    }
}

/// What of a place is pointed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// The value.
    Value,
    /// The key.
    Key,
}

/// A mistake by its path alone, before its place is looked up.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) path: String,
    pub(super) sentence: String,
    pub(super) help: Option<String>,
    pub(super) point: Point,
    /// What cannot be understood because of it.
    pub(super) cut: String,
    /// A path about which nothing more is said: the mistake explains it.
    pub(super) explains: Option<String>,
}

impl Finding {
    pub(super) fn new(path: String, sentence: String) -> Self {
        Self {
            level: Level::Error,
            cut: path.clone(),
            path,
            sentence,
            help: None,
            point: Point::Value,
            explains: None,
        }
    }

    /// A sentence that begins with the key that it is about.
    pub(super) fn told(level: Level, problem: &str) -> Self {
        let is_path = |path: &str| {
            let section = path.split(['.', '[']).next().unwrap_or_default();
            names(schema()).any(|name| name == section)
        };
        let (path, sentence) = match problem.split_once(": ") {
            Some((path, sentence)) if is_path(path) => (path, sentence),
            _ => ("", problem),
        };
        Self {
            level,
            ..Self::new(path.to_owned(), sentence.to_owned())
        }
    }

    pub(super) fn at(self, point: Point) -> Self {
        Self { point, ..self }
    }

    pub(super) fn helped(self, help: String) -> Self {
        let help = Some(help);
        Self { help, ..self }
    }

    pub(super) fn also(self, path: String) -> Self {
        let explains = Some(path);
        Self { explains, ..self }
    }

    pub(super) fn cutting(self, path: &str) -> Self {
        let cut = path.to_owned();
        Self { cut, ..self }
    }

    /// Whether it explains what is wrong at a path.
    pub(super) fn is_cause_of(&self, path: &str) -> bool {
        let within = |whole: &str| {
            let rest = path.strip_prefix(whole);
            !whole.is_empty()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        within(&self.cut) || self.explains.as_deref().is_some_and(within)
    }
}
