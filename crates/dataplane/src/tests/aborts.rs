//! What callers who leave are charged, against what their calls truly cost.

use std::time::Duration;

use bourse_catalog::ImageTokens;
use bourse_ledger::record::{self, Record};
use bourse_spool::Position;
use bourse_vocab::Format;
use bourse_vocab::facts::{Detail, Image, PixelSize, Source};
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::harness::{Harness, Play, ms, play, play_whole, secs};
use super::script::{Answer, Fate};
use crate::phases::hold::goals::Dice;
use crate::unknown::OF_KEY_MAX;

/// Calls that are left. Each is some hundred events: a debug build plays
/// fewer.
const ABORTS: usize = if cfg!(debug_assertions) { 900 } else { 10_000 };
/// How many of them one server sees: what is unknown of more is capped, and
/// they would be read to their end.
const OF_SERVER: usize = 300;
/// Calls before that which are answered wholly: something is learned.
const BEFORE: usize = 60;

/// Nano-dollars of a token.
const INPUT_NANOS: u64 = 1_000;
const OUTPUT_NANOS: u64 = 2_000;

/// A picture of one pixel.
const PICTURE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// A call, and what its provider does.
struct Case {
    format: Format,
    thinks: bool,
    prompt: String,
    pictures: usize,
    prompt_tokens: u64,
    /// Hidden thoughts: for how long, and how many.
    thought: (u64, u64),
    /// Pieces of the answer: text, and tokens.
    pieces: Vec<(String, u64)>,
    /// Between two pieces.
    piece_ms: u64,
}

/// So much more or less, in percent.
fn about(number: u64, percent: u64, dice: &mut Dice) -> u64 {
    number * (100 - percent + dice.upto(2 * percent)) / 100
}

/// What the rule of the model says of the picture.
fn picture_tokens() -> u64 {
    let image = Image {
        source: Source::Inline { bytes: 0 },
        detail: Detail::Auto,
        size: PixelSize::new(1, 1),
    };
    ImageTokens::Undocumented.estimate(&image)
}

impl Case {
    fn new(format: Format, dice: &mut Dice) -> Self {
        let bytes = 200 + dice.upto(4_000);
        let thinks = dice.one_in(2);
        let pictures = if dice.one_in(3) { 1 + dice.upto(3) } else { 0 };
        // Sixty tokens a second, more or less, thought or said.
        let thought_ms = if thinks { 500 + dice.upto(9_500) } else { 0 };
        let pieces = (0..20 + dice.upto(40))
            .map(|_| {
                let tokens = 1 + dice.upto(2);
                let length = (0..tokens).map(|_| 2 + dice.upto(5)).sum::<u64>();
                ("x".repeat(usize::try_from(length).unwrap()), tokens)
            })
            .collect();
        // 3.7 bytes a token, more or less, and the template around it.
        let text_tokens = about((bytes + 60) * 10 / 37, 8, dice);
        Self {
            format,
            thinks,
            prompt: "y".repeat(usize::try_from(bytes).unwrap()),
            pictures: usize::try_from(pictures).unwrap(),
            prompt_tokens: text_tokens + about(pictures * picture_tokens(), 5, dice),
            thought: (thought_ms, about(thought_ms * 60 / 1_000, 15, dice)),
            pieces,
            piece_ms: about(33, 15, dice),
        }
    }

    fn said(&self) -> u64 {
        self.pieces.iter().map(|(_, tokens)| tokens).sum()
    }

    /// What the provider sends; half a second is for the way and the prompt.
    fn answer(&self) -> Answer {
        let silence = ms(500 + self.thought.0);
        match self.format {
            Format::OpenAiChat => self.chat(silence),
            Format::Anthropic => self.messages(silence),
            Format::Gemini => self.gemini(silence),
        }
    }

    fn chat(&self, silence: Duration) -> Answer {
        let mut answer = Answer::stream().role().wait(silence);
        for (text, _) in &self.pieces {
            answer = answer.text(text).wait(ms(self.piece_ms));
        }
        let usage = json!({"id": "up-1", "object": "chat.completion.chunk", "model": "m",
            "choices": [], "usage": {
                "prompt_tokens": self.prompt_tokens,
                "completion_tokens": self.thought.1 + self.said(),
                "completion_tokens_details": {"reasoning_tokens": self.thought.1}}});
        answer.finish().data(&usage).done()
    }

