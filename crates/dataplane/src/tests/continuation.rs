//! Streams that break after content and are gone on with elsewhere.

use bourse_net::NetErrorKind;
use bourse_vocab::Format;
use bourse_wire::dialect::Prefill;
use serde_json::{Value, json};

use super::books::PROMPT_NANOS;
use super::harness::{Play, Played, ms, play, secs};
use super::script::{Answer, Fate};

/// Letters of several bytes, white space in all places, a token of it alone.
const TOKENS: [&str; 9] = ["Hé", "llo", " ", "wörld", ",\n", " \n", "by", " bye ", "."];

fn joined(tokens: &[&str]) -> String {
    tokens.concat()
}

/// A stream that says these tokens and then goes on as it is told to.
fn saying(format: Format, tokens: &[&str]) -> Answer {
    match format {
        Format::Anthropic => {
            let begun = Answer::stream()
                .event(&json!({"type": "message_start", "message": {"id": "msg_2",
                    "type": "message", "role": "assistant", "model": "m", "content": [],
                    "stop_reason": null, "usage": {"input_tokens": 30, "output_tokens": 1}}}))
                .event(&json!({"type": "content_block_start", "index": 0,
                    "content_block": {"type": "text", "text": ""}}));
            tokens.iter().fold(begun, |answer, token| {
                answer.event(&json!({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "text_delta", "text": token}}))
            })
        }
        _ => tokens
            .iter()
            .fold(Answer::stream().role(), |answer, token| answer.text(token)),
    }
}

fn ending(format: Format, answer: Answer, tells_usage: bool, tokens: u64) -> Answer {
    match format {
        Format::Anthropic => answer
            .event(&json!({"type": "content_block_stop", "index": 0}))
            .event(
                &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": tokens}}),
            )
            .event(&json!({"type": "message_stop"})),
        _ if tells_usage => answer.finish().usage(30, tokens).done(),
        _ => answer.finish().done(),
    }
}

/// What the second target says: the rest, after what it repeats.
fn rest(format: Format, prefill: Prefill, at: usize, tells_usage: bool) -> Answer {
    let said = joined(&TOKENS[..at]);
    let trimmed = match format {
        Format::Anthropic => &said[said.trim_end().len()..],
        _ => "",
    };
    let repeated = if prefill == Prefill::PrefixRepeated {
        &said
    } else {
        trimmed
    };
    let mut tokens = vec![repeated];
    tokens.extend(&TOKENS[at..]);
    tokens.retain(|token| !token.is_empty());
    let count = (TOKENS.len() - at) as u64;
    ending(format, saying(format, &tokens), tells_usage, count)
}

fn continued(first: Answer, second: Answer, other: (Format, Prefill)) -> Play {
    play()
        .one(first)
        .two(second)
        .setup(|setup| setup.others = vec![("two", other.0, other.1)])
        .header("x-bourse-continue", "true")
}

const WAYS: [(Format, Prefill); 5] = [
    (Format::OpenAiChat, Prefill::Prefix),
    (Format::OpenAiChat, Prefill::PrefixRepeated),
    (Format::OpenAiChat, Prefill::FinalMessage),
    (Format::OpenAiChat, Prefill::Last),
    (Format::Anthropic, Prefill::Last),
];

/// One stream: one id, one role, one end, one usage.
fn is_one(played: &Played) -> Value {
    let events: Vec<Value> = played.got.events().collect();
    let one = |name: &str| {
        let first = &events[0][name];
        assert!(
            events.iter().all(|event| &event[name] == first),
            "{name}: {events:?}"
        );
    };
    for name in ["id", "created", "model", "object", "provider"] {
        one(name);
    }
    let count = |what: &dyn Fn(&Value) -> bool| events.iter().filter(|event| what(event)).count();
    let choice = |event: &Value| event["choices"][0].clone();
    if events[0]["object"] == "chat.completion.chunk" {
        assert_eq!(
            count(&|event| choice(event)["delta"]["role"].is_string()),
            1
        );
    }
    assert_eq!(
        count(&|event| choice(event)["finish_reason"].is_string()),
        1
    );
    assert_eq!(count(&|event| event["usage"].is_object()), 1);
    let usage = events.iter().find(|event| event["usage"].is_object());
    usage.unwrap()["usage"].clone()
}

