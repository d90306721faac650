//! Providers fail; clients see one good answer, or one honest error.

use std::time::{Duration, Instant};

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, ask, eventually, script, streamed, worth};
use crate::money_math::cost;

/// Both modes of a call whose first provider fails: the second answers, is
/// paid once and at its own price, and both were called in order.
fn second_answers(first: Script) {
    let exchange = Exchange::start(|setup| {
        setup
            // A whole answer gives no sign before it is done, so only the
            // deadline of all of it sends it on.
            .deadlines("first_sign_ms = 400\nwhole_ms = 1500")
            .provider(Provider::new("cheap", CHEAP, first))
            .provider(Provider::new("dear", DEAR, Script::default()));
    });
    // An order that the caller insists on also holds after a failure.
    let wishes = json!({"provider": {"order": ["cheap", "dear"]}});

    let got = exchange.chat(wishes.clone());
    let reply = got.answer();
    assert_eq!(reply["provider"], "dear");
    assert_eq!(got.header("x-generation-id"), reply["id"].as_str());
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    let paid = exchange.worth(DEAR);
    assert_eq!(cost(&reply["usage"]), paid);

    exchange.sim.reset();
    let stream = exchange.stream(wishes);
    let usage = stream.complete();
    assert_eq!(stream.chunks[0]["provider"], "dear");
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    let paid_too = exchange.worth(DEAR);
    assert_eq!(cost(&usage), paid_too);
    exchange.finish(paid + paid_too);
}

#[test]
fn a_status_of_500_goes_to_the_next_provider() {
    second_answers(script(json!({"error_status": 500})));
}

#[test]
fn a_status_of_503_goes_to_the_next_provider() {
    second_answers(script(json!({"error_status": 503})));
}

#[test]
fn an_overload_goes_to_the_next_provider() {
    let exchange = Exchange::pair(script(json!({"error_status": 529})));
    let wishes = json!({"provider": {"order": ["cheap", "dear"]}});
    assert_eq!(exchange.chat(wishes.clone()).answer()["provider"], "dear");
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    // It says so of all that it serves: nobody is sent there for a while,
    // whatever their order.
    exchange.stream(wishes).complete();
    assert_eq!(exchange.attempts(), ["cheap", "dear", "dear"]);
    eventually("the operator to hear of it", || {
        exchange
            .server
            .log()
            .contains("a breaker has opened")
            .then_some(())
    });
    exchange.close();
}

#[test]
fn a_request_timeout_of_the_provider_goes_to_the_next() {
    second_answers(script(json!({"error_status": 408})));
}

#[test]
fn a_page_of_html_goes_to_the_next_provider() {
    second_answers(script(json!({"error_status": 502, "html_error": true})));
}

#[test]
fn malformed_json_goes_to_the_next_provider() {
    second_answers(script(json!({"malformed_after_tokens": 0})));
}

#[test]
fn a_connection_closed_before_the_head_goes_to_the_next_provider() {
    second_answers(script(json!({"close_before_headers": true})));
}

#[test]
fn silence_until_the_deadline_goes_to_the_next_provider() {
    second_answers(script(json!({"never_answer": true})));
}

#[test]
fn a_head_without_content_until_the_deadline_goes_to_the_next_provider() {
    second_answers(script(json!({"stall_after_tokens": 0})));
}

#[test]
fn an_answer_that_dies_before_its_content_goes_to_the_next_provider() {
    second_answers(script(json!({"cut_after_tokens": 0})));
    second_answers(script(
        json!({"cut_after_bytes": 40, "cut_with_reset": true}),
    ));
}

#[test]
fn an_error_in_an_answer_of_status_200_goes_to_the_next_provider() {
    second_answers(script(json!({"error_after_tokens": 0})));
}

#[test]
fn a_refused_connection_goes_to_the_next_provider() {
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let exchange = Exchange::start(|setup| {
        let mut first = Provider::new("cheap", CHEAP, Script::default());
        first.base_url = Some(format!("http://{dead}/v1"));
        setup
            .provider(first)
            .provider(Provider::new("dear", DEAR, Script::default()));
    });
    assert_eq!(exchange.chat(json!({})).answer()["provider"], "dear");
    assert_eq!(exchange.attempts(), ["dear"]);
    let paid = exchange.worth(DEAR);
    exchange.finish(paid);
}

#[test]
fn an_endpoint_that_failed_is_tried_last_for_a_while() {
    let exchange = Exchange::pair(script(json!({"error_status": 500, "fail_first": 1})));
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap", "dear", "dear"]);
    exchange.close();
}

