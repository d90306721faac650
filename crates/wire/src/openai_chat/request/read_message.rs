//! Reading the messages of a client's chat request.

use bourse_vocab::chat::{CacheControl, Media, Message, Part, Role};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::read::{Reader, cache_control};
use super::{GATEWAY_MESSAGE_MEMBERS, PARTS_MAX};
use crate::dialect::media;
use crate::fields::{Fields, Path};
use crate::openai_chat::reasoning;

/// A call in the form before `tool_calls`, which has no id: the next
/// `function` message answers it.
type PendingFunction = Option<String>;

impl Reader {
    /// Reads the messages, oldest first.
    pub fn messages(
        &mut self,
        items: Vec<Value>,
        path: &Path<'_>,
    ) -> Result<Vec<Message>, Failure> {
        let mut pending = None;
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| self.message(item, &Path::Item(path, index), index, &mut pending))
            .collect()
    }

    fn message(
        &mut self,
        item: Value,
        path: &Path<'_>,
        index: usize,
        pending: &mut PendingFunction,
    ) -> Result<Message, Failure> {
        let mut fields = Fields::of(item, path)?;
        for name in GATEWAY_MESSAGE_MEMBERS {
            fields.take(name);
        }
        // Items of the Responses API say so that they are messages. It is no
        // part of what is said, for all that parts have such a member.
        if let Some(kind) = fields.take("type") {
            self.extras
                .insert(Path::Member(path, "type").to_string(), kind);
        }
        let role = fields.required_text("role")?;
        let name = fields.text("name")?;
        match role.as_str() {
            "system" => self.plain(fields, Role::System, name),
            "developer" => self.plain(fields, Role::Developer, name),
            "user" => self.plain(fields, Role::User, name),
            "assistant" => self.assistant(fields, name, index, pending),
            "tool" => {
                let call_id = fields.required_text("tool_call_id")?;
                self.tool_result(fields, call_id, name)
            }
            "function" => {
                let call_id = pending.take().unwrap_or_else(|| legacy_id(index));
                self.tool_result(fields, call_id, name)
            }
            _ => Err(fields.invalid(
                "role",
                "must be one of system, developer, user, assistant, tool",
            )),
        }
    }

    fn plain(
        &mut self,
        mut fields: Fields<'_>,
        role: Role,
        name: Option<String>,
    ) -> Result<Message, Failure> {
        let mut parts = match self.content(&mut fields)? {
            Some(parts) => parts,
            // OpenRouter lets a system message carry only a change of
            // configuration. Anything else without content is a mistake.
            None if matches!(role, Role::System | Role::Developer) => Vec::new(),
            None => return Err(fields.invalid("content", "is required")),
        };
        if let Some(calls) = fields.take("tool_calls")
            && calls != Value::Array(Vec::new())
        {
            return Err(fields.invalid("tool_calls", "are for messages of an assistant"));
        }
        parts.extend(rest(fields)?);
        Ok(Message { role, name, parts })
    }

    fn assistant(
        &mut self,
        mut fields: Fields<'_>,
        name: Option<String>,
        index: usize,
        pending: &mut PendingFunction,
    ) -> Result<Message, Failure> {
        let mut parts = self.thoughts(&mut fields)?;
        parts.extend(self.content(&mut fields)?.unwrap_or_default());
        if let Some(refusal) = fields.text("refusal")? {
            parts.push(Part::Refusal(refusal));
        }
        // The number of a picture counts those in the content too, because
        // the vocabulary does not tell them apart.
        let before = parts
            .iter()
            .filter(|part| matches!(part, Part::Image { .. }))
            .count();
        let path = Path::Member(fields.path(), "images");
        for (number, image) in
            (before..).zip(fields.array("images", PARTS_MAX)?.unwrap_or_default())
        {
            let path = Path::Item(&path, number);
            let mut image = Fields::of(image, &path)?;
            image.take("type");
            image.take("index");
            parts.push(self.image(&mut image)?);
            image.rest_into(&mut self.extras);
        }
        parts.extend(self.tool_calls(&mut fields)?);
        if let Some(call) = fields.take("function_call") {
            let path = Path::Member(fields.path(), "function_call");
            let id = legacy_id(index);
            parts.push(self.call(call, &path, id.clone())?);
            *pending = Some(id);
        }
        // The SDKs replay empty lists of what an answer did not have.
        if let Some(value) = fields.take("annotations")
            && value != Value::Array(Vec::new())
        {
            fields.put_back("annotations", value);
        }
        parts.extend(rest(fields)?);
        Ok(Message {
            role: Role::Assistant,
            name,
            parts,
        })
    }

    /// The reasoning of an earlier turn: in pieces if there are any, else as
    /// one text under either name.
    fn thoughts(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Part>, Failure> {
        let short = fields.text("reasoning")?;
        let alias = fields.text("reasoning_content")?;
        // LiteLLM keeps here what its own message has no member for, which it
        // sends back so (litellm 1.110, November 2026).
        let kept = fields.take("provider_specific_fields");
        let kept = kept.and_then(|mut kept| Some(kept.get_mut("reasoning_details")?.take()));
        let pieces = match (fields.array("reasoning_details", PARTS_MAX)?, kept) {
            (None, Some(Value::Array(kept))) if kept.len() <= PARTS_MAX => kept,
            (pieces, _) => pieces.unwrap_or_default(),
        };
        if pieces.is_empty() {
            let text = short.or(alias).filter(|text| !text.is_empty());
            return Ok(text.map(reasoning::plain).into_iter().collect());
        }
        let path = Path::Member(fields.path(), "reasoning_details");
        let mut pieces: Vec<Part> = pieces
            .into_iter()
            .enumerate()
            .map(|(index, piece)| {
                let path = Path::Item(&path, index);
                match piece {
                    Value::Object(_) if reasoning::is_detail(&piece) => {
                        Ok(reasoning::read_replayed(piece))
                    }
                    Value::Object(_) => Err(Path::Member(&path, "type").invalid(
                        "must be one of \
                            reasoning.text, reasoning.summary, reasoning.encrypted",
                    )),
                    other => Err(path.expected("an object", &other)),
                }
            })
            .collect::<Result<_, _>>()?;
        // A text that says what the pieces say is told with them. Some clients
        // send back the sealed pieces and the text, but no piece of its own for
        // it (@openrouter/ai-sdk-provider 2.10, November 2026).
        if let Some(text) = short.filter(|text| !text.is_empty()) {
            match reasoning::joined(&pieces) {
                None => pieces.insert(0, reasoning::plain(text)),
                Some(said) if said == text => {}
                Some(_) => fields.put_back("reasoning", Value::String(text)),
            }
        }
        Ok(pieces)
    }

    fn tool_calls(&mut self, fields: &mut Fields<'_>) -> Result<Vec<Part>, Failure> {
        let path = Path::Member(fields.path(), "tool_calls");
        fields
            .array("tool_calls", PARTS_MAX)?
            .unwrap_or_default()
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let path = Path::Item(&path, index);
                let mut call = Fields::of(item, &path)?;
                let id = call.required_text("id")?;
                call.take("index");
                let kind = call.text("type")?;
                let Some(function) = call.take("function") else {
                    if kind.as_deref().is_none_or(|kind| kind == "function") {
                        return Err(call.invalid("function", "is required"));
                    }
                    // OpenAI's custom tools and their like.
                    call.put_back("id", Value::String(id));
                    call.put_back("type", Value::String(kind.unwrap_or_default()));
                    return Ok(opaque("tool_call", Value::Object(call.rest())));
                };
                let part = self.call(function, &Path::Member(&path, "function"), id)?;
                call.rest_into(&mut self.extras);
                Ok(part)
            })
            .collect()
    }

    fn call(&mut self, function: Value, path: &Path<'_>, id: String) -> Result<Part, Failure> {
        let mut function = Fields::of(function, path)?;
        let name = function.required_text("name")?;
        let arguments = match function.take("arguments") {
            None => String::new(),
            Some(Value::String(text)) => text,
            // Some clients forget to print the arguments.
            Some(value @ Value::Object(_)) => value.to_string(),
            Some(other) => {
                return Err(Path::Member(path, "arguments").expected("a string", &other));
            }
        };
        function.rest_into(&mut self.extras);
        Ok(Part::ToolCall {
            id,
            name,
            arguments,
        })
    }

    fn tool_result(
        &mut self,
        mut fields: Fields<'_>,
        call_id: String,
        name: Option<String>,
    ) -> Result<Message, Failure> {
        let cache = cache_control(&mut fields)?;
        let Some(mut parts) = self.content(&mut fields)? else {
            return Err(fields.invalid("content", "is required"));
        };
        parts.extend(rest(fields)?);
        Ok(Message {
            role: Role::Tool,
            name: None,
            parts: vec![Part::ToolResult {
                call_id,
                name,
                parts,
                is_error: false,
                cache,
            }],
        })
    }

    /// Reads `content`: a text, or an array of parts.
    fn content(&mut self, fields: &mut Fields<'_>) -> Result<Option<Vec<Part>>, Failure> {
        let path = Path::Member(fields.path(), "content");
        match fields.take("content") {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![Part::text(text)])),
            Some(value @ Value::Array(_)) => path
                .array(value, PARTS_MAX)?
                .into_iter()
                .enumerate()
                .map(|(index, item)| self.part(item, &Path::Item(&path, index)))
                .collect::<Result<Vec<_>, _>>()
                .map(Some),
            Some(other) => Err(path.expected("a string or an array of parts", &other)),
        }
    }

    fn part(&mut self, item: Value, path: &Path<'_>) -> Result<Part, Failure> {
        // A bare string among parts is accepted by OpenAI's older servers.
        if let Value::String(text) = item {
            return Ok(Part::text(text));
        }
        let mut fields = Fields::of(item, path)?;
        let kind = fields.required_text("type")?;
        let part = match kind.as_str() {
            // Two names of the Responses API that clients mix up.
            "text" | "input_text" | "output_text" => Part::Text {
                text: fields.required_text("text")?,
                cache: cache_control(&mut fields)?,
            },
            "image_url" => self.image(&mut fields)?,
            "input_audio" => self.audio(&mut fields)?,
            "file" => self.file(&mut fields)?,
            "video_url" | "input_video" => self.video(&mut fields)?,
            "refusal" => Part::Refusal(fields.required_text("refusal")?),
            _ => {
                // Vendors invent parts all the time. The one they are meant
                // for may understand; a writer of another format reports.
                fields.put_back("type", Value::String(kind));
                return Ok(Part::Opaque {
                    format: Format::OpenAiChat,
                    value: Value::Object(fields.rest()),
                });
            }
        };
        fields.rest_into(&mut self.extras);
        Ok(part)
    }

    /// Reads the `image_url` of a part; its `url` may stand there alone.
    fn image(&mut self, fields: &mut Fields<'_>) -> Result<Part, Failure> {
        let cache = cache_control(fields)?;
        let path = Path::Member(fields.path(), "image_url");
        let (url, detail) = self.url(fields.take("image_url"), &path)?;
        Ok(Part::Image {
            media: media::read(url),
            detail,
            cache,
        })
    }

    fn video(&mut self, fields: &mut Fields<'_>) -> Result<Part, Failure> {
        let path = Path::Member(fields.path(), "video_url");
        let (url, _) = self.url(fields.take("video_url"), &path)?;
        Ok(Part::Video {
            media: media::read(url),
        })
    }

    fn url(
        &mut self,
        value: Option<Value>,
        path: &Path<'_>,
    ) -> Result<(String, Option<String>), Failure> {
        let (url, detail) = match value {
            None => return Err(path.invalid("is required")),
            Some(Value::String(url)) => (url, None),
            Some(value) => {
                let mut inner = Fields::of(value, path)?;
                let url = inner.required_text("url")?;
                let detail = inner.text("detail")?;
                inner.rest_into(&mut self.extras);
                (url, detail)
            }
        };
        if url.is_empty() {
            return Err(path.invalid("the URL must not be empty"));
        }
        Ok((url, detail))
    }

    fn audio(&mut self, fields: &mut Fields<'_>) -> Result<Part, Failure> {
        let path = Path::Member(fields.path(), "input_audio");
        let Some(value) = fields.take("input_audio") else {
            return Err(path.invalid("is required"));
        };
        let mut inner = Fields::of(value, &path)?;
        let data = inner.required_text("data")?;
        let format = inner.required_text("format")?;
        inner.rest_into(&mut self.extras);
        Ok(Part::Audio { data, format })
    }

    fn file(&mut self, fields: &mut Fields<'_>) -> Result<Part, Failure> {
        let cache: Option<CacheControl> = cache_control(fields)?;
        let path = Path::Member(fields.path(), "file");
        let Some(value) = fields.take("file") else {
            return Err(path.invalid("is required"));
        };
        let mut inner = Fields::of(value, &path)?;
        let filename = inner.text("filename")?;
        let media = match (inner.text("file_data")?, inner.text("file_id")?) {
            (Some(data), _) => media::read(data),
            (None, Some(id)) => Media::FileId(id),
            (None, None) => return Err(path.invalid("file_data or file_id is required")),
        };
        inner.rest_into(&mut self.extras);
        Ok(Part::File {
            filename,
            media,
            cache,
        })
    }
}

/// The members of a message that the reader does not know, as one opaque
/// part without a `type`: they ride along with their message, whatever
/// happens to its neighbours.
///
/// # Errors
/// One of them is called what a call is called here, see [`opaque`]: no API has
/// it, so it is a misspelling.
fn rest(fields: Fields<'_>) -> Result<Option<Part>, Failure> {
    let path = fields.path();
    let members = fields.rest();
    if members.contains_key("tool_call") {
        let path = Path::Member(path, "tool_call");
        return Err(path.invalid("is no member of a message; `tool_calls` is"));
    }
    Ok((!members.is_empty()).then_some(Part::Opaque {
        format: Format::OpenAiChat,
        value: Value::Object(members),
    }))
}

/// A list item of a message, kept whole: a member named by what it is in.
fn opaque(list: &str, value: Value) -> Part {
    let mut members = Map::new();
    members.insert(list.to_owned(), value);
    Part::Opaque {
        format: Format::OpenAiChat,
        value: Value::Object(members),
    }
}

/// An id for a call that has none, the same for the same message.
fn legacy_id(index: usize) -> String {
    format!("call_message_{index}")
}