    /// Tells the input at once.
    fn messages(&self, silence: Duration) -> Answer {
        let mut answer = Answer::stream()
            .event(&json!({"type": "message_start", "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [], "stop_reason": null,
                "usage": {"input_tokens": self.prompt_tokens, "output_tokens": 1}}}))
            .wait(silence)
            .event(&json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "text", "text": ""}}));
        for (text, _) in &self.pieces {
            let delta = json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": text}});
            answer = answer.event(&delta).wait(ms(self.piece_ms));
        }
        answer
            .event(&json!({"type": "content_block_stop", "index": 0}))
            .event(&json!({"type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": self.thought.1 + self.said()}}))
            .event(&json!({"type": "message_stop"}))
    }

    /// Tells everything with every piece.
    fn gemini(&self, silence: Duration) -> Answer {
        let mut answer = Answer::stream().wait(silence);
        let mut said = 0;
        for (n, (text, tokens)) in self.pieces.iter().enumerate() {
            said += tokens;
            let mut chunk = json!({"responseId": "r", "modelVersion": "m",
                "candidates": [{"index": 0,
                    "content": {"role": "model", "parts": [{"text": text}]}}],
                "usageMetadata": {"promptTokenCount": self.prompt_tokens,
                    "candidatesTokenCount": said, "thoughtsTokenCount": self.thought.1}});
            if n + 1 == self.pieces.len() {
                chunk["candidates"][0]["finishReason"] = json!("STOP");
            }
            answer = answer.data(&chunk).wait(ms(self.piece_ms));
        }
        answer
    }

    fn takes_ms(&self) -> u64 {
        500 + self.thought.0 + self.piece_ms * self.pieces.len() as u64
    }

    /// What the provider charges if it is let go of after so long.
    fn truth(&self, after_ms: u64) -> u64 {
        let (thought_ms, thought) = self.thought;
        let thought_for = after_ms.saturating_sub(500).min(thought_ms);
        let thought = (thought * thought_for).checked_div(thought_ms).unwrap_or(0);
        let begun_ms = 500 + thought_ms;
        let said: u64 = if after_ms < begun_ms {
            0
        } else {
            let pieces = (after_ms - begun_ms) / self.piece_ms + 1;
            let pieces = self.pieces.iter().take(usize::try_from(pieces).unwrap());
            pieces.map(|(_, tokens)| tokens).sum()
        };
        self.prompt_tokens * INPUT_NANOS + (thought + said) * OUTPUT_NANOS
    }

    fn play(&self) -> Play {
        let mut parts = vec![json!({"type": "text", "text": self.prompt})];
        let picture = json!({"type": "image_url", "image_url": {"url": PICTURE}});
        parts.extend(vec![picture; self.pictures]);
        let play = play()
            .setup(|setup| {
                setup.credit = 1_000_000_000_000;
                setup.format = self.format;
            })
            .member("messages", json!([{"role": "user", "content": parts}]))
            .one(self.answer());
        if self.thinks {
            play
        } else {
            play.member("reasoning", json!({"enabled": false}))
        }
    }
}

/// Makes a call to its end, also the end that its client does not see.
async fn ask(harness: &Harness, play: Play, answer: Answer) -> Fate {
    harness.script.will("one", [answer]);
    harness.ask(&play).await;
    all_ended(harness).await;
    harness.script.fate()
}

async fn all_ended(harness: &Harness) {
    while harness.held() > 0 {
        sleep(ms(50)).await;
    }
}

/// What was charged, call by call, and how many of them are questions.
fn charges(harness: &Harness) -> (Vec<u64>, usize) {
    let till = &harness.gateway().till;
    till.spool().flush();
    let mut reader = till.spool().reader(Position::default());
    let (mut charges, mut questions) = (Vec::new(), 0);
    loop {
        let batch = reader.read(till.spool().written(), 100_000).unwrap();
        if batch.iter().next().is_none() {
            return (charges, questions);
        }
        for bytes in batch.iter() {
            let possible = match record::decode(bytes).unwrap() {
                Record::Settle(settle) => {
                    charges.push(u64::try_from(settle.settlement.charge.0).unwrap());
                    settle.settlement.possible.len()
                }
                Record::Void(void) => {
                    charges.push(0);
                    void.voiding.possible.len()
                }
                _ => continue,
            };
            questions += usize::from(possible > 0);
        }
    }
}

