//! What is fuzzed, and what each is held to.

mod answers;
mod calls;
mod configuration;
mod errors;
mod forms;
mod framings;
mod heads;
mod prices;
mod records;
mod relays;
mod replies;
mod requests;
mod segments;
mod sounds;
mod streams;
mod tools;

use std::path::Path;

use bourse_vocab::chat::Event;
use bourse_vocab::{Bill, Failure, Format, Nanos};
use bourse_wire::Stamp;

use crate::chance::Chance;

/// Something that reads what others wrote.
pub trait Target: Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// What must hold of any input, beside that nothing panics or hangs.
    fn held_to(&self) -> &'static str;

    /// Inputs to begin with.
    ///
    /// # Errors
    /// The fixtures cannot be read.
    fn seeds(&self) -> Result<Vec<Vec<u8>>, String>;

    /// Makes lengths and checksums of a changed input good again, most times:
    /// behind them is what is to be tested.
    fn mend(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        let _ = (input, chance);
    }

    /// Gives it an input. What is drawn is drawn from the input, so that it
    /// can be repeated.
    ///
    /// # Errors
    /// What does not hold.
    fn execute(&self, input: &[u8]) -> Result<u64, String>;
}

/// All of them.
pub static TARGETS: &[&dyn Target] = &[
    &requests::Requests,
    &replies::Replies,
    &streams::Streams,
    &relays::Relays,
    &answers::Answers,
    &tools::Tools,
    &sounds::Sounds,
    &framings::Framings,
    &forms::Forms,
    &errors::Errors,
    &heads::OfClients,
    &heads::OfProviders,
    &configuration::Configuration,
    &prices::Prices,
    &records::Records,
    &segments::Segments,
];

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "acme/m",
    provider: "Acme",
    created: 7,
    metadata: None,
};

const BILL: Bill = Bill {
    total: Nanos(3),
    upstream_prompt: Nanos(1),
    upstream_completion: Nanos(2),
    estimated: false,
};

/// The fixtures of conversations whose name ends so, with their format.
fn fixtures(ending: &str) -> Result<Vec<(Format, Vec<u8>)>, String> {
    let folder = crate::root().join("fixtures/chat");
    let mut found = Vec::new();
    for case in entries(&folder)? {
        for file in entries(&case)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let Some(format) = name.strip_suffix(ending).and_then(Format::by_slug) else {
                continue;
            };
            let bytes = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            found.push((format, bytes));
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let read =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // A run must not depend on the order of a directory.
    paths.sort();
    Ok(paths)
}

/// The first byte of an input says which format it is in.
fn tagged(format: Format, bytes: &[u8]) -> Vec<u8> {
    let number = Format::ALL
        .iter()
        .position(|one| *one == format)
        .unwrap_or(0);
    let mut input = vec![b'0' + u8::try_from(number).unwrap_or(0)];
    input.extend_from_slice(bytes);
    input
}

fn untagged(input: &[u8]) -> (Format, &[u8]) {
    let (first, rest) = input.split_first().unwrap_or((&0, &[]));
    let number = usize::from(first.wrapping_sub(b'0')) % Format::ALL.len();
    let format = Format::ALL
        .get(number)
        .copied()
        .unwrap_or(Format::OpenAiChat);
    (format, rest)
}

/// That bytes are JSON. What was as deep as may be read is deeper in an answer.
fn is_json(what: &str, bytes: &[u8]) -> Result<(), String> {
    let Err(error) = bourse_vocab::json::parse(bytes) else {
        return Ok(());
    };
    let said = error.to_string();
    if said.starts_with("too deeply nested") {
        return Ok(());
    }
    let text = String::from_utf8_lossy(bytes);
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    let text = text.get(..end).unwrap_or_default();
    Err(format!("{what} is no JSON: {said}\n{text}"))
}

/// Bytes of what is wrong that are shown: all of it is in the find's file.
const SHOWN_BYTES_MAX: usize = 2_000;

/// That a refusal is the caller's to mend: nothing that callers send is our
/// fault or the provider's.
fn is_callers(failure: &Failure) -> Result<(), String> {
    let status = failure.kind.status();
    match status < 500 {
        true => Ok(()),
        false => Err(format!(
            "a request is answered with status {status}\n{failure:?}"
        )),
    }
}

/// What an event is, for a sign.
fn sort_of(event: &Event) -> &'static str {
    match event {
        Event::Start { .. } => "start",
        Event::Text { .. } => "text",
        Event::Refusal { .. } => "refusal",
        Event::Reasoning { .. } => "reasoning",
        Event::Image { .. } => "image",
        Event::Other { .. } => "other",
        Event::ToolStart { .. } => "tool",
        Event::ToolArguments { .. } => "arguments",
        Event::Finish { .. } => "finish",
        Event::Tier(_) => "tier",
        Event::Usage(_) => "usage",
        Event::Settled(..) => "settled",
        Event::Done => "done",
        Event::Error(_) => "error",
    }
}
