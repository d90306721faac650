//! F18: answers that break at every token, in every way, in three formats.

use bourse_sim::Script;
use bourse_sim::words::mix;

use super::client::{Answer, Said};
use super::ground::{Bourse, Ground, Provider, Providers};
use super::page::Row;
use super::statistics::{count, share};

/// Tokens of the whole answer; it breaks at each, and once not at all.
pub const TOKENS: u64 = 60;
/// Bytes that the longest answer does not reach.
const BYTES: u64 = 16_000;
/// Formats, by their names in the configuration.
const FORMATS: [&str; 3] = ["openai-chat", "anthropic", "gemini"];

/// How an answer breaks at a token.
pub type Break = (&'static str, fn(u64) -> Script);

pub const BREAKS: [Break; 5] = [
    ("closed", |at| Script {
        cut_after_tokens: Some(at),
        ..Script::default()
    }),
    ("reset", |at| Script {
        cut_after_tokens: Some(at),
        cut_with_reset: true,
        ..Script::default()
    }),
    ("broken JSON", |at| Script {
        malformed_after_tokens: Some(at),
        ..Script::default()
    }),
    ("the vendor's error", |at| Script {
        error_after_tokens: Some(at),
        ..Script::default()
    }),
    ("cut at any byte", |at| Script {
        cut_after_bytes: Some(mix(18, at) % BYTES),
        ..Script::default()
    }),
];

/// What became of all answers.
#[derive(Default)]
struct Tally {
    cases: u64,
    whole: u64,
    errors: u64,
    false_ends: u64,
    ragged: u64,
    first: Option<String>,
}

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let provider = |format: &&'static str| Provider {
        name: (*format).replace('-', ""),
        format,
        prefill: "none",
        script: Script::default(),
    };
    let at = Providers::start(FORMATS.iter().map(provider).collect())?;
    let names = at.names();
    let models: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), vec![name.clone()]))
        .collect();
    let bourse = ground.bourse("breaks", &at, &models)?;
    let mut tally = Tally::default();
    for name in &names {
        for streamed in [false, true] {
            one_format(ground, &bourse, &at, name, streamed, &mut tally)?;
        }
    }
    bourse.books()?;
    let example = tally
        .first
        .map(|first| format!(" (first: {first})"))
        .unwrap_or_default();
    Ok(vec![Row {
        figure: "F18",
        scenario: format!(
            "answers that break at each of {TOKENS} tokens in {} ways (closed, reset, broken JSON, the vendor's error, cut at any byte); three formats, streamed and not",
            BREAKS.len()
        ),
        goal: "0 false ends; every answer has a well-formed end",
        bourse: format!(
            "false ends: {}; {} whole, {} errors; ends that are not well-formed: {}{example}",
            share(tally.false_ends, tally.cases),
            count(tally.whole),
            count(tally.errors),
            count(tally.ragged)
        ),
        met: tally.false_ends == 0 && tally.ragged == 0,
        nginx: None,
        litellm: None,
    }])
}

fn one_format(
    ground: &Ground,
    bourse: &Bourse,
    at: &Providers,
    name: &str,
    streamed: bool,
    tally: &mut Tally,
) -> Result<(), String> {
    let sim = at.sim(name)?;
    let with = |script: Script| Script {
        seed: ground.seed,
        tokens: Some(TOKENS),
        ..script
    };
    let body = format!(
        r#"{{"model":"soak/{name}","stream":{streamed},"max_tokens":500,"messages":[{{"role":"user","content":"hello"}}]}}"#
    );
    sim.set_script(with(Script::default()));
    let whole = bourse.door.ask(&body)?.said(streamed);
    if whole.finish.as_deref() != Some("stop") || whole.error {
        return Err(format!("{name}: the unbroken answer is {whole:?}"));
    }
    for (kind, script) in BREAKS {
        for token in 0..=TOKENS {
            sim.set_script(with(script(token)));
            let answer = bourse.door.ask(&body)?;
            let case = format!("{name}, streamed {streamed}, {kind} at {token}");
            tally.add(&answer, &answer.said(streamed), &whole, &case);
        }
    }
    Ok(())
}

impl Tally {
    fn add(&mut self, answer: &Answer, said: &Said, whole: &Said, case: &str) {
        self.cases += 1;
        let good_end = said
            .finish
            .as_deref()
            .is_some_and(|finish| finish != "error");
        if said.error {
            self.errors += 1;
        } else if said == whole {
            self.whole += 1;
        }
        // The whole text may come, whatever the provider did at its end.
        let complete = said.text == whole.text && said.finish == whole.finish;
        if good_end && !complete {
            self.false_ends += 1;
            self.first.get_or_insert_with(|| case.to_owned());
        }
        // After an error as well: so do OpenRouter's streams end, and a client
        // that waits for it would wait for ever.
        let done = said.done || answer.status != 200 || !whole.done;
        let ends = (said.error || said == whole) && done;
        if !answer.whole || said.after_end || !ends {
            self.ragged += 1;
            self.first.get_or_insert_with(|| case.to_owned());
        }
    }
}
