//! Limits, schedules and prefills over HTTP.

use bourse_sim::{Down, Format, Limits, Phase, Script, ScriptSet, Sim, truth};
use serde_json::{Value, json};

use crate::client::{ANTHROPIC, KEY, connect, eventually, idle, post, send, sim};

const CHAT: &str = "/v1/chat/completions";
const GEMINI: &str = "/v1beta/models/g:generateContent";

fn body(stream: bool) -> Value {
    json!({ "model": "m", "max_tokens": 200, "stream": stream,
        "messages": [{ "role": "user", "content": "hello there" }] })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn limited(limits: Limits) -> Script {
    Script {
        limits,
        ..Script::default()
    }
}

#[test]
fn beyond_its_requests_a_minute_each_vendor_answers_429_in_its_shape() {
    let limits = Limits {
        requests_per_minute: Some(2),
        tokens_per_minute: Some(10_000),
        ..Limits::default()
    };
    let sim = sim(limited(limits));
    let first = post(sim.addr(), CHAT, KEY, &body(false));
    assert_eq!(first.status, 200);
    assert_eq!(header(&first.head, "x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(
        header(&first.head, "x-ratelimit-remaining-requests"),
        Some("1")
    );
    assert_eq!(
        header(&first.head, "x-ratelimit-limit-tokens"),
        Some("10000")
    );
    assert!(
        header(&first.head, "x-ratelimit-reset-requests")
            .unwrap()
            .ends_with('s')
    );
    assert_eq!(post(sim.addr(), CHAT, KEY, &body(true)).status, 200);

    let chat = post(sim.addr(), CHAT, KEY, &body(false));
    assert_eq!((chat.status, chat.whole), (429, true));
    let error = &chat.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("requests"), &json!("rate_limit_exceeded"))
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("Please try again in ")
    );
    let wait: u64 = header(&chat.head, "retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(
        header(&chat.head, "x-ratelimit-remaining-requests"),
        Some("0")
    );

    let claude = post(sim.addr(), "/v1/messages", ANTHROPIC, &body(false));
    assert_eq!(claude.status, 429);
    assert_eq!(claude.json()["error"]["type"], "rate_limit_error");
    assert!(header(&claude.head, "retry-after").is_some());
    assert_eq!(
        header(&claude.head, "anthropic-ratelimit-requests-remaining"),
        Some("0")
    );
    let reset = header(&claude.head, "anthropic-ratelimit-requests-reset").unwrap();
    assert!(
        reset.parse::<jiff::Timestamp>().is_ok() && reset.ends_with('Z'),
        "{reset}"
    );

    let gemini = post(
        sim.addr(),
        GEMINI,
        KEY,
        &json!({ "contents": [{ "parts": [{ "text": "a" }] }] }),
    );
    assert_eq!(gemini.json()["error"]["status"], "RESOURCE_EXHAUSTED");
    assert!(gemini.json()["error"]["details"][0]["retryDelay"].is_string());
    assert_eq!(header(&gemini.head, "retry-after"), None);
}

#[test]
fn a_request_of_many_tokens_meets_the_limit_of_tokens() {
    let ask = body(false);
    let cost = truth(
        Format::OpenaiChat,
        CHAT,
        ask.to_string().as_bytes(),
        &Script::default(),
    );
    let cost = cost
        .map(|cost| cost.prompt_tokens + cost.completion_tokens)
        .unwrap();
    let sim = sim(limited(Limits {
        tokens_per_minute: Some(cost * 2),
        ..Limits::default()
    }));
    let statuses = [0; 3].map(|_| post(sim.addr(), CHAT, KEY, &ask));
    assert_eq!(
        [&statuses[0], &statuses[1], &statuses[2]].map(|got| got.status),
        [200, 200, 429]
    );
    assert_eq!(statuses[2].json()["error"]["type"], "tokens");
    sim.reset();
    assert_eq!(post(sim.addr(), CHAT, KEY, &ask).status, 200);
}

