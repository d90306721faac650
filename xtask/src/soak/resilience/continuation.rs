//! F18, continued: answers that break at every token are gone on with.
//!
//! Simulated providers with `prefill` answer with what is missing of one text,
//! whichever of them is asked, so the pieces joined are that text or they are
//! not.

use bourse_sim::Script;

use super::breaks::{BREAKS, TOKENS};
use super::client::Said;
use super::ground::{Bourse, Ground, Provider, Providers};
use super::page::Row;
use super::statistics::{count, share};

/// Who breaks, who goes on with it, and the format of each.
const PAIRS: [[(&str, &str); 2]; 3] = [
    [("chat1", "openai-chat"), ("messages2", "anthropic")],
    [("messages1", "anthropic"), ("chat2", "openai-chat")],
    [("gemini1", "gemini"), ("chat2", "openai-chat")],
];
/// Answers that are well after each that breaks, or the provider would be left
/// alone.
const WELL: u64 = 5;
const OPT_IN: &str = "x-bourse-continue: true\r\n";

#[derive(Default)]
struct Tally {
    cases: u64,
    continued: u64,
    errors: u64,
    wrong: u64,
    first: Option<String>,
}

pub fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let mut providers: Vec<Provider> = Vec::new();
    for (name, format) in PAIRS.into_iter().flatten() {
        if providers.iter().all(|one| one.name != name) {
            providers.push(Provider {
                format,
                prefill: "last-message",
                ..Provider::new(name, script(ground))
            });
        }
    }
    // Of Gemini it is not documented, whatever the configuration says.
    let at = Providers::start(providers)?;
    let models: Vec<_> = PAIRS
        .iter()
        .map(|pair| {
            let names = pair.iter().map(|(name, _)| (*name).to_owned()).collect();
            (pair[0].0.to_owned(), names)
        })
        .collect();
    let bourse = ground.bourse("continuation", &at, &models)?;
    let mut tally = Tally::default();
    for pair in PAIRS {
        one_pair(ground, &bourse, &at, pair, &mut tally)?;
    }
    bourse.books()?;
    let example = tally
        .first
        .map(|first| format!(" (first: {first})"))
        .unwrap_or_default();
    Ok(vec![Row {
        figure: "F18",
        scenario: format!(
            "streams with `X-Bourse-Continue` that break at each of {TOKENS} tokens in the same {} ways; three formats, gone on with in two",
            BREAKS.len()
        ),
        goal: "0 tokens missing or doubled, 0 false ends",
        bourse: format!(
            "missing, doubled or falsely ended: {}; {} gone on with, {} errors{example}",
            share(tally.wrong, tally.cases),
            count(tally.continued),
            count(tally.errors)
        ),
        met: tally.wrong == 0 && tally.errors == 0 && tally.continued > 0,
        nginx: None,
        litellm: None,
    }])
}

fn script(ground: &Ground) -> Script {
    Script {
        seed: ground.seed,
        tokens: Some(TOKENS),
        prefill: true,
        ..Script::default()
    }
}

fn one_pair(
    ground: &Ground,
    bourse: &Bourse,
    at: &Providers,
    [(one, _), (two, _)]: [(&str, &str); 2],
    tally: &mut Tally,
) -> Result<(), String> {
    let (first, second) = (at.sim(one)?, at.sim(two)?);
    let body = format!(
        r#"{{"model":"soak/{one}","stream":true,"max_tokens":500,"provider":{{"order":["{one}","{two}"]}},"messages":[{{"role":"user","content":"hello"}}]}}"#
    );
    first.set_script(script(ground));
    let whole = bourse.door.ask(&body)?.said(true);
    for (kind, breaks) in BREAKS {
        for token in 0..=TOKENS {
            first.set_script(Script {
                prefill: true,
                seed: ground.seed,
                tokens: Some(TOKENS),
                ..breaks(token)
            });
            let before = second.log().len();
            let answer = bourse.door.ask_with(&body, OPT_IN)?;
            let continued = second.log().len() > before;
            let case = format!("{one} to {two}, {kind} at {token}");
            tally.add(&answer.said(true), &whole, continued, &case);
            first.set_script(script(ground));
            for _ in 0..WELL {
                bourse.door.ask(&body)?;
            }
        }
    }
    Ok(())
}

impl Tally {
    fn add(&mut self, said: &Said, whole: &Said, continued: bool, case: &str) {
        self.cases += 1;
        self.continued += u64::from(continued && said == whole);
        self.errors += u64::from(said.error);
        // An error may come after a part of the answer, and after nothing else.
        let is_right = match said.error {
            true => whole.text.starts_with(&said.text) && said.finish.as_deref() != Some("stop"),
            false => said == whole,
        };
        self.wrong += u64::from(!is_right);
        if !is_right || said.error {
            self.first.get_or_insert_with(|| case.to_owned());
        }
    }
}