/// The customer pays one input and both outputs, the house the second input.
fn is_paid_once(played: &Played, usage: &Value, added: u64) {
    let number = |name: &str| i64::try_from(usage[name].as_u64().unwrap()).unwrap();
    let added = i64::try_from(added).unwrap();
    let [(_, one), (_, two), _] = PROMPT_NANOS;
    let first = number("prompt_tokens") * one + (number("completion_tokens") - added) * 2 * one;
    let rest = added * 2 * two;
    let booked = &played.booked;
    assert_eq!(booked.charge, first + rest, "{usage}");
    let costs: Vec<_> = booked
        .costs
        .iter()
        .map(|(who, whom, _)| (*who, whom.as_str()))
        .collect();
    assert_eq!(
        costs,
        [("customer", "one"), ("customer", "two"), ("house", "two")]
    );
    assert_eq!((booked.costs[0].2, booked.costs[1].2), (first, rest));
    let attempts = &booked.facts.as_ref().unwrap().attempts;
    let providers: Vec<_> = attempts.iter().map(|attempt| attempt.0.as_str()).collect();
    assert_eq!(providers, ["one", "two"]);
    let cost = usage["cost"].as_f64().unwrap();
    #[allow(clippy::cast_precision_loss)]
    let charged = booked.charge as f64 / 1e9;
    assert!((cost - charged).abs() < 1e-12, "{cost} {charged}");
    assert!(booked.is_covered);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_at_any_token_is_gone_on_with_exactly() {
    for way in WAYS {
        for at in 1..=TOKENS.len() {
            for tells_usage in [false, true] {
                let first = saying(Format::OpenAiChat, &TOKENS[..at]).cut();
                let second = rest(way.0, way.1, at, tells_usage);
                let case = format!("{way:?} at {at}, usage {tells_usage}");
                let played = continued(first, second, way).play().await;
                assert_eq!(played.got.text(), joined(&TOKENS), "{case}");
                assert!(played.got.is_done(), "{case}");
                let usage = is_one(&played);
                if at < TOKENS.len() {
                    let added = match tells_usage || way.0 == Format::Anthropic {
                        true => (TOKENS.len() - at) as u64,
                        false => usage["completion_tokens"].as_u64().unwrap() - counted(at),
                    };
                    is_paid_once(&played, &usage, added);
                }
                assert_eq!(played.harness.script.called(), ["one", "two"], "{case}");
                let body = played.harness.script.bodies().pop().unwrap();
                is_told(&body, way, at);
            }
        }
    }
}

/// What is counted of the first tokens here.
fn counted(at: usize) -> u64 {
    let bytes = joined(&TOKENS[..at]).len() as u64;
    bytes.div_ceil(4).max(at as u64)
}

/// The second target is told what was said, in its own words.
fn is_told(body: &Value, (format, prefill): (Format, Prefill), at: usize) {
    let last = body["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["role"], "assistant");
    let said = joined(&TOKENS[..at]);
    match format {
        Format::Anthropic => assert_eq!(last["content"][0]["text"], said.trim_end()),
        _ => assert_eq!(last["content"], said),
    }
    let by_member = matches!(prefill, Prefill::Prefix | Prefill::PrefixRepeated);
    assert_eq!(last["prefix"] == true, by_member);
    assert_eq!(
        body["continue_final_message"] == true,
        prefill == Prefill::FinalMessage
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_at_any_byte_is_gone_on_with_from_what_was_told() {
    let frames: String = TOKENS
        .iter()
        .map(|token| {
            let chunk = json!({"id": "up", "object": "chat.completion.chunk", "model": "m",
                "choices": [{"index": 0, "delta": {"content": token}, "finish_reason": null}]});
            format!("data: {chunk}\n\n")
        })
        .collect();
    let way = (Format::OpenAiChat, Prefill::Prefix);
    // One that hangs after the first frame is not broken yet, nothing is told
    // before that.
    let first_frame = frames.find("\n\n").unwrap() + 2;
    for byte in (first_frame..frames.len()).step_by(7) {
        // The frames that are whole; the decoder takes the last one without
        // its blank line, too.
        let whole = frames[..floor(&frames, byte)].matches("data: ").count();
        let first = Answer::stream()
            .send(frames.as_bytes()[..byte].to_vec())
            .cut();
        for at in [whole, whole.saturating_sub(1)] {
            let played = continued(first.clone(), rest(way.0, way.1, at, true), way)
                .play()
                .await;
            let body = played.harness.script.bodies().pop().unwrap();
            let last = body["messages"].as_array().unwrap().last().unwrap().clone();
            let told = last["content"].as_str().unwrap().to_owned();
            if told == joined(&TOKENS[..at]) {
                assert_eq!(played.got.text(), joined(&TOKENS), "cut at {byte}");
                assert!(played.got.is_done(), "cut at {byte}");
                is_one(&played);
            } else {
                // The client has what the second target was told, and no more.
                assert!(played.got.text().starts_with(&told), "cut at {byte}");
            }
        }
    }
}

fn floor(text: &str, byte: usize) -> usize {
    (0..=byte)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn however_a_stream_breaks_it_is_gone_on_with() {
    let begun = || saying(Format::OpenAiChat, &TOKENS[..3]);
    let way = (Format::OpenAiChat, Prefill::Prefix);
    for first in [
        begun().cut(),
        begun().error_event(),
        begun().send("data: {\"choices\": [\n\n"),
        begun().send("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x"),
        begun().hang(),
    ] {
        let played = continued(first, rest(way.0, way.1, 3, true), way)
            .play()
            .await;
        assert_eq!(played.got.text(), joined(&TOKENS));
        assert!(played.got.is_done());
        is_paid_once(&played, &is_one(&played), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn text_completions_and_translated_streams_are_gone_on_with_too() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    for at in [1, 4, 8] {
        let first = saying(Format::OpenAiChat, &TOKENS[..at]).cut();
        let completed = continued(first, rest(way.0, way.1, at, true), way).completes("Hello");
        let played = completed.play().await;
        assert_eq!(played.got.text(), joined(&TOKENS));
        is_paid_once(&played, &is_one(&played), (TOKENS.len() - at) as u64);
        // From one format to another, both of which the client does not speak.
        let first = saying(Format::Anthropic, &TOKENS[..at]).cut();
        let play = continued(first, rest(way.0, way.1, at, true), way).setup(|setup| {
            setup.others.push(("one", Format::Anthropic, Prefill::None));
        });
        let played = play.play().await;
        assert_eq!(played.got.text(), joined(&TOKENS));
        assert!(played.got.is_done());
        assert_eq!(
            is_one(&played)["prompt_tokens"],
            30,
            "as the first one told"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_to_who_does_not_document_it_or_unless_the_caller_wants_it() {
    let first = || saying(Format::OpenAiChat, &TOKENS[..3]).cut();
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let second = || rest(way.0, way.1, 3, true);
    let unasked = [
        continued(first(), second(), (Format::OpenAiChat, Prefill::None)),
        continued(first(), second(), way).header("x-bourse-continue", "false"),
    ];
    for (n, mut play) in unasked.into_iter().enumerate() {
        if n == 1 {
            play = play.without_header("x-bourse-continue", "true");
        }
        let played = play.check("settled ~/3; customer pays one").await;
        assert_eq!(played.harness.script.called(), ["one"]);
        assert_eq!(played.got.text(), joined(&TOKENS[..3]));
        assert_eq!(played.got.error(), Some(502));
        assert!(!played.got.is_done());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_gone_on_with_ends_with_the_error_and_says_why() {
    let call = json!({"tool_calls": [{"index": 0, "id": "c", "type": "function",
        "function": {"name": "look", "arguments": "{"}}]});
    let chunk = |delta: &Value| {
        json!({"id": "up", "model": "m", "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    };
    let way = (Format::OpenAiChat, Prefill::Prefix);
    for (first, why) in [
        (
            Answer::stream().thought("hm").cut(),
            "the model was still thinking",
        ),
        (
            Answer::stream().text("so ").thought("hm").cut(),
            "the model had begun to think again",
        ),
        (
            Answer::stream().text("so ").data(&chunk(&call)).cut(),
            "a tool call had begun",
        ),
        (
            Answer::stream()
                .text("so ")
                .data(&chunk(&json!({"refusal": "no"})))
                .cut(),
            "something other than text was said",
        ),
        (
            Answer::stream().text("so").finish().error_event(),
            "it had ended",
        ),
    ] {
        let played = continued(first, Answer::good(), way).play().await;
        assert_eq!(played.harness.script.called(), ["one"], "{why}");
        assert!(!played.got.is_done());
        assert!(
            played
                .got
                .body
                .contains(&format!("\"continuation\":\"{why}\"")),
            "{}",
            played.got.body
        );
        assert_eq!(played.got.error(), Some(502));
    }
}

#[tokio::test(start_paused = true)]
async fn complete_thoughts_are_no_obstacle_and_whoever_thinks_again_does_not_go_on() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let first = || Answer::stream().thought("hm").text("so ").cut();
    let asked =
        |second| continued(first(), second, way).member("reasoning", json!({"effort": "high"}));
    let played = asked(Answer::stream().text("it is").finish().done())
        .play()
        .await;
    assert_eq!(played.got.text(), "so it is");
    assert!(played.got.is_done());
    let again = Answer::stream()
        .thought("well")
        .text("it is")
        .finish()
        .done();
    let played = asked(again).play().await;
    assert_eq!(played.got.text(), "so ");
    assert!(!played.got.is_done());
    assert!(
        played.booked.end.starts_with("settled ~/"),
        "{}",
        played.booked.end
    );
    assert!(
        played.booked.end.contains("customer pays one"),
        "{}",
        played.booked.end
    );
    assert_eq!(played.harness.script.fate(), Fate::Dropped, "at once");
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_repeat_what_it_should_does_not_go_on() {
    for (way, second) in [
        ((Format::OpenAiChat, Prefill::PrefixRepeated), "another"),
        ((Format::Anthropic, Prefill::Last), "x"),
    ] {
        let first = saying(Format::OpenAiChat, &["so "]).cut();
        let second = ending(way.0, saying(way.0, &[second, " thing"]), true, 2);
        let played = continued(first, second, way).play().await;
        assert_eq!(played.got.text(), "so ", "{way:?}");
        assert!(!played.got.is_done());
        assert_eq!(played.got.error(), Some(502));
        assert_eq!(played.booked.facts.unwrap().finish, "error");
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_second_breaks_as_well_the_stream_ends_with_an_error_and_all_is_paid() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let first = saying(Format::OpenAiChat, &TOKENS[..2]).cut();
    let second = saying(Format::OpenAiChat, &TOKENS[2..5]).cut();
    let play = continued(first, second, way)
        .three(Answer::good())
        .setup(|setup| {
            setup
                .others
                .push(("three", Format::OpenAiChat, Prefill::Prefix));
        });
    let played = play.play().await;
    assert_eq!(played.got.text(), joined(&TOKENS[..5]));
    assert_eq!(played.got.error(), Some(502));
    assert!(!played.got.is_done());
    assert_eq!(played.harness.script.called(), ["one", "two"], "once");
    let booked = &played.booked;
    let expected = "settled ~/5; customer pays one; customer pays two; house pays two";
    assert_eq!(booked.end, expected);
}

#[tokio::test(start_paused = true)]
async fn a_second_part_that_ends_in_an_error_is_not_paid() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let first = saying(Format::OpenAiChat, &TOKENS[..2]).cut();
    let second = saying(Format::OpenAiChat, &TOKENS[2..5]);
    let second = second.finish_as("error").usage(30, 3).done();
    let played = continued(first, second, way)
        .check("settled ~/2; customer pays one; house pays two")
        .await;
    assert_eq!(played.booked.costs[1].2, 30 * 3_000 + 3 * 6_000);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_is_followed_by_another_within_the_budget() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    for second in [
        Answer::status(503),
        Answer::status(429),
        Answer::unreachable(NetErrorKind::Resolve),
    ] {
        let first = saying(Format::OpenAiChat, &TOKENS[..4]).cut();
        let third = rest(way.0, way.1, 4, true);
        let play = continued(first, second, way).three(third).setup(|setup| {
            setup
                .others
                .push(("three", Format::OpenAiChat, Prefill::Prefix));
        });
        let played = play.play().await;
        assert_eq!(played.got.text(), joined(&TOKENS));
        assert!(played.got.is_done());
        assert_eq!(played.harness.script.called(), ["one", "two", "three"]);
        let pays = "customer pays one; customer pays three; house pays three";
        assert!(played.booked.end.ends_with(pays), "{}", played.booked.end);
    }
    // When nobody is left the customer pays what it has.
    let first = saying(Format::OpenAiChat, &TOKENS[..4]).cut();
    let played = continued(first, Answer::status(503), way)
        .check("settled ~/4; customer pays one")
        .await;
    assert_eq!(played.got.error(), Some(502));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_meanwhile_pays_for_what_it_has() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let first = || saying(Format::OpenAiChat, &TOKENS[..4]).cut();
    // While nobody has answered, and while somebody is going on.
    let silent = continued(first(), Answer::silent(), way).leaves(secs(3));
    let played = silent
        .check("settled ~/4; customer pays one; possible two")
        .await;
    assert_eq!(played.harness.script.fate(), Fate::Dropped);
    let slow = saying(Format::OpenAiChat, &TOKENS[4..6]).wait(secs(9));
    let played = continued(first(), slow, way).leaves(secs(3)).play().await;
    let end = "settled ~/6; customer pays one; customer pays two; house pays two; possible two";
    assert_eq!(played.booked.end, end);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_client_is_kept_alive_and_told_once() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let first = saying(Format::OpenAiChat, &TOKENS[..4]).cut();
    let second = rest(way.0, way.1, 4, true).head_after(secs(25));
    let played = continued(first, second, way).play().await;
    assert_eq!(played.got.comments(), 2);
    assert_eq!(played.got.text(), joined(&TOKENS));
    assert_eq!(played.got.at, secs(25));
}

#[tokio::test(start_paused = true)]
async fn the_rest_keeps_to_the_limit_and_is_told_in_metadata() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let first = saying(Format::OpenAiChat, &TOKENS[..4]).wait(ms(600)).cut();
    let played = continued(first, rest(way.0, way.1, 4, true), way)
        .member("max_tokens", 20)
        .wants_metadata()
        .play()
        .await;
    let bodies = played.harness.script.bodies();
    assert_eq!(bodies[0]["max_tokens"], 20);
    assert_eq!(bodies[1]["max_tokens"], 20 - counted(4));
    let events: Vec<_> = played.got.events().collect();
    let told = events
        .iter()
        .filter(|event| event["openrouter_metadata"].is_object());
    let told: Vec<_> = told.map(|event| &event["openrouter_metadata"]).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["continuation"], json!({"from": "one", "by": "two"}));
    assert_eq!(told[0]["attempt"], 2);
    // After a crash the last checkpoint counts, which grows with both parts.
    let checkpoints = &played.booked.checkpoints;
    assert!(
        checkpoints.windows(2).all(|pair| pair[0] <= pair[1]),
        "{checkpoints:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_money_for_it_an_answer_is_not_gone_on_with() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    let first = saying(Format::OpenAiChat, &TOKENS[..4]).cut();
    let dear = ("three", Format::OpenAiChat, Prefill::Prefix);
    // The hold is for the dearest from the start: what an answer can cost is
    // never more with the rest of another.
    let play = continued(first, rest(way.0, way.1, 4, true), way)
        .three(Answer::good())
        .member("max_tokens", 100)
        .setup(|setup| setup.others.push(dear));
    let played = play.play().await;
    assert_eq!(played.booked.holds.len(), 1, "{:?}", played.booked.holds);
    assert!(played.got.is_done());
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_model_may_have_it_without_asking_and_the_header_decides() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    for (header, continues) in [(None, true), (Some("false"), false), (Some("true"), true)] {
        let first = saying(Format::OpenAiChat, &TOKENS[..3]).cut();
        let play = continued(first, rest(way.0, way.1, 3, true), way)
            .without_header("x-bourse-continue", "true")
            .setup(|setup| setup.defaults.continues = true);
        let play = match header {
            Some(value) => play.header("x-bourse-continue", value),
            None => play,
        };
        let played = play.play().await;
        assert_eq!(played.got.is_done(), continues, "{header:?}");
    }
    // Several answers are nobody's mistake where nobody asked.
    let play = play()
        .one(Answer::good())
        .member("n", 2)
        .setup(|setup| setup.defaults.continues = true);
    assert_eq!(play.play().await.got.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_key_says_it_for_its_calls_below_the_header_and_above_the_model() {
    let way = (Format::OpenAiChat, Prefill::Prefix);
    for (header, key, model, continues) in [
        (None, Some(true), false, true),
        (None, Some(false), true, false),
        (None, None, true, true),
        (Some("false"), Some(true), true, false),
        (Some("true"), Some(false), false, true),
    ] {
        let first = saying(Format::OpenAiChat, &TOKENS[..3]).cut();
        let play = continued(first, rest(way.0, way.1, 3, true), way)
            .without_header("x-bourse-continue", "true")
            .setup(|setup| {
                setup.defaults.continues = model;
                setup.key_calls.continues = key;
            });
        let play = match header {
            Some(value) => play.header("x-bourse-continue", value),
            None => play,
        };
        let played = play.play().await;
        let case = (header, key, model);
        assert_eq!(played.got.is_done(), continues, "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn absurd_values_of_the_header_are_refused_by_its_name() {
    for value in ["yes", "1", "", "TRUE", "true, true"] {
        let play = play()
            .one(Answer::good())
            .header("x-bourse-continue", value);
        let got = play.harness().await.ask(&play).await;
        assert_eq!(got.status, 400, "{value}");
        assert!(
            got.body.contains("X-Bourse-Continue: must be"),
            "{}",
            got.body
        );
    }
    let play = play()
        .one(Answer::good())
        .header("x-bourse-continue", "true")
        .member("n", 2);
    let got = play.harness().await.ask(&play).await;
    assert_eq!(got.status, 400);
    assert!(
        got.body.contains("X-Bourse-Continue: goes with one answer"),
        "{}",
        got.body
    );
}