#[test]
fn a_full_provider_is_overloaded_until_an_answer_ends() {
    let set = |limits| Script {
        stall_after_tokens: Some(1),
        ..limited(limits)
    };
    let sim = Sim::builder()
        .provider(
            "whole",
            set(Limits {
                capacity: Some(1),
                ..Limits::default()
            }),
        )
        .provider(
            "account",
            set(Limits {
                concurrency: Some(1),
                ..Limits::default()
            }),
        )
        .spawn_thread("127.0.0.1:0".parse().unwrap())
        .unwrap();
    for (path, headers, name, status) in [
        ("/p/whole/v1/messages", ANTHROPIC, "whole", 529),
        ("/p/whole/v1/chat/completions", KEY, "whole", 503),
        ("/p/account/v1/chat/completions", KEY, "account", 429),
    ] {
        let mut held = connect(sim.addr());
        send(
            &mut held,
            "POST",
            path,
            headers,
            body(true).to_string().as_bytes(),
        );
        eventually(|| {
            let log = sim.log();
            log.iter()
                .any(|entry| {
                    entry.provider.as_deref() == Some(name)
                        && entry.sent_tokens == 0
                        && entry.head_sent_us.is_some()
                        && entry.ended_us.is_none()
                })
                .then_some(())
        });
        let got = post(sim.addr(), path, headers, &body(true));
        assert_eq!((got.status, got.whole), (status, true), "{path}");
        assert_eq!(
            header(&got.head, "retry-after").is_some(),
            status == 429,
            "{path}"
        );
        drop(held);
        idle(&sim);
        let mut next = connect(sim.addr());
        send(
            &mut next,
            "POST",
            path,
            headers,
            body(true).to_string().as_bytes(),
        );
        eventually(|| {
            sim.log()
                .last()
                .filter(|entry| entry.status == 200)
                .map(|_| ())
        });
        drop(next);
        idle(&sim);
    }
}

#[test]
fn a_provider_is_down_and_up_by_its_schedule_and_starts_it_again_at_a_reset() {
    let script = |from_ms| Script {
        schedule: vec![Phase {
            from_ms,
            down: Some(Down::Error),
            ..Phase::default()
        }],
        ..Script::default()
    };
    let sim = sim(script(0));
    assert_eq!(post(sim.addr(), CHAT, KEY, &body(false)).status, 503);
    sim.set_script(script(3_600_000));
    assert_eq!(post(sim.addr(), CHAT, KEY, &body(false)).status, 200);
    // A short one, waited for by asking: it begins again when told.
    sim.set_script(script(300));
    eventually(|| (post(sim.addr(), CHAT, KEY, &body(false)).status == 503).then_some(()));
    sim.reset();
    assert_eq!(post(sim.addr(), CHAT, KEY, &body(false)).status, 200);
}

#[test]
fn a_script_that_is_laid_in_again_unchanged_goes_on() {
    let limits = Limits {
        requests_per_minute: Some(1),
        ..Limits::default()
    };
    let sim = sim(limited(limits));
    assert_eq!(post(sim.addr(), CHAT, KEY, &body(false)).status, 200);
    sim.set_provider_script("other", Script::default());
    assert_eq!(post(sim.addr(), CHAT, KEY, &body(false)).status, 429);
}

#[test]
fn shares_of_silence_and_slowness_are_the_scripts() {
    let script = Script {
        silent_rate: 0.25,
        slow_rate: 0.02,
        slow_first_token_ms: 900,
        first_token_ms: 90,
        seed: 4,
        ..Script::default()
    };
    let silent = (0..10_000).filter(|at| script.is_silent(*at)).count();
    assert!((2_300..2_700).contains(&silent), "{silent}");
    let waits: Vec<u64> = (0..10_000).map(|at| script.first_token_ms_of(at)).collect();
    let slow = waits.iter().filter(|ms| **ms == 900).count();
    assert!((150..250).contains(&slow), "{slow}");
    assert_eq!(waits.iter().filter(|ms| **ms == 90).count(), 10_000 - slow);
}