#[test]
fn the_last_healthy_endpoint_gets_a_second_try() {
    let exchange = Exchange::single(script(json!({"error_status": 503, "fail_first": 1})));
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap", "cheap"]);
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

#[test]
fn when_everybody_fails_the_last_failure_is_told_and_nothing_is_charged() {
    let down = script(json!({"error_status": 503}));
    let exchange = Exchange::start(|setup| {
        setup
            .provider(Provider::new("cheap", CHEAP, down.clone()))
            .provider(Provider::new("dear", DEAR, down));
    });
    let error = exchange.chat(json!({})).error(503);
    assert_eq!(error["metadata"]["error_type"], "provider_overloaded");
    assert_eq!(error["metadata"]["provider_name"], "dear");
    let previous = error["metadata"]["previous_errors"].as_array().unwrap();
    assert_eq!(previous.len(), 2, "{error}");
    assert_eq!(exchange.attempts(), ["cheap", "dear", "dear"]);
    // A stream whose first content never came is a status as well.
    exchange.open(&streamed(json!({}))).receive().error(503);
    exchange.finish(0);
}

#[test]
fn a_rate_limit_is_obeyed_and_others_serve_meanwhile() {
    let limited = json!({"error_status": 429, "retry_after": {"seconds": 30}});
    let exchange = Exchange::pair(script(limited));
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    for _ in 0..3 {
        assert_eq!(exchange.chat(json!({})).answer()["provider"], "dear");
    }
    // Not even where the caller names it first.
    exchange
        .chat(json!({"provider": {"order": ["cheap", "dear"]}}))
        .answer();
    let asked = exchange.attempts();
    assert_eq!(asked.iter().filter(|who| *who == "cheap").count(), 1);
    assert_eq!(asked.len(), 6);
    exchange.close();
}

#[test]
fn the_only_endpoint_at_its_limit_is_not_asked_again_and_the_caller_is_told_when() {
    for (retry_after, seconds) in [
        (json!({"seconds": 7}), 7),
        (json!({"http_date_in": 9}), 9),
        (json!({"ms": 5500}), 6),
    ] {
        let limited = json!({"error_status": 429, "retry_after": retry_after});
        let exchange = Exchange::single(script(limited));
        for _ in 0..3 {
            let got = exchange.chat(json!({}));
            let error = got.error(429);
            assert_eq!(error["metadata"]["error_type"], "rate_limit_exceeded");
            let wait: u64 = got.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=seconds).contains(&wait), "{wait} of {seconds}");
            // Also the first time, when the provider says so and not we.
            let availability = &error["availability"];
            assert_eq!(availability["code"], "capacity_exhausted", "{error}");
            assert_eq!(availability["retryable"], true);
            assert_eq!(availability["retry_after"].as_u64(), Some(wait));
            assert_eq!(availability["requested_models"], json!(["acme/chat"]));
        }
        assert_eq!(exchange.attempts(), ["cheap"]);
        exchange.finish(0);
    }
}

#[test]
fn no_provider_makes_callers_wait_for_days() {
    let limited = json!({"error_status": 429, "retry_after": {"http_date_in": 8_640_000}});
    let exchange = Exchange::single(script(limited));
    for _ in 0..2 {
        let got = exchange.chat(json!({}));
        got.error(429);
        let wait: u64 = got.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
    }
    exchange.finish(0);
}

#[test]
fn a_connection_that_was_closed_while_idle_is_not_a_failure_of_the_provider() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                // One answer a connection, which claims to stay open.
                let _ = stream.read(&mut [0; 16384]);
                let body = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: keep-alive\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes());
                std::thread::sleep(Duration::from_millis(20));
            });
        }
    });
    let exchange = Exchange::start(|setup| {
        let mut first = Provider::new("cheap", CHEAP, Script::default());
        first.base_url = Some(base_url);
        setup
            .provider(first)
            .provider(Provider::new("dear", DEAR, Script::default()));
    });
    for pause_ms in [60, 100, 60, 0] {
        let reply = exchange.chat(json!({})).answer();
        assert_eq!(reply["provider"], "cheap", "{pause_ms}");
        std::thread::sleep(Duration::from_millis(pause_ms));
    }
    exchange.finish(4 * crate::money_math::charge(3, 1, CHEAP));
}

#[test]
fn a_rate_limit_ends_when_the_provider_said() {
    let limited = json!({"error_status": 429, "fail_first": 1, "retry_after": {"ms": 600}});
    let exchange = Exchange::single(script(limited));
    let began = Instant::now();
    exchange.chat(json!({})).error(429);
    while began.elapsed() < Duration::from_millis(700) {
        std::thread::sleep(Duration::from_millis(20));
    }
    exchange.chat(json!({})).answer();
    assert_eq!(exchange.attempts(), ["cheap", "cheap"]);
    exchange.close();
}

