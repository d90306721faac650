//! What a client asks: which events and members pass, and what they add to the
//! conversation.
//!
//! What is on no list here is refused: it could cost what nobody has set aside
//! (tools that the provider runs, transcripts by another model), or read what
//! is the operator's (prompts that are kept at the provider).

use super::Most;
use super::members::{Members, list};

/// An event that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The session is changed.
    Session {
        /// How long answers may be from then on, if that is said.
        most: Option<Most>,
        /// The longest text that it brings, in bytes.
        bytes: u64,
    },
    /// Sound for the input buffer: so many characters of base64.
    Sound(u64),
    /// Something for the conversation: so many bytes.
    Item(u64),
    /// An answer.
    Answer {
        /// How long it may be, if that is said.
        most: Option<Most>,
        /// The longest text that it brings, in bytes.
        bytes: u64,
    },
    /// Anything that adds nothing.
    Other,
}

/// Why an event does not pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refused {
    /// The client's name for its event.
    pub event_id: Option<String>,
    /// The member in question.
    pub param: Option<String>,
    /// A sentence.
    pub message: String,
}

type Passed<T> = Result<T, (String, String)>;

/// Members of a session (`RealtimeSessionCreateRequest`).
const SESSION: &[&str] = &[
    "type",
    "audio",
    "include",
    "instructions",
    "max_output_tokens",
    "output_modalities",
    "parallel_tool_calls",
    "reasoning",
    "tool_choice",
    "tools",
    "truncation",
];
/// Members of an answer that is asked for (`RealtimeResponseCreateParams`).
const ANSWER: &[&str] = &[
    "audio",
    "conversation",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "output_modalities",
    "parallel_tool_calls",
    "reasoning",
    "tool_choice",
    "tools",
];
const SOUND: &[&str] = &["input", "output"];
const SOUND_IN: &[&str] = &["format", "noise_reduction", "turn_detection"];
/// What decides when somebody has spoken (`RealtimeAudioInputTurnDetection`).
const TURNS: &[&str] = &[
    "type",
    "create_response",
    "eagerness",
    "idle_timeout_ms",
    "interrupt_response",
    "prefix_padding_ms",
    "silence_duration_ms",
    "threshold",
];
const SOUND_OUT: &[&str] = &["format", "speed", "voice"];
/// What an item may be, and what it may contain: pictures have a price of
/// their own in a cache, which is in no list.
const ITEMS: &[&str] = &[
    "message",
    "function_call",
    "function_call_output",
    "item_reference",
];
const PARTS: &[&str] = &[
    "input_text",
    "input_audio",
    "output_text",
    "output_audio",
    "text",
    "audio",
];

/// Reads an event of a client.
///
/// # Errors
/// It is none, or nothing that passes.
pub fn read(text: &str) -> Result<Asked, Refused> {
    let event = Members::read(text).map_err(|error| Refused {
        message: format!("The event is not a JSON object that can be read: {error}"),
        ..Refused::default()
    })?;
    asked(&event, text.len() as u64).map_err(|(param, message)| Refused {
        event_id: event.text("event_id"),
        param: Some(param),
        message,
    })
}

fn asked(event: &Members<'_>, bytes: u64) -> Passed<Asked> {
    let kind = event.text("type").unwrap_or_default();
    match kind.as_str() {
        "session.update" => {
            let session = object(event, "session")?;
            Ok(Asked::Session {
                most: settings(&session, "session", SESSION)?,
                bytes,
            })
        }
        "input_audio_buffer.append" => {
            let sound = event.get("audio").unwrap_or_default();
            Ok(Asked::Sound(sound.len() as u64))
        }
        "conversation.item.create" => {
            item(&object(event, "item")?, "item")?;
            Ok(Asked::Item(bytes))
        }
        "response.create" => {
            let most = match event.get("response") {
                Some(_) => {
                    let answer = object(event, "response")?;
                    for (at, text) in entries(&answer, "input", "response.input")? {
                        item(&read_object(text, &at)?, &at)?;
                    }
                    settings(&answer, "response", ANSWER)?
                }
                None => None,
            };
            Ok(Asked::Answer { most, bytes })
        }
        "input_audio_buffer.commit"
        | "input_audio_buffer.clear"
        | "conversation.item.retrieve"
        | "conversation.item.delete"
        | "conversation.item.truncate"
        | "response.cancel" => Ok(Asked::Other),
        other => Err((
            "type".to_owned(),
            format!("`{other}` is not an event that is passed on over a WebSocket here."),
        )),
    }
}

