//! Streams that break at every place: what was delivered is paid, and a
//! broken answer is never shown as a finished one.

use std::time::{Duration, Instant};

use bourse_sim::{Entry, Outcome, Script};
use serde_json::{Value, json};

use crate::client::Stream;
use crate::exchange::{CHEAP, DEAR, Exchange, Provider, prompt_estimate, script, streamed, worth};
use crate::money_math::cost;

const FORMATS: [&str; 4] = ["openai-chat", "anthropic", "gemini", "bedrock-converse"];
/// Tokens of the answers that are broken.
const TOKENS: u64 = 8;

/// A server whose only provider speaks `format`.
fn speaking(format: &'static str) -> Exchange {
    Exchange::start(|setup| {
        setup
            .deadlines("idle_ms = 500\nhead_ms = 1500")
            .provider(Provider::new("cheap", CHEAP, Script::default()).format(format));
    })
}

impl Exchange {
    fn play(&self, fields: Value) {
        self.sim.reset();
        self.sim.set_provider_script("cheap", script(fields));
    }

    /// Streams once; what the provider saw of it last, too.
    #[track_caller]
    fn streams(&self) -> (crate::client::Got, Option<Entry>) {
        let got = self.open(&streamed(json!({"max_tokens": 100}))).receive();
        (got, self.upstream().pop())
    }

    /// What was spent, once the database has seen as many calls as expected.
    fn spent_is(&self, expected: std::ops::RangeInclusive<i128>) -> i128 {
        crate::exchange::eventually("the books to show what was spent", || {
            let (_, spent) = self.balance();
            expected.contains(&spent).then_some(spent)
        })
    }
}

/// The laws of a stream that broke after content: an error and no finish, and
/// every delivered word is the true one, in order.
#[track_caller]
fn broke(stream: &Stream, truth: &str) -> Value {
    let error = stream.broken();
    let text = stream.text();
    assert!(!text.is_empty(), "content came before the error");
    assert!(truth.starts_with(&text), "{text:?} of {truth:?}");
    error
}

/// The text that an undisturbed answer to the same request has.
fn whole_text(exchange: &Exchange) -> (String, i128) {
    exchange.play(json!({"tokens": TOKENS}));
    let (got, entry) = exchange.streams();
    let stream = got.stream();
    let usage = stream.complete();
    let paid = worth(&entry.unwrap(), CHEAP);
    assert_eq!(cost(&usage), paid);
    assert_eq!(stream.finishes(), ["stop"]);
    (stream.text(), paid)
}

/// Breaks a stream of every format at every token.
fn break_everywhere(fault: &str) {
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || {
                let exchange = speaking(format);
                let (truth, whole) = whole_text(&exchange);
                let mut spent = whole;
                let mut broken = 0;
                for at in 0..=TOKENS {
                    exchange.play(json!({"tokens": TOKENS, "token_ms": 3, fault: at}));
                    let (got, _) = exchange.streams();
                    if got.status != 200 {
                        // Nothing was delivered: a status, and no charge. At
                        // later tokens only where content and fault came in
                        // one piece.
                        assert!(matches!(got.status, 502..=504), "{format}: {}", got.text());
                        got.error(got.status);
                        exchange.spent_is(spent..=spent);
                        continue;
                    }
                    assert!(at > 0, "{format}");
                    let stream = got.stream();
                    if stream.is_complete() {
                        // Everything was said before the fault came.
                        assert_eq!(at, TOKENS, "{format}: {stream:#?}");
                        stream.complete();
                        spent = exchange.spent_is(spent + 1..=spent + whole);
                        continue;
                    }
                    broke(&stream, &truth);
                    broken += 1;
                    let before = spent;
                    // Paid: the input, counted here, and at most what came.
                    spent = exchange.spent_is(spent + 1..=spent + 4 * whole);
                    assert!(spent > before, "{format} at {at}");
                }
                assert!(broken >= TOKENS / 2, "{format}: {broken}");
                exchange.finish(spent);
            });
        }
    });
}

#[test]
fn a_cut_at_any_token_is_an_error_and_never_a_finish() {
    break_everywhere("cut_after_tokens");
}

#[test]
fn an_error_event_at_any_token_is_an_error_and_never_a_finish() {
    break_everywhere("error_after_tokens");
}

