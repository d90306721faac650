//! What a place in the vocabulary is called in a client's request.
//!
//! A translation speaks of the messages that it was given
//! (`messages[2].content[0]`), by the names of the vocabulary. Clients are told
//! where to look in what they sent: each format says which of its members and
//! items messages and their parts were made of.

use bourse_vocab::chat::Loss;

/// What one message of the vocabulary was made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Where it stands.
    pub path: String,
    /// Where each of its parts stands.
    pub parts: Vec<String>,
    /// Of a tool's result: where its own parts stand, and whether they are
    /// a list.
    pub inside: Option<(String, bool)>,
}

impl Origin {
    /// A message at `path`.
    pub fn at(path: String) -> Self {
        Self {
            path,
            ..Self::default()
        }
    }
}

/// Has losses say where they are in the client's request. `name` says what the
/// client calls a member that is no message, and what follows a part.
pub fn locate(losses: &mut [Loss], origins: &[Origin], names: &Names<'_>) {
    for loss in losses {
        let located = match loss.field.strip_prefix("messages") {
            Some("") => Some(names.messages.to_owned()),
            Some(rest) => located(rest, origins, names),
            None => (names.member)(&loss.field),
        };
        if let Some(located) = located {
            loss.field = located;
        }
    }
}

/// What a client calls things.
pub struct Names<'a> {
    /// The member that holds the conversation.
    pub messages: &'a str,
    /// A member beside it, by its name in the vocabulary.
    pub member: &'a dyn Fn(&str) -> Option<String>,
    /// What stands inside a part (`.cache_control`).
    pub inside: &'a dyn Fn(&str, &str) -> String,
}

/// Whether a loss is about something in the messages.
pub fn is_in_messages(loss: &Loss) -> bool {
    loss.field.starts_with("messages[")
}

fn located(rest: &str, origins: &[Origin], names: &Names<'_>) -> Option<String> {
    let (message, rest) = indexed(rest)?;
    let origin = origins.get(message)?;
    let Some((part, rest)) = rest.strip_prefix(".content").and_then(indexed) else {
        return Some(format!("{}{rest}", origin.path));
    };
    if let Some((inside, is_list)) = &origin.inside {
        return Some(match rest.strip_prefix(".content").and_then(indexed) {
            Some((inner, rest)) if *is_list => {
                let path = format!("{inside}[{inner}]");
                (names.inside)(&path, rest)
            }
            Some((_, rest)) => format!("{inside}{rest}"),
            None => (names.inside)(&origin.path, rest),
        });
    }
    Some(match origin.parts.get(part) {
        Some(path) => (names.inside)(path, rest),
        None => origin.path.clone(),
    })
}

/// A number in brackets at the beginning, and what follows.
pub fn indexed(path: &str) -> Option<(usize, &str)> {
    let (number, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// The same field with `name` in place of its beginning, if it begins so: as a
/// whole name, and not in its middle.
pub fn renamed(field: &str, ours: &str, name: &str) -> Option<String> {
    let rest = field.strip_prefix(ours)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{name}{rest}"))
}
