//! Providers that draw what becomes of each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bourse_net::NetErrorKind;
use serde_json::{Value, json};

use super::super::books::PROMPT_NANOS;
use super::super::harness::{Harness, ms, secs};
use super::super::script::{Answer, Fate};
use super::callers::call_of;
use crate::phases::hold::goals::Dice;

/// Tokens of a prompt, as every provider counts it.
pub const PROMPT_TOKENS: u64 = 10;
/// How many times as long the answers of an unruly provider are.
const UNRULY: u64 = 20;
/// The most words of an answer; each is a token.
const WORDS_MAX: u64 = 30;

/// What a provider is like in a scene.
#[derive(Debug, Clone, Copy)]
enum Temper {
    Well,
    Flaky,
    Down,
    Silent,
    Throttled,
    Breaking,
    /// Well, and keeps no limit.
    Unruly,
}

const TEMPERS: [Temper; 9] = [
    Temper::Well,
    Temper::Well,
    Temper::Well,
    Temper::Flaky,
    Temper::Down,
    Temper::Silent,
    Temper::Throttled,
    Temper::Breaking,
    Temper::Unruly,
];

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doom {
    /// All of it comes, with its usage.
    Whole,
    /// All of it, and nobody says how much it was.
    Uncounted,
    Status(u16),
    /// 429 that says when to come again.
    Later(Duration),
    Unreachable,
    Silent,
    /// The connection breaks after so many words.
    Cut(u64),
    /// Nothing more comes after so many words.
    Hangs(u64),
    /// An error, after so many words, with status 200.
    Error(u64),
    /// What is no JSON, after so many words.
    Garbage(u64),
    /// It ends after so many words, and says no reason.
    Endless(u64),
}

/// A request as a provider saw it.
#[derive(Debug, Clone)]
pub struct Dealt {
    /// Which call it is for.
    pub call: usize,
    pub provider: String,
    pub doom: Doom,
    /// All words that the answer would have.
    pub words: u64,
    /// Whether these are more than it was told.
    pub overruns: bool,
    /// When it came.
    pub at: Duration,
    /// When its head was sent, if one was.
    pub head_at: Duration,
}

impl Dealt {
    pub const fn is_good(&self) -> bool {
        matches!(self.doom, Doom::Whole | Doom::Uncounted)
    }

    /// What its whole answer is worth.
    pub fn worth(&self) -> i64 {
        let price = PROMPT_NANOS.iter().find(|(slug, _)| *slug == self.provider);
        price.unwrap().1 * i64::try_from(PROMPT_TOKENS + 2 * self.words).unwrap()
    }
}

/// A word of the answer to a request.
pub fn word(request: usize, index: u64) -> String {
    format!("d{request}w{index} ")
}

/// The whole answer to a request.
pub fn text(request: usize, words: u64) -> String {
    (0..words).map(|index| word(request, index)).collect()
}

/// All providers of a scene.
pub struct Providers(Arc<Mutex<Vec<Dealt>>>);

impl Providers {
    pub fn open(harness: &Harness, dice: &mut Dice) -> Self {
        let tempers: HashMap<_, _> = PROMPT_NANOS
            .iter()
            .map(|(slug, _)| {
                let at = usize::try_from(dice.upto(TEMPERS.len() as u64 - 1)).unwrap();
                (*slug, TEMPERS[at])
            })
            .collect();
        let all = Arc::new(Mutex::new(Vec::new()));
        let began = harness.began();
        let mut own = Dice(dice.upto(u64::MAX - 1));
        let dealt = Arc::clone(&all);
        harness.script.deals(Box::new(move |provider, body| {
            let mut dealt = dealt.lock().unwrap();
            let (answer, mut one) = deal(tempers[provider], body, dealt.len(), &mut own);
            one.provider = provider.to_owned();
            one.at = began.elapsed();
            one.head_at += one.at;
            dealt.push(one);
            answer
        }));
        Self(all)
    }

    pub fn dealt(&self) -> Vec<Dealt> {
        self.0.lock().unwrap().clone()
    }

    /// Whether somebody still reads an answer, or waits for one.
    #[allow(clippy::unused_self)] // Asked of providers, though the script knows it.
    pub fn are_busy(&self, harness: &Harness) -> bool {
        let busy = [Fate::Connecting, Fate::AwaitingHead, Fate::Answering];
        let seen = harness.script.seen();
        seen.iter().any(|(_, fate)| busy.contains(fate))
    }
}