/// What a session and an answer have in common.
fn settings(of: &Members<'_>, at: &str, known: &[&str]) -> Passed<Option<Most>> {
    for (name, text) in of.iter() {
        let at = format!("{at}.{name}");
        match name {
            _ if known.contains(&name) => {}
            "prompt" => {
                let why =
                    "prompts that are kept at the provider are not passed on; say `instructions`.";
                return Err((at.clone(), format!("{at}: {why}")));
            }
            "tracing" => {
                let why = "traces at the provider would be the operator's; leave it out.";
                return Err((at.clone(), format!("{at}: {why}")));
            }
            "model" => {
                let why = "the model is chosen when the connection is made; leave it out.";
                return Err((at.clone(), format!("{at}: {why}")));
            }
            _ => return Err(unknown(at)),
        }
        match name {
            "type" if text != "\"realtime\"" => {
                let why = "only sessions of the type `realtime` are held here.";
                return Err((at.clone(), format!("{at}: {why}")));
            }
            "audio" => sound(&read_object(text, &at)?, &at)?,
            "tools" => tools(of, &at)?,
            "tool_choice" if text.starts_with('{') => {
                only_functions(&read_object(text, &at)?, &at)?;
            }
            _ => {}
        }
    }
    most(of, at)
}

fn sound(audio: &Members<'_>, at: &str) -> Passed<()> {
    for (name, text) in audio.iter() {
        let at = format!("{at}.{name}");
        let known = match name {
            _ if !SOUND.contains(&name) => return Err(unknown(at)),
            "input" => SOUND_IN,
            _ => SOUND_OUT,
        };
        for (name, text) in read_object(text, &at)?.iter() {
            let at = format!("{at}.{name}");
            if name == "transcription" {
                let why = "transcripts of what is said are made by another model, whose price is not set aside; leave it out, and send the sound to /v1/audio/transcriptions.";
                return Err((at.clone(), format!("{at}: {why}")));
            }
            if !known.contains(&name) {
                return Err(unknown(at));
            }
            if name == "turn_detection" {
                all_known(&read_object(text, &at)?, &at, TURNS)?;
            }
        }
    }
    Ok(())
}

/// Refuses an object with members that are on no list.
fn all_known(of: &Members<'_>, at: &str, known: &[&str]) -> Passed<()> {
    let mut names = of.iter().map(|(name, _)| name);
    names
        .find(|name| !known.contains(name))
        .map_or(Ok(()), |name| Err(unknown(format!("{at}.{name}"))))
}

fn tools(of: &Members<'_>, at: &str) -> Passed<()> {
    for (at, text) in entries(of, "tools", at)? {
        only_functions(&read_object(text, &at)?, &at)?;
    }
    Ok(())
}

/// A tool that the caller runs, or a choice of one.
fn only_functions(tool: &Members<'_>, at: &str) -> Passed<()> {
    match tool.text("type").as_deref() {
        Some("function") => Ok(()),
        other => Err((
            format!("{at}.type"),
            format!(
                "{at}: tools of the type `{}` are run by the provider, at a cost that is not set aside; only functions are passed on.",
                other.unwrap_or_default()
            ),
        )),
    }
}

fn item(item: &Members<'_>, at: &str) -> Passed<()> {
    let kind = item.text("type").unwrap_or_default();
    if !ITEMS.contains(&kind.as_str()) {
        let message = format!("{at}: items of the type `{kind}` are not passed on.");
        return Err((format!("{at}.type"), message));
    }
    for (at, text) in entries(item, "content", &format!("{at}.content"))? {
        let kind = read_object(text, &at)?.text("type").unwrap_or_default();
        if !PARTS.contains(&kind.as_str()) {
            let message = format!("{at}: content of the type `{kind}` is not passed on.");
            return Err((format!("{at}.type"), message));
        }
    }
    Ok(())
}

/// How long answers may be.
fn most(of: &Members<'_>, at: &str) -> Passed<Option<Most>> {
    let Some(text) = of.get("max_output_tokens") else {
        return Ok(None);
    };
    match text.parse() {
        Ok(tokens) if tokens > 0 => Ok(Some(Most::Tokens(tokens))),
        _ if text == "\"inf\"" => Ok(Some(Most::All)),
        _ => {
            let at = format!("{at}.max_output_tokens");
            let message = format!("{at}: must be a whole number above zero, or \"inf\".");
            Err((at, message))
        }
    }
}

/// The entries of a list, each with its place; none if there is no list.
fn entries<'a>(of: &Members<'a>, name: &str, at: &str) -> Passed<Vec<(String, &'a str)>> {
    let Some(text) = of.get(name) else {
        return Ok(Vec::new());
    };
    let all = list(text).map_err(|_| (at.to_owned(), format!("{at}: must be a list.")))?;
    let placed = all.into_iter().enumerate();
    Ok(placed
        .map(|(index, text)| (format!("{at}[{index}]"), text))
        .collect())
}

fn object<'a>(of: &Members<'a>, name: &str) -> Passed<Members<'a>> {
    read_object(of.get(name).unwrap_or_default(), name)
}

fn read_object<'a>(text: &'a str, at: &str) -> Passed<Members<'a>> {
    Members::read(text)
        .map_err(|error| (at.to_owned(), format!("{at}: must be an object ({error}).")))
}

fn unknown(at: String) -> (String, String) {
    let message = format!("{at} is not known here, and what is not known could cost money.");
    (at, message)
}