/// Text, and output tokens as told, of one answer in a format.
fn answered(
    sim: &bourse_sim::SimHandle,
    format: Format,
    begun: Option<&str>,
    stream: bool,
) -> (String, u64) {
    let (path, headers, ask) = match format {
        Format::Anthropic => {
            let mut messages = vec![json!({ "role": "user", "content": "hello" })];
            messages.extend(begun.map(|text| json!({ "role": "assistant", "content": text })));
            (
                "/v1/messages".to_owned(),
                ANTHROPIC,
                json!({ "model": "claude", "max_tokens": 500, "stream": stream, "messages": messages }),
            )
        }
        Format::Gemini => {
            let mut contents = vec![json!({ "role": "user", "parts": [{ "text": "hello" }] })];
            contents
                .extend(begun.map(|text| json!({ "role": "model", "parts": [{ "text": text }] })));
            let verb = if stream {
                "streamGenerateContent?alt=sse"
            } else {
                "generateContent"
            };
            (
                format!("/v1beta/models/g:{verb}"),
                KEY,
                json!({ "contents": contents }),
            )
        }
        _ => {
            let mut messages = vec![json!({ "role": "user", "content": "hello" })];
            messages.extend(begun.map(|text| json!({ "role": "assistant", "content": text })));
            (
                CHAT.to_owned(),
                KEY,
                json!({ "model": "gpt", "stream": stream, "messages": messages, "stream_options": { "include_usage": true } }),
            )
        }
    };
    let got = post(sim.addr(), &path, headers, &ask);
    assert_eq!(
        (got.status, got.whole),
        (200, true),
        "{format:?} {begun:?}: {}",
        got.text()
    );
    let values = if stream {
        got.events()
    } else {
        vec![got.json()]
    };
    let text = values
        .iter()
        .filter_map(|value| {
            [
                "/choices/0/delta/content",
                "/choices/0/message/content",
                "/delta/text",
                "/content/0/text",
                "/candidates/0/content/parts/0/text",
            ]
            .iter()
            .find_map(|path| value.pointer(path)?.as_str())
        })
        .collect();
    idle(sim);
    let tokens = sim
        .log()
        .last()
        .unwrap()
        .truth
        .clone()
        .unwrap()
        .completion_tokens;
    (text, tokens)
}

#[test]
fn an_answer_that_broke_anywhere_is_continued_exactly_in_every_format() {
    let sim = sim(Script {
        prefill: true,
        tokens: Some(6),
        ..Script::default()
    });
    let (whole, tokens) = answered(&sim, Format::OpenaiChat, None, false);
    assert_eq!((whole.split_whitespace().count(), tokens), (6, 6));
    for format in [Format::OpenaiChat, Format::Anthropic, Format::Gemini] {
        for stream in [false, true] {
            assert_eq!(
                answered(&sim, format, None, stream),
                (whole.clone(), 6),
                "{format:?}"
            );
            let ends: Vec<usize> = whole
                .match_indices(' ')
                .map(|(at, _)| at)
                .chain([whole.len(), 3])
                .collect();
            for cut in ends {
                let (begun, rest) = whole.split_at(cut);
                let (text, tokens) = answered(&sim, format, Some(begun), stream);
                assert_eq!(text, rest, "{format:?}, streamed {stream}, after {begun:?}");
                assert_eq!(tokens, rest.split_whitespace().count() as u64);
            }
        }
    }
}

#[test]
fn a_beginning_of_another_answer_is_refused() {
    let sim = sim(Script {
        prefill: true,
        ..Script::default()
    });
    let with = |text: &str| {
        json!({ "model": "m", "max_tokens": 9, "messages": [
            { "role": "user", "content": "hello" }, { "role": "assistant", "content": text } ] })
    };
    let chat = post(sim.addr(), CHAT, KEY, &with("nonsense"));
    assert_eq!(chat.status, 400);
    assert!(
        chat.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not a beginning")
    );
    let claude = post(sim.addr(), "/v1/messages", ANTHROPIC, &with("river "));
    assert_eq!(claude.status, 400);
    assert!(
        claude.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("trailing whitespace")
    );
}

#[test]
fn the_sample_script_of_the_documents_is_read() {
    let page = include_str!("../../../../docs/how-to/script-a-provider.md");
    let mut samples = 0;
    for sample in page.split("```toml\n").skip(1) {
        let text = sample.split("```").next().unwrap();
        ScriptSet::from_toml(text)
            .unwrap_or_else(|error| panic!("{}\n{text}", error.in_file("sample")));
        samples += 1;
    }
    assert!(samples >= 3, "{samples}");
}
