//! Reading a client's conversation.

use bourse_vocab::Failure;
use bourse_vocab::chat::{Media, Message, Part, ReasoningKind, Role};
use bourse_vocab::json::{Map, Value};

use super::super::part::{self, Said};
use super::super::seal;
use super::names::{camel, fields};
use super::turns;
use crate::fields::{Fields, Path};

/// Turns of one conversation.
const CONTENTS_MAX: usize = 65_536;
/// Parts of one turn.
const PARTS_MAX: usize = 65_536;

/// Reads `systemInstruction` and `contents`.
#[derive(Debug)]
pub struct Contents<'e> {
    extras: &'e mut Map,
    /// Calls that wait for their result: (id, tool).
    open: std::collections::VecDeque<(String, String)>,
    /// How many calls there were, to name those without a name.
    calls: usize,
}

impl<'e> Contents<'e> {
    /// Unknown members go to `extras`.
    pub fn new(extras: &'e mut Map) -> Self {
        Self {
            extras,
            open: std::collections::VecDeque::new(),
            calls: 0,
        }
    }

    /// Reads the conversation, oldest first.
    pub fn read(mut self, body: &mut Fields<'_>) -> Result<Vec<Message>, Failure> {
        let root = Path::Root;
        let mut messages = Vec::new();
        if let Some(system) = body.take("systemInstruction") {
            let path = Path::Member(&root, "systemInstruction");
            let parts = match system {
                Value::String(text) => vec![Part::text(text)],
                system => self.turn(system, &path)?.1,
            };
            messages.push(turns::message(Role::System, parts));
        }
        let path = Path::Member(&root, "contents");
        let contents = match body.take("contents") {
            None => return Err(path.invalid("is required")),
            Some(Value::Array(contents)) if contents.is_empty() => {
                return Err(path.invalid("at least one content is required"));
            }
            // A single content is understood too, as Google's servers do.
            Some(content @ Value::Object(_)) => vec![content],
            Some(contents) => path.array(contents, CONTENTS_MAX)?,
        };
        for (index, content) in contents.into_iter().enumerate() {
            let (role, parts) = self.turn(content, &Path::Item(&path, index))?;
            turns::add(role, parts, &mut messages);
        }
        Ok(messages)
    }