fn doom(temper: Temper, words: u64, dice: &mut Dice) -> Doom {
    let at = dice.upto(words);
    let fails = match temper {
        Temper::Well | Temper::Unruly => dice.one_in(25),
        Temper::Flaky => dice.one_in(2),
        Temper::Down | Temper::Silent | Temper::Throttled => true,
        Temper::Breaking => !dice.one_in(3),
    };
    match (fails, temper) {
        (false, _) if dice.one_in(8) => Doom::Uncounted,
        (false, _) => Doom::Whole,
        (true, Temper::Silent) => Doom::Silent,
        (true, Temper::Throttled) => Doom::Later(secs(1 + dice.upto(20))),
        (true, Temper::Down) if dice.one_in(3) => Doom::Unreachable,
        (true, Temper::Down) => Doom::Status([500, 502, 503, 529][dice_index(dice, 4)]),
        (true, Temper::Breaking) => broken(at, dice),
        (true, _) => match dice.upto(4) {
            0 => Doom::Unreachable,
            1 => Doom::Silent,
            2 => Doom::Later(secs(1 + dice.upto(5))),
            3 => Doom::Status([400, 401, 408, 429, 500, 503][dice_index(dice, 6)]),
            _ => broken(at, dice),
        },
    }
}

fn dice_index(dice: &mut Dice, count: u64) -> usize {
    usize::try_from(dice.upto(count - 1)).unwrap()
}

fn broken(at: u64, dice: &mut Dice) -> Doom {
    match dice.upto(4) {
        0 => Doom::Cut(at),
        1 => Doom::Hangs(at),
        2 => Doom::Error(at),
        3 => Doom::Garbage(at),
        _ => Doom::Endless(at),
    }
}

fn deal(temper: Temper, body: &Value, request: usize, dice: &mut Dice) -> (Answer, Dealt) {
    let limit = body["max_tokens"].as_u64().unwrap_or(u64::MAX);
    let wants = 1 + dice.upto(WORDS_MAX - 1);
    let (wants, words) = match temper {
        Temper::Unruly => (wants * UNRULY, wants * UNRULY),
        _ => (wants, wants.min(limit)),
    };
    let doom = doom(temper, words, dice);
    let head = ms(dice.upto(3_000));
    let reason = if wants > words { "length" } else { "stop" };
    let answer = if body["stream"] == true {
        streamed(doom, request, words, reason, dice)
    } else {
        whole(doom, request, words, reason)
    };
    let dealt = Dealt {
        call: call_of(body),
        provider: String::new(),
        doom,
        words,
        overruns: words > limit,
        at: Duration::ZERO,
        head_at: head,
    };
    match doom {
        Doom::Silent | Doom::Unreachable => (answer, dealt),
        _ => (answer.head_after(head), dealt),
    }
}

fn failing(doom: Doom) -> Option<Answer> {
    match doom {
        Doom::Status(status) => Some(Answer::status(status)),
        Doom::Later(wait) => {
            let seconds = wait.as_secs().to_string();
            Some(Answer::status(429).header("retry-after", seconds))
        }
        Doom::Unreachable => Some(Answer::unreachable(NetErrorKind::Connect)),
        Doom::Silent => Some(Answer::silent()),
        _ => None,
    }
}

fn streamed(doom: Doom, request: usize, words: u64, reason: &str, dice: &mut Dice) -> Answer {
    if let Some(failing) = failing(doom) {
        return failing;
    }
    let gap = ms(dice.upto(700));
    let said = |count: u64| {
        (0..count).fold(Answer::stream().role(), |answer, index| {
            answer.wait(gap).text(&word(request, index))
        })
    };
    match doom {
        Doom::Whole => said(words)
            .finish_as(reason)
            .usage(PROMPT_TOKENS, words)
            .done(),
        Doom::Uncounted => said(words).finish_as(reason).done(),
        Doom::Hangs(at) => said(at).hang(),
        Doom::Error(at) => said(at).error_event(),
        Doom::Garbage(at) => said(at).send("data: {\"choices\": [}\n\n").done(),
        Doom::Endless(at) => said(at).done(),
        Doom::Cut(at) => said(at).cut(),
        Doom::Status(_) | Doom::Later(_) | Doom::Unreachable | Doom::Silent => unreachable!(),
    }
}

fn whole(doom: Doom, request: usize, words: u64, reason: &str) -> Answer {
    if let Some(failing) = failing(doom) {
        return failing;
    }
    let mut reply = json!({
        "id": "up-whole",
        "choices": [{"index": 0, "finish_reason": reason,
            "message": {"role": "assistant", "content": text(request, words)}}],
        "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": words,
            "total_tokens": PROMPT_TOKENS + words},
    });
    match doom {
        Doom::Cut(_) | Doom::Garbage(_) | Doom::Endless(_) => Answer::cut_reply(&reply),
        Doom::Hangs(_) => Answer::reply(&json!({})).hang(),
        Doom::Error(_) => Answer::reply(&json!({"error": {"message": "no", "code": 500}})),
        Doom::Uncounted => {
            reply.as_object_mut().unwrap().remove("usage");
            Answer::reply(&reply)
        }
        _ => Answer::reply(&reply),
    }
}