#[test]
fn another_model_of_the_callers_list_answers() {
    let exchange = Exchange::start(|setup| {
        setup
            .provider(Provider::new(
                "cheap",
                CHEAP,
                script(json!({"error_status": 500})),
            ))
            .provider(Provider::new("dear", DEAR, Script::default()).model("acme/other"));
    });
    let list = json!({"models": ["acme/chat", "acme/other"]});
    let reply = exchange.chat(list.clone()).answer();
    assert_eq!(reply["model"], "acme/other");
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    let paid = exchange.worth(DEAR);
    let stream = exchange.stream(list);
    stream.complete();
    assert!(stream.chunks.iter().all(|c| c["model"] == "acme/other"));
    let paid = paid + exchange.worth(DEAR);
    exchange.finish(paid);
}

#[test]
fn a_prompt_too_long_for_one_model_goes_to_another_model_only() {
    let long = script(json!({
        "error_status": 400, "error_code": "context_length_exceeded",
        "error_message": "This model's maximum context length is 8192 tokens.",
    }));
    let exchange = Exchange::start(|setup| {
        setup
            .provider(Provider::new("cheap", CHEAP, long.clone()))
            .provider(Provider::new("dear", DEAR, long))
            .provider(Provider::new("spare", DEAR, Script::default()).model("acme/other"));
    });
    let error = exchange.chat(json!({})).error(400);
    assert_eq!(error["metadata"]["error_type"], "context_length_exceeded");
    assert_eq!(exchange.attempts(), ["cheap"]);
    exchange.sim.reset();
    let reply = exchange
        .chat(json!({"models": ["acme/chat", "acme/other"]}))
        .answer();
    assert_eq!(reply["model"], "acme/other");
    assert_eq!(exchange.attempts(), ["cheap", "spare"]);
    let paid = exchange.worth(DEAR);
    exchange.finish(paid);
}

#[test]
fn a_mistake_of_the_callers_is_not_tried_elsewhere() {
    let bad = json!({"error_status": 400, "error_message": "Invalid value for 'logit_bias'"});
    let exchange = Exchange::pair(script(bad));
    let message = exchange.chat(json!({})).error_message(400);
    assert!(message.contains("logit_bias"), "{message}");
    assert_eq!(exchange.attempts(), ["cheap"]);
    exchange.finish(0);
}

#[test]
fn trouble_with_our_account_at_a_provider_is_not_the_callers() {
    for status in [401, 402, 403] {
        let refused = json!({
            "error_status": status,
            "error_message": "Incorrect API key provided: upstream-key of organization org-77",
        });
        let mut exchange = Exchange::single(script(refused.clone()));
        // An operator must hear of it.
        exchange.server.may_log_errors = true;
        let got = exchange.chat(json!({}));
        let error = got.error(502);
        assert_eq!(error["metadata"]["error_type"], "provider_unavailable");
        assert!(!got.text().contains("org-77"), "{}", got.text());
        assert!(!got.text().contains("upstream-key"), "{}", got.text());
        exchange.finish(0);
        // Where somebody else can serve, nobody hears of it.
        let mut exchange = Exchange::pair(script(refused));
        exchange.server.may_log_errors = true;
        assert_eq!(exchange.chat(json!({})).answer()["provider"], "dear");
        eventually("the operator to hear of it", || {
            // Some models are for some accounts only, and the others are served.
            let said = match status {
                403 => "a breaker has opened",
                _ => "a provider refuses our account",
            };
            exchange.server.log().contains(said).then_some(())
        });
        exchange.close();
    }
}

#[test]
fn without_fallbacks_nobody_else_is_asked() {
    let exchange = Exchange::pair(script(json!({"error_status": 408})));
    let alone = json!({"provider": {"sort": "price", "allow_fallbacks": false}});
    exchange.chat(alone).error(504);
    assert_eq!(exchange.attempts(), ["cheap"]);
    let alone = json!({"provider": {"order": ["cheap"], "allow_fallbacks": false}});
    exchange.chat(alone).error(504);
    assert_eq!(exchange.attempts(), ["cheap", "cheap"]);
    exchange.finish(0);
}

/// Three endpoints that differ in what routing looks at.
fn three() -> Exchange {
    Exchange::start(|setup| {
        setup
            .provider(
                Provider::new(
                    "cheap",
                    CHEAP,
                    script(json!({"token_ms": 15, "tokens": 10})),
                )
                .endpoint("supported_parameters = [\"temperature\"]\n"),
            )
            .provider(Provider::new("dear", DEAR, Script::default()).endpoint(
                "supported_parameters = [\"temperature\", \"seed\"]\nquantization = \"fp8\"\n\
                     data_policy = { training = false, retains = false, zdr = true }\n",
            ))
            .provider(
                Provider::new("middle", ("0.50", "2"), Script::default())
                    .endpoint("data_policy = { training = false, retains = false }\n"),
            );
    })
}