#[test]
fn a_cut_at_any_byte_is_an_error_and_never_a_finish() {
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || {
                let exchange = speaking(format);
                let (truth, _) = whole_text(&exchange);
                exchange.play(json!({"tokens": TOKENS}));
                let length = exchange.streams().1.unwrap().sent_bytes;
                let mut broken = 0;
                for at in (1..length).step_by(97) {
                    exchange.play(json!({"tokens": TOKENS, "cut_after_bytes": at}));
                    let (got, _) = exchange.streams();
                    if got.status != 200 {
                        assert_eq!(got.status, 502, "{format} at {at}: {}", got.text());
                        continue;
                    }
                    let stream = got.stream();
                    if stream.is_complete() {
                        // Only where the finish had arrived.
                        assert_eq!(stream.text(), truth, "{format} at {at}");
                        stream.complete();
                    } else {
                        broke(&stream, &truth);
                        broken += 1;
                    }
                }
                assert!(broken > 5, "{format}");
                exchange.close();
            });
        }
    });
}

#[test]
fn a_reset_in_the_middle_is_an_error() {
    let exchange = speaking("openai-chat");
    let (truth, _) = whole_text(&exchange);
    exchange.play(
        json!({"tokens": TOKENS, "cut_after_tokens": 4, "cut_with_reset": true, "token_ms": 5}),
    );
    let error = broke(&exchange.streams().0.stream(), &truth);
    assert_eq!(error["code"], 502);
    exchange.close();
}

#[test]
fn silence_in_the_middle_is_a_timeout() {
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || {
                let exchange = speaking(format);
                let (truth, _) = whole_text(&exchange);
                exchange.play(json!({"tokens": TOKENS, "stall_after_tokens": 3}));
                let error = broke(&exchange.streams().0.stream(), &truth);
                assert_eq!(error["code"], 504, "{format}: {error}");
                exchange.close();
            });
        }
    });
}

#[test]
fn broken_json_in_the_middle_never_passes_as_an_answer() {
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || {
                let exchange = speaking(format);
                let (truth, _) = whole_text(&exchange);
                let mut broken = 0;
                for at in 1..TOKENS {
                    exchange.play(
                        json!({"tokens": TOKENS, "token_ms": 3, "malformed_after_tokens": at}),
                    );
                    let (got, _) = exchange.streams();
                    if got.status == 200 {
                        broke(&got.stream(), &truth);
                        broken += 1;
                    } else {
                        got.error(502);
                    }
                }
                assert!(broken >= TOKENS / 2, "{format}: {broken}");
                exchange.close();
            });
        }
    });
}

#[test]
fn what_a_broken_stream_delivered_is_charged_to_the_nano_dollar() {
    let exchange = speaking("openai-chat");
    for at in 1..TOKENS {
        let before = exchange.balance().1;
        exchange.play(json!({"tokens": TOKENS, "cut_after_tokens": at}));
        let (got, entry) = exchange.streams();
        let entry = entry.unwrap();
        let text = got.stream().text();
        // Documented: four bytes of text an input token; of output the
        // pieces, or a token for four bytes, whichever is more.
        let prompt = prompt_estimate(&streamed(json!({"max_tokens": 100})));
        let completion = entry.sent_tokens.max((text.len() as u64).div_ceil(4));
        assert_eq!(entry.sent_tokens, at);
        let expected = crate::money_math::charge(prompt, completion, CHEAP);
        exchange.spent_is(before + expected..=before + expected);
    }
    exchange.close();
}

#[test]
fn odd_but_legal_streams_are_answered_in_full() {
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || {
                let exchange = speaking(format);
                let (truth, whole) = whole_text(&exchange);
                let mut spent = whole;
                for odd in [
                    json!({"slice_bytes": 1}),
                    json!({"slice_bytes": 7, "crlf": true}),
                    json!({"crlf": true}),
                    json!({"comment_every": 1}),
                    json!({"duplicate_headers": true}),
                ] {
                    let mut fields = odd.clone();
                    fields["tokens"] = TOKENS.into();
                    exchange.play(fields);
                    let (got, _) = exchange.streams();
                    let stream = got.stream();
                    let usage = stream.complete();
                    assert_eq!(cost(&usage), whole, "{format}: {odd}");
                    assert_eq!(stream.text(), truth, "{format}: {odd}");
                    assert_eq!(stream.comments, [""; 0], "{format}: {odd}");
                    spent += whole;
                }
                // Half of a surrogate pair is not text, but the rest is.
                exchange.play(json!({"tokens": TOKENS, "half_surrogate": true}));
                let (got, _) = exchange.streams();
                let stream = got.stream();
                assert_eq!(cost(&stream.complete()), whole, "{format}");
                assert!(stream.text().ends_with(truth.split_once(' ').unwrap().1));
                spent += whole;
                exchange.finish(spent);
            });
        }
    });
}