    fn turn(&mut self, content: Value, path: &Path<'_>) -> Result<(Role, Vec<Part>), Failure> {
        let mut content = fields(content, path)?;
        let role = match content.text("role")?.as_deref() {
            None | Some("" | "user" | "function" | "system") => Role::User,
            Some("model") => Role::Assistant,
            Some(other) => {
                return Err(
                    content.invalid("role", format_args!("must be user or model, got {other:?}"))
                );
            }
        };
        let place = Path::Member(path, "parts");
        let items = match content.take("parts") {
            None => Vec::new(),
            Some(part @ Value::Object(_)) => vec![part],
            Some(items) => place.array(items, PARTS_MAX)?,
        };
        let mut parts = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            self.part(item, &Path::Item(&place, index), &mut parts)?;
        }
        content.rest_into(self.extras);
        Ok((role, parts))
    }

    fn part(&mut self, item: Value, path: &Path<'_>, parts: &mut Vec<Part>) -> Result<(), Failure> {
        one_kind(&item, path)?;
        let mut members = fields(item, path)?;
        self.inside(&mut members, path)?;
        if let Some(response) = members.take("functionResponse") {
            let place = Path::Member(path, "functionResponse");
            parts.push(self.result(response, &place)?);
            members.rest_into(self.extras);
            return Ok(());
        }
        if let Some(data) = members.take("fileData") {
            let place = Path::Member(path, "fileData");
            let mut data = Fields::of(data, &place)?;
            let uri = data.required_text("fileUri")?;
            parts.push(linked(uri, data.text("mimeType")?.as_deref()));
            data.rest_into(self.extras);
            members.rest_into(self.extras);
            return Ok(());
        }
        self.said(Value::Object(members.rest()), path, parts)
    }

    /// Reads a part that is no result of a tool and nothing that is elsewhere.
    fn said(&mut self, item: Value, path: &Path<'_>, parts: &mut Vec<Part>) -> Result<(), Failure> {
        let (signature, said) = part::read(&item);
        let id = match &said {
            Said::Call { id, name, .. } => {
                if name.is_empty() {
                    let place = Path::Member(path, "functionCall");
                    return Err(Path::Member(&place, "name").invalid("is required"));
                }
                let id = id.clone();
                Some(id.unwrap_or_else(|| part::call_id(None, self.calls, name)))
            }
            _ => None,
        };
        if let Some(signature) = signature {
            let shown = match &said {
                Said::Thought(text) => text,
                _ => "",
            };
            if let Some(thought) = seal::open(&signature, shown) {
                parts.push(Part::Reasoning(thought));
                if matches!(said, Said::Nothing | Said::Thought(_)) {
                    self.unknown(item, path);
                    return Ok(());
                }
            } else {
                let kind = ReasoningKind::Encrypted(signature);
                parts.push(part::reasoning(kind, id.clone()));
            }
        }
        match said {
            Said::Nothing => {}
            Said::Text(text) => parts.push(Part::text(text)),
            Said::Thought(text) => parts.push(part::reasoning(part::thought(text), None)),
            Said::Call {
                name, arguments, ..
            } => {
                let id = id.unwrap_or_default();
                self.calls += 1;
                self.open.push_back((id.clone(), name.clone()));
                parts.push(Part::ToolCall {
                    id,
                    name,
                    arguments,
                });
            }
            Said::Media { mime, data } => parts.push(part::media(mime, data)),
            Said::Other => {
                parts.push(part::opaque(&item));
                return Ok(());
            }
        }
        self.unknown(item, path);
        Ok(())
    }

    /// Reads the members of a part that hold what it says in this style too,
    /// and files what nobody else is told of them (`displayName`).
    fn inside(&mut self, members: &mut Fields<'_>, path: &Path<'_>) -> Result<(), Failure> {
        const KNOWN: [(&str, &[&str]); 2] = [
            ("inlineData", &["mimeType", "data"]),
            ("functionCall", &["id", "name", "args"]),
        ];
        for name in ["inlineData", "fileData", "functionCall", "functionResponse"] {
            let Some(value) = members.take(name) else {
                continue;
            };
            let place = Path::Member(path, name);
            let mut inner = fields(value, &place)?.rest();
            if let Some((_, known)) = KNOWN.iter().find(|(part, _)| *part == name) {
                inner.retain(|member, value| {
                    let is_known = known.contains(&member.as_str());
                    if !is_known {
                        let path = Path::Member(&place, member).to_string();
                        self.extras.insert(path, value.take());
                    }
                    is_known
                });
            }
            members.put_back(name, Value::Object(inner));
        }
        Ok(())
    }

    /// Files what a part has besides (`videoMetadata`), so that it is not
    /// lost without a word.
    fn unknown(&mut self, item: Value, path: &Path<'_>) {
        const KNOWN: &[&str] = &[
            "text",
            "thought",
            "thoughtSignature",
            "functionCall",
            "inlineData",
        ];
        if let Value::Object(members) = item {
            for (name, value) in members {
                if !KNOWN.contains(&name.as_str()) {
                    let path = Path::Member(path, &name).to_string();
                    self.extras.insert(path, value);
                }
            }
        }
    }

    fn result(&mut self, response: Value, path: &Path<'_>) -> Result<Part, Failure> {
        let mut response = Fields::of(response, path)?;
        let name = response.required_text("name")?;
        let id = response.text("id")?.filter(|id| !id.is_empty());
        // Results without an id answer the calls of their name in order.
        let at = self.open.iter().position(|(known, tool)| match &id {
            Some(id) => known == id,
            None => *tool == name,
        });
        let open = at.and_then(|at| self.open.remove(at));
        let call_id = id
            .or_else(|| open.map(|(id, _)| id))
            .unwrap_or_else(|| part::call_id(None, self.calls, &name));
        let said = response.object("response")?.unwrap_or_default();
        let (text, is_error) = spoken(&said);
        let mut parts = vec![Part::text(text)];
        let place = Path::Member(path, "parts");
        let media = response.array("parts", PARTS_MAX)?.unwrap_or_default();
        for (index, item) in media.into_iter().enumerate() {
            self.part(item, &Path::Item(&place, index), &mut parts)?;
        }
        response.rest_into(self.extras);
        Ok(Part::ToolResult {
            call_id,
            name: Some(name),
            parts,
            is_error,
            cache: None,
        })
    }
}

/// What a part may be. It is one of them (`Part`, Gemini API reference,
/// November 2026: a union), and what else is in it would be lost.
const KINDS: [&str; 9] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

fn one_kind(item: &Value, path: &Path<'_>) -> Result<(), Failure> {
    let members = item.as_object();
    let said = members.into_iter().flat_map(Map::iter);
    let said = said.filter(|(_, value)| !value.is_null());
    let kinds = said.filter(|(name, _)| KINDS.contains(&&*camel(name)));
    if kinds.count() > 1 {
        let kinds = KINDS.join(", ");
        return Err(path.invalid(format_args!("may be one of {kinds}")));
    }
    Ok(())
}

/// What a tool's answer says: the text where there is but one, else the JSON.
fn spoken(response: &Map) -> (String, bool) {
    let only = (response.len() == 1)
        .then(|| response.iter().next())
        .flatten();
    let is_error = only.is_some_and(|(name, _)| name == "error");
    let text = match only {
        Some((name, Value::String(text)))
            if matches!(name.as_str(), "output" | "result" | "error") =>
        {
            text.clone()
        }
        _ => Value::Object(response.clone()).to_string(),
    };
    (text, is_error)
}

/// A medium that the provider fetches.
fn linked(uri: String, mime: Option<&str>) -> Part {
    let media = Media::Url(uri);
    match mime.and_then(|mime| mime.split('/').next()) {
        Some("image") => Part::Image {
            media,
            detail: None,
            cache: None,
        },
        Some("video") => Part::Video { media },
        _ => Part::File {
            filename: None,
            media,
            cache: None,
        },
    }
}