#[test]
fn wishes_decide_who_is_asked() {
    let exchange = three();
    for (over, who) in [
        (json!({"provider": {"sort": "price"}}), "cheap"),
        (json!({"provider": {"order": ["dear"]}}), "dear"),
        (json!({"provider": {"order": ["dear", "cheap"]}}), "dear"),
        (json!({"provider": {"only": ["middle"]}}), "middle"),
        (
            json!({"provider": {"ignore": ["cheap"], "sort": "price"}}),
            "middle",
        ),
        (
            json!({"provider": {"order": ["dear"], "max_price": {"prompt": "0.2"}}}),
            "cheap",
        ),
        (
            json!({"provider": {"data_collection": "deny", "sort": "price"}}),
            "middle",
        ),
        (json!({"provider": {"zdr": true}}), "dear"),
        (json!({"provider": {"quantizations": ["fp8"]}}), "dear"),
        (
            json!({"seed": 1, "provider": {"require_parameters": true, "ignore": ["middle"]}}),
            "dear",
        ),
        (json!({"model": "acme/chat:floor", "provider": {}}), "cheap"),
    ] {
        exchange.sim.reset();
        let reply = exchange.chat(over.clone()).answer();
        assert_eq!(exchange.attempts(), [who], "{over}");
        assert_eq!(reply["model"], "acme/chat", "{over}");
    }
    exchange.close();
}

#[test]
fn the_nitro_suffix_asks_the_fastest() {
    let exchange = three();
    for who in ["cheap", "dear"] {
        exchange.chat(json!({"provider": {"only": [who]}})).answer();
    }
    exchange.sim.reset();
    for _ in 0..4 {
        exchange
            .chat(json!({"model": "acme/chat:nitro", "provider": {"ignore": ["middle"]}}))
            .answer();
    }
    assert_eq!(exchange.attempts(), ["dear"; 4]);
    exchange.close();
}

#[test]
fn wishes_that_nobody_fulfils_are_named() {
    let exchange = three();
    for (wishes, code, said) in [
        (
            json!({"only": ["nobody"]}),
            "constraint_filtered",
            "No allowed providers are available",
        ),
        (
            json!({"max_price": {"prompt": "0.01"}}),
            "constraint_filtered",
            "max_price",
        ),
        (
            json!({"only": ["cheap"], "data_collection": "deny"}),
            "privacy_restricted",
            "data policy",
        ),
        (
            json!({"quantizations": ["int4"]}),
            "constraint_filtered",
            "quantization",
        ),
    ] {
        let got = exchange.chat(json!({"provider": wishes}));
        let message = got.error_message(404);
        let availability = &got.json()["error"]["availability"];
        if wishes["only"].is_null() || wishes["only"][0] == "nobody" {
            assert!(message.contains(said), "{wishes}: {message}");
            assert_eq!(availability["code"], code, "{wishes}: {availability}");
        }
    }
    let strict =
        json!({"top_k": 4, "provider": {"require_parameters": true, "only": ["cheap", "dear"]}});
    exchange.chat(strict).error(404);
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn how_a_call_was_routed_is_told_on_request() {
    let exchange = Exchange::pair(script(json!({"error_status": 500})));
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\nx-openrouter-metadata: enabled\r\n",
        exchange.key
    );
    let body = ask(json!({})).to_string();
    conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    let reply = conn.receive().answer();
    let metadata: &Value = &reply["openrouter_metadata"];
    assert_eq!(metadata["attempt"], 2, "{metadata}");
    let tried = metadata["attempts"].as_array().unwrap();
    let statuses: Vec<_> = tried
        .iter()
        .map(|one| one["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [500, 200], "{metadata}");
    exchange.close();
}

#[test]
fn every_format_fails_over_to_every_other() {
    let exchange = Exchange::start(|setup| {
        for (slug, format) in [
            ("one", "openai-chat"),
            ("two", "anthropic"),
            ("three", "gemini"),
        ] {
            setup.provider(Provider::new(slug, CHEAP, Script::default()).format(format));
        }
    });
    let slugs = ["one", "two", "three"];
    let mut spent = 0;
    for first in slugs {
        for second in slugs.into_iter().filter(|second| *second != first) {
            exchange
                .sim
                .set_provider_script(first, script(json!({"cut_after_tokens": 0})));
            let wishes = json!({"max_tokens": 50, "provider": {"order": [first, second], "only": [first, second]}});
            for stream in [false, true] {
                exchange.sim.reset();
                if stream {
                    exchange.stream(wishes.clone()).complete();
                } else {
                    exchange.chat(wishes.clone()).answer();
                }
                assert_eq!(exchange.attempts(), [first, second]);
                let entry = exchange.upstream().pop().unwrap();
                spent += worth(&entry, CHEAP);
            }
            exchange.sim.set_provider_script(first, Script::default());
        }
    }
    exchange.finish(spent);
}