/// Charge and truth of calls that were left, and how many of them were
/// estimated.
async fn leave(format: Format, aborts: usize, dice: &mut Dice) -> (Vec<(u64, u64)>, usize) {
    let harness = Case::new(format, dice).play().harness().await;
    for _ in 0..BEFORE {
        let case = Case::new(format, dice);
        ask(&harness, case.play(), case.answer()).await;
    }
    let (before, _) = charges(&harness);
    let mut truths = Vec::new();
    let mut cancelled = 0;
    for _ in 0..aborts {
        let case = Case::new(format, dice);
        let after_ms = 1 + dice.upto(case.takes_ms() - 1);
        let play = case.play().leaves(ms(after_ms));
        let fate = ask(&harness, play, case.answer()).await;
        cancelled += usize::from(fate == Fate::Dropped);
        truths.push(case.truth(after_ms));
    }
    let (charges, questions) = charges(&harness);
    let charges = charges.get(before.len()..).unwrap().to_vec();
    assert_eq!(charges.len(), truths.len());
    // Gemini's last words have the usage: they are no questions.
    assert!(questions <= cancelled && questions * 10 >= cancelled * 9);
    (charges.into_iter().zip(truths).collect(), questions)
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_charged_what_their_calls_cost_more_or_less() {
    let dice = &mut Dice(23);
    let mut all = Vec::new();
    let mut questions = 0;
    for format in [Format::OpenAiChat, Format::Anthropic, Format::Gemini] {
        let mut of_format = Vec::new();
        while of_format.len() < ABORTS / 3 {
            let (some, estimated) = leave(format, OF_SERVER, dice).await;
            of_format.extend(some);
            questions += estimated;
        }
        tell(&format!("{format:?}"), &of_format);
        all.extend(of_format);
    }
    let Told { bias, near, most } = tell("all", &all);
    println!("{questions} of {} were estimated", all.len());
    assert!((950..=1_050).contains(&bias), "{bias}");
    assert!(near >= 900, "{near}");
    assert!(most <= 1_200, "{most}");
}

/// In thousandths of the truth, and of the calls.
struct Told {
    bias: u64,
    near: usize,
    most: u64,
}

fn tell(name: &str, calls: &[(u64, u64)]) -> Told {
    let mut ratios: Vec<_> = calls
        .iter()
        .map(|(charge, truth)| charge * 1_000 / truth)
        .collect();
    ratios.sort_unstable();
    let charged: u64 = calls.iter().map(|(charge, _)| charge).sum();
    let truth: u64 = calls.iter().map(|(_, truth)| truth).sum();
    let near = ratios.iter().filter(|ratio| (750..=1_250).contains(*ratio));
    let told = Told {
        bias: charged * 1_000 / truth,
        near: near.count() * 1_000 / calls.len(),
        most: *ratios.last().unwrap(),
    };
    println!(
        "{name}: {} aborts, charged {} thousandths of the truth, {} thousandths within a quarter, from {} to {}",
        calls.len(),
        told.bias,
        told.near,
        ratios[0],
        told.most
    );
    told
}

/// Whole answers of a provider that works without a sign until its answer is
/// there, and charges for all that it has done.
const WORKS_FOR: Duration = secs(20);
const PROMPT_TOKENS: u64 = 40_000;
const TOKENS_A_SECOND: u64 = 40;

#[tokio::test(start_paused = true)]
async fn leaving_again_and_again_costs_the_house_no_more_than_the_cap() {
    const ROUNDS: usize = 20;
    const AT_ONCE: usize = 10;
    let dice = &mut Dice(29);
    let usage = json!({"prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": TOKENS_A_SECOND * WORKS_FOR.as_secs()});
    let answer = Answer::reply(&json!({"id": "up-1", "usage": usage,
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hi"}}]}))
    .head_after(WORKS_FOR);
    let play = |seconds: u64| {
        let prompt = "word ".repeat(usize::try_from(PROMPT_TOKENS).unwrap() * 4 / 5);
        play_whole()
            .setup(|setup| {
                setup.credit = 1_000_000_000_000;
                setup.drains_max = AT_ONCE;
            })
            .member("messages", json!([{"role": "user", "content": prompt}]))
            .one(answer.clone())
            .leaves(secs(seconds))
    };
    let harness = play(1).harness().await;
    let (mut truth, mut cancelled) = (0, 0);
    for _ in 0..ROUNDS {
        let began = harness.script.seen().len();
        let plays: Vec<_> = (0..AT_ONCE).map(|_| play(1 + dice.upto(18))).collect();
        join_all(plays.iter().map(|play| harness.ask(play))).await;
        all_ended(&harness).await;
        for (play, (_, fate)) in plays.iter().zip(&harness.script.seen()[began..]) {
            let is_cancelled = *fate == Fate::Dropped;
            cancelled += usize::from(is_cancelled);
            let seconds = if is_cancelled {
                play.left_after()
            } else {
                WORKS_FOR
            };
            let output = TOKENS_A_SECOND * seconds.as_secs();
            truth += PROMPT_TOKENS * INPUT_NANOS + output * OUTPUT_NANOS;
        }
    }
    let (charges, _) = charges(&harness);
    let charged: u64 = charges.iter().sum();
    let loss = truth - charged;
    let calls = ROUNDS * AT_ONCE;
    println!(
        "{calls} calls left, {cancelled} of them cancelled: worth {truth} n$, charged {charged} n$, the house bears {loss} n$"
    );
    assert_eq!(charges.len(), calls);
    assert!(cancelled > 0 && cancelled < calls / 2, "{cancelled}");
    assert!(loss <= u64::try_from(OF_KEY_MAX.0).unwrap(), "{loss}");
}