#[test]
fn a_finished_stream_without_its_last_word_is_finished() {
    // OpenAI's `[DONE]` and Anthropic's `message_stop` say nothing that the
    // finish reason has not said. Gemini and Bedrock have no other last word, so
    // there a stream without its finish reason is cut short.
    for format in FORMATS {
        let exchange = speaking(format);
        let (truth, whole) = whole_text(&exchange);
        exchange.play(json!({"tokens": TOKENS, "no_done": true}));
        let stream = exchange.streams().0.stream();
        if matches!(format, "gemini" | "bedrock-converse") {
            broke(&stream, &truth);
            exchange.close();
        } else {
            assert_eq!(cost(&stream.complete()), whole, "{format}");
            assert_eq!(stream.text(), truth);
            exchange.finish(2 * whole);
        }
    }
}

#[test]
fn a_stream_answered_with_a_plain_reply_is_not_passed_off_as_a_stream() {
    let exchange = Exchange::pair(script(json!({"ignore_stream": true})));
    exchange.stream(json!({})).complete();
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    exchange.close();
}

#[test]
fn a_client_that_waits_is_told_so_and_then_answered() {
    let exchange = Exchange::start(|setup| {
        setup
            .deadlines("keep_alive_ms = 60")
            .provider(Provider::new(
                "cheap",
                CHEAP,
                script(json!({"first_token_ms": 400})),
            ));
    });
    let mut conn = exchange.open(&streamed(json!({})));
    let began = Instant::now();
    let mut got = conn.head();
    let first = conn.chunk(&mut got).unwrap();
    assert_eq!(first, b": OPENROUTER PROCESSING\n\n");
    assert!(began.elapsed() < Duration::from_millis(350));
    while conn.chunk(&mut got).is_some() {}
    let stream = got.stream();
    let usage = stream.complete();
    assert!(stream.comments.len() >= 3, "{:?}", stream.comments);
    assert!(stream.comments.iter().all(|c| c == "OPENROUTER PROCESSING"));
    let paid = exchange.worth(CHEAP);
    assert_eq!(cost(&usage), paid);
    exchange.finish(paid);
}

#[test]
fn an_error_after_comments_is_an_event() {
    for format in FORMATS {
        let exchange = Exchange::start(|setup| {
            setup.deadlines("keep_alive_ms = 60").provider(
                Provider::new(
                    "cheap",
                    CHEAP,
                    script(json!({"latency_ms": 300, "error_status": 408})),
                )
                .format(format),
            );
        });
        let stream = exchange.stream(json!({"max_tokens": 10}));
        assert!(!stream.comments.is_empty());
        let error = stream.broken();
        assert_eq!(error["code"], 504);
        assert_eq!(stream.text(), "");
        exchange.finish(0);
    }
}

#[test]
fn failover_goes_on_behind_the_comments() {
    let exchange = Exchange::start(|setup| {
        setup
            .deadlines("keep_alive_ms = 50\nfirst_sign_ms = 300")
            .provider(Provider::new(
                "cheap",
                CHEAP,
                script(json!({"never_answer": true})),
            ))
            .provider(Provider::new("dear", DEAR, Script::default()));
    });
    let stream = exchange.stream(json!({}));
    assert!(!stream.comments.is_empty());
    let usage = stream.complete();
    let upstream = exchange.upstream();
    assert_eq!(upstream[0].outcome, Outcome::ClientGone);
    let paid = exchange.worth(DEAR);
    assert_eq!(cost(&usage), paid);
    exchange.finish(paid);
}

#[test]
fn a_whole_answer_cut_in_the_middle_is_an_error_and_free() {
    std::thread::scope(|scope| {
        for format in FORMATS {
            scope.spawn(move || {
                let exchange = speaking(format);
                for fault in [
                    json!({"cut_after_tokens": 1}),
                    json!({"cut_after_bytes": 10}),
                    json!({"malformed_after_tokens": 1}),
                ] {
                    exchange.play(fault.clone());
                    let got = exchange.chat(json!({"max_tokens": 100}));
                    assert_eq!(got.status, 502, "{format} {fault}: {}", got.text());
                    got.error(502);
                }
                exchange.finish(0);
            });
        }
    });
}
