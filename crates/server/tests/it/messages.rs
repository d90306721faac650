//! Anthropic's Messages over HTTP, in front of providers of every format.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::{Conn, Got};
use crate::exchange::{CHEAP, Exchange, Provider, eventually, script, worth};
use crate::money_math::cost;

const PATH: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";
const FORMATS: [&str; 4] = ["anthropic", "openai-chat", "gemini", "bedrock-converse"];

/// A server with one provider of a format.
fn in_front_of(format: &'static str, script: Script) -> Exchange {
    Exchange::start(|setup| {
        setup.provider(Provider::new("cheap", CHEAP, script).format(format));
    })
}

/// A plain request with members laid over it.
fn body(over: Value) -> Value {
    let mut body = json!({
        "model": "acme/chat",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello there"}],
    });
    body.as_object_mut()
        .unwrap()
        .extend(over.as_object().unwrap().clone());
    body
}

fn open(exchange: &Exchange, path: &str, headers: &str, body: &[u8]) -> Conn {
    let mut conn = exchange.connect();
    let headers = format!(
        "x-api-key: {}\r\nanthropic-version: 2023-06-01\r\n{headers}",
        exchange.key
    );
    conn.request("POST", path, &headers, body);
    conn
}

fn send(exchange: &Exchange, over: Value) -> Got {
    open(exchange, PATH, "", body(over).to_string().as_bytes()).receive()
}

/// The message of an answer.
#[track_caller]
fn message(got: &Got) -> Value {
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.whole);
    let message = got.json();
    assert_eq!(
        (&message["type"], &message["role"]),
        (&"message".into(), &"assistant".into())
    );
    assert_eq!(got.header("request-id"), message["id"].as_str());
    assert_eq!(got.header("x-generation-id"), message["id"].as_str());
    message
}

/// The sentence of an error, which has Anthropic's shape.
#[track_caller]
fn error(got: &Got, status: u16, kind: &str) -> String {
    assert_eq!(got.status, status, "{}", got.text());
    assert!(got.whole);
    assert_eq!(got.header("content-type"), Some("application/json"));
    let body = got.json();
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&"error".into(), &kind.into()),
        "{body}"
    );
    assert_eq!(
        got.header("request-id"),
        body["request_id"].as_str(),
        "{body}"
    );
    body["error"]["message"].as_str().unwrap().to_owned()
}

/// The events of a stream, each under its own name.
#[track_caller]
fn events(got: &Got) -> Vec<Value> {
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("text/event-stream"));
    assert!(got.whole, "HTTP's framing must end well");
    let text = got.text();
    let events = text.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    });
    events.filter(|event| event["type"] != "ping").collect()
}

fn text_of(events: &[Value]) -> String {
    events
        .iter()
        .filter_map(|event| event["delta"]["text"].as_str())
        .collect()
}

#[test]
fn an_answer_of_any_format_is_a_message_that_says_what_it_cost() {
    for format in FORMATS {
        let exchange = in_front_of(format, script(json!({"tokens": 11})));
        let told = message(&send(&exchange, json!({})));
        assert_eq!(
            (&told["model"], &told["provider"]),
            (&"acme/chat".into(), &"cheap".into())
        );
        assert_eq!(told["stop_reason"], "end_turn");
        let truth = exchange.upstream()[0].truth.clone().unwrap();
        assert_eq!(told["usage"]["input_tokens"], truth.prompt_tokens);
        assert_eq!(told["usage"]["output_tokens"], 11);
        assert_eq!(cost(&told["usage"]), exchange.worth(CHEAP), "{format}");
        let first = exchange.worth(CHEAP);

        let got = open(
            &exchange,
            "/api/v1/messages?beta=true",
            "",
            body(json!({"stream": true})).to_string().as_bytes(),
        )
        .receive();
        let events = events(&got);
        assert_eq!(events[0]["type"], "message_start");
        assert_eq!(
            events[0]["message"]["id"].as_str(),
            got.header("request-id")
        );
        assert_eq!(events.last().unwrap(), &json!({"type": "message_stop"}));
        assert_eq!(text_of(&events).split_whitespace().count(), 11);
        let delta = &events[events.len() - 2];
        assert_eq!(delta["delta"]["stop_reason"], "end_turn");
        assert_eq!(delta["usage"]["output_tokens"], 11);
        assert_eq!(cost(&delta["usage"]), exchange.worth(CHEAP), "{format}");
        let second = exchange.worth(CHEAP);
        exchange.finish(first + second);
    }
}

#[test]
fn a_limit_a_stop_text_and_a_tool_end_an_answer_in_anthropics_words() {
    for format in FORMATS {
        let exchange = in_front_of(format, script(json!({"tokens": 50})));
        let told = message(&send(&exchange, json!({"max_tokens": 3})));
        assert_eq!(
            (&told["stop_reason"], &told["usage"]["output_tokens"]),
            (&"max_tokens".into(), &3.into())
        );
        let tool = json!({"name": "look", "description": "Looks", "input_schema": {
            "type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}});
        let over = json!({"tools": [tool], "tool_choice": {"type": "any"}});
        let told = message(&send(&exchange, over.clone()));
        assert_eq!(told["stop_reason"], "tool_use", "{format}: {told}");
        let call = told["content"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&call["type"], &call["name"]),
            (&"tool_use".into(), &"look".into())
        );
        assert!(call["input"]["at"].is_string(), "{call}");
        // The result leads to an answer.
        let result = json!({"type": "tool_result", "tool_use_id": call["id"], "is_error": true,
            "content": [{"type": "text", "text": "dark"}]});
        let told = message(&send(
            &exchange,
            json!({"tools": over["tools"], "messages": [
                {"role": "user", "content": "Hello there"},
                {"role": "assistant", "content": told["content"]},
                {"role": "user", "content": [result]},
            ]}),
        ));
        assert_eq!(told["stop_reason"], "end_turn", "{format}");
        exchange.close();
    }
}

#[test]
fn what_goes_to_anthropic_is_what_the_client_sent_but_for_what_is_the_gateways() {
    let exchange = Exchange::start(|setup| {
        let mut provider = Provider::new("anthropic", CHEAP, Script::default()).format("anthropic");
        provider.provider_toml = "api_key = \"upstream-key\"\n".to_owned();
        setup.provider(provider);
    });
    let over = json!({
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "metadata": {"user_id": "alice@example.com"}, "session_id": "s-1", "trace": {"a": 1},
        "provider": {"allow_fallbacks": false}, "unknown_to_us": {"a": 1}, "top_k": 5,
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
    });
    let headers = "anthropic-beta: interleaved-thinking-2025-05-14, context-1m-2025-08-07\r\n\
                   x-openrouter-metadata: enabled\r\n";
    let got = open(&exchange, PATH, headers, body(over).to_string().as_bytes()).receive();
    let told = message(&got);
    let losses = told["openrouter_metadata"]["translation_losses"].to_string();
    assert!(
        losses.contains("unknown_to_us") && losses.contains("context-1m"),
        "{losses}"
    );
    let entry = exchange.upstream().pop().unwrap();
    let header = |name: &str| {
        let mut found = entry.headers.iter().filter(|(other, _)| other == name);
        found.next().map(|(_, value)| value.clone())
    };
    assert_eq!(header("anthropic-version").as_deref(), Some("2023-06-01"));
    assert_eq!(
        header("anthropic-beta").as_deref(),
        Some("interleaved-thinking-2025-05-14")
    );
    assert_eq!(
        (header("authorization"), header("x-stainless-lang")),
        (None, None)
    );
    let sent: Value = serde_json::from_str(&entry.body.unwrap()).unwrap();
    assert_eq!(sent["model"], "anthropic-model");
    assert_eq!(sent["system"][0]["cache_control"]["ttl"], "1h");
    assert_eq!(
        (&sent["top_k"], &sent["max_tokens"]),
        (&5.into(), &100.into())
    );
    assert_eq!(
        sent["context_management"]["edits"][0]["type"],
        "clear_tool_uses_20250919"
    );
    assert!(
        sent["metadata"]["user_id"]
            .as_str()
            .unwrap()
            .starts_with("user-")
    );
    for ours in ["session_id", "trace", "provider", "unknown_to_us"] {
        assert!(sent[ours].is_null(), "{sent}");
    }
    exchange.close();
}

#[test]
fn what_is_written_to_a_cache_is_paid_by_how_long_it_stays() {
    let exchange = Exchange::start(|setup| {
        setup.provider(
            Provider { price: None, ..Provider::new("cheap", CHEAP, script(json!({"tokens": 4}))) }
                .format("anthropic")
                .endpoint("price = { prompt = \"1\", completion = \"4\", cache_read = \"0.1\", cache_write_5m = \"1.25\", cache_write_1h = \"2\" }\n"),
        );
    });
    let long = "word ".repeat(2_000);
    let marked = |ttl: &str| json!([{"type": "text", "text": format!("{ttl} {long}"), "cache_control": {"type": "ephemeral", "ttl": ttl}}]);
    let mut spent = 0;
    for (ttl, price, name) in [
        ("5m", 1_250, "ephemeral_5m_input_tokens"),
        ("1h", 2_000, "ephemeral_1h_input_tokens"),
    ] {
        let told = message(&send(&exchange, json!({"system": marked(ttl)})));
        let usage = &told["usage"];
        let count = |name: &str| i128::from(usage[name].as_u64().unwrap());
        let written = i128::from(usage["cache_creation"][name].as_u64().unwrap());
        assert!(written > 1_000, "{usage}");
        assert_eq!(written, count("cache_creation_input_tokens"));
        let due = count("input_tokens") * 1_000
            + written * price
            + count("output_tokens") * 4_000
            + count("cache_read_input_tokens") * 100;
        assert_eq!(cost(usage), due, "{usage}");
        spent += due;
    }
    exchange.finish(spent);
}

#[test]
fn every_refusal_has_anthropics_shape_and_the_members_path() {
    let exchange = in_front_of("anthropic", Script::default());
    let plain = body(json!({})).to_string();
    let mut conn = exchange.connect();
    conn.request("POST", PATH, "", plain.as_bytes());
    error(&conn.receive(), 401, "authentication_error");
    let mut conn = exchange.connect();
    conn.request(
        "POST",
        PATH,
        "x-api-key: sk-bourse-v1-nonsense\r\n",
        plain.as_bytes(),
    );
    error(&conn.receive(), 401, "authentication_error");
    let mut conn = exchange.connect();
    conn.request("GET", PATH, "", b"");
    error(&conn.receive(), 404, "not_found_error");
    for bad in ["{", "[]", "", "{\"model\":1,\"model\":2}"] {
        let got = open(&exchange, PATH, "", bad.as_bytes()).receive();
        error(&got, 400, "invalid_request_error");
    }
    for (over, path) in [
        (json!({"messages": []}), "messages: "),
        (json!({"messages": null}), "messages: "),
        (json!({"max_tokens": 0}), "max_tokens: "),
        (json!({"temperature": "warm"}), "temperature: "),
        (json!({"speed": "fast"}), "speed: "),
        (json!({"mcp_servers": [{"type": "url"}]}), "mcp_servers: "),
        (
            json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
            "tools.0.type: ",
        ),
        (json!({"Max_Tokens": 5}), "Max_Tokens: "),
        (json!({"plugins": [{"id": "web"}]}), "plugins: "),
        (json!({"model": null}), "model: "),
    ] {
        let told = error(&send(&exchange, over.clone()), 400, "invalid_request_error");
        assert!(told.starts_with(path), "{over}: {told}");
    }
    let told = error(
        &send(&exchange, json!({"model": "acme/none"})),
        400,
        "invalid_request_error",
    );
    assert!(told.contains("acme/none"), "{told}");
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn a_translation_refuses_by_path_what_it_cannot_read_or_say() {
    let exchange = in_front_of("openai-chat", Script::default());
    let said = |content: Value| json!({"system": "Be brief.", "messages": [{"role": "user", "content": content}]});
    for (over, path) in [
        (said(json!(7)), "messages.0.content"),
        (
            said(json!([{"text": "no type"}])),
            "messages.0.content.0.type",
        ),
        (
            said(json!([{"type": "text", "text": 7}])),
            "messages.0.content.0.text",
        ),
        (
            said(json!([{"type": "image", "source": {"type": "url"}}])),
            "messages.0.content.0.source.url",
        ),
        (
            said(json!([{"type": "search_result", "source": "s"}])),
            "messages.0.content.0: ",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "a"}]}),
            "messages.0.role",
        ),
        (
            json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}),
            "tools.0: ",
        ),
    ] {
        let told = error(&send(&exchange, over.clone()), 400, "invalid_request_error");
        assert!(told.starts_with(path), "{over}: {told}");
    }
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn a_call_that_cannot_be_paid_is_a_billing_error() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.00001";
        setup.provider(Provider::new("cheap", CHEAP, Script::default()).format("anthropic"));
    });
    let told = error(
        &send(&exchange, json!({"max_tokens": 900})),
        402,
        "billing_error",
    );
    assert!(told.contains("can only afford"), "{told}");
    exchange.finish(0);
}

#[test]
fn a_providers_failure_is_told_in_anthropics_words_before_and_after_the_status() {
    for format in FORMATS {
        for (status, told, kind) in [
            (429, 429, "rate_limit_error"),
            (500, 502, "api_error"),
            (400, 400, "invalid_request_error"),
        ] {
            let exchange = in_front_of(format, script(json!({"error_status": status})));
            error(&send(&exchange, json!({})), told, kind);
            exchange.finish(0);
        }
        let exchange = in_front_of(format, script(json!({"tokens": 20, "cut_after_tokens": 5})));
        let events = events(&send(&exchange, json!({"stream": true})));
        let last = events.last().unwrap();
        assert_eq!(
            (&last["type"], &last["error"]["type"]),
            (&"error".into(), &"api_error".into()),
            "{format}"
        );
        assert!(
            events
                .iter()
                .all(|event| event["type"] != "message_stop" && event["type"] != "message_delta")
        );
        assert!(!text_of(&events).is_empty());
        exchange.close();
    }
}

#[test]
fn a_stream_that_waits_is_kept_alive_by_pings() {
    for format in FORMATS {
        let exchange = Exchange::start(|setup| {
            setup.deadlines("keep_alive_ms = 100");
            let slow = script(json!({"first_token_ms": 700}));
            setup.provider(Provider::new("cheap", CHEAP, slow).format(format));
        });
        let got = send(&exchange, json!({"stream": true}));
        assert!(
            got.text()
                .starts_with("event: ping\ndata: {\"type\": \"ping\"}\n\n"),
            "{}",
            got.text()
        );
        let events = events(&got);
        assert_eq!(events[0]["type"], "message_start");
        assert_eq!(events.last().unwrap()["type"], "message_stop");
        exchange.close();
    }
}

#[test]
fn tokens_are_counted_without_a_provider_and_without_a_charge() {
    let exchange = in_front_of("anthropic", Script::default());
    let count = |over: Value| {
        let mut body = body(over);
        body.as_object_mut().unwrap().remove("max_tokens");
        open(&exchange, COUNT, "", body.to_string().as_bytes()).receive()
    };
    let tokens = |over: Value| {
        let got = count(over);
        assert_eq!(got.status, 200, "{}", got.text());
        assert!(got.header("request-id").is_some());
        assert_eq!(got.json().as_object().unwrap().len(), 1);
        got.json()["input_tokens"].as_u64().unwrap()
    };
    let few = tokens(json!({}));
    assert!((5..40).contains(&few), "{few}");
    let long = json!({"messages": [{"role": "user", "content": "word ".repeat(40_000)}]});
    // More than the model's window: whoever asks may ask because of that.
    let many = tokens(long);
    assert!((40_000..60_000).contains(&many), "{many}");
    let picture = json!({"messages": [{"role": "user", "content": [{"type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "QUJD".repeat(50_000)}}]}]});
    let picture = tokens(picture);
    assert!((few..5_000).contains(&picture), "{picture}");
    let tools = json!({"tools": [{"name": "look", "description": "word ".repeat(400), "input_schema": {"type": "object"}}]});
    assert!(tokens(tools) > 400);

    assert!(
        error(
            &count(json!({"messages": []})),
            400,
            "invalid_request_error"
        )
        .starts_with("messages: ")
    );
    assert!(
        error(
            &count(json!({"speed": "fast"})),
            400,
            "invalid_request_error"
        )
        .starts_with("speed: ")
    );
    error(
        &count(json!({"model": "acme/none"})),
        400,
        "invalid_request_error",
    );
    let mut conn = exchange.connect();
    conn.request("POST", COUNT, "", body(json!({})).to_string().as_bytes());
    error(&conn.receive(), 401, "authentication_error");
    let mut conn = exchange.connect();
    conn.request("GET", COUNT, "", b"");
    error(&conn.receive(), 404, "not_found_error");
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn a_message_is_answered_by_whoever_is_left_in_whatever_format() {
    let exchange = Exchange::start(|setup| {
        let fails = script(json!({"error_status": 500}));
        setup.provider(Provider::new("first", CHEAP, fails).format("anthropic"));
        setup.provider(Provider::new("second", CHEAP, Script::default()).format("gemini"));
    });
    let told = message(&send(
        &exchange,
        json!({"provider": {"order": ["first", "second"]}}),
    ));
    assert_eq!(told["provider"], "second");
    let entries = exchange.upstream();
    assert_eq!(entries.len(), 2);
    let paid = worth(&entries[1], CHEAP);
    assert_eq!(cost(&told["usage"]), paid);
    exchange.finish(paid);
}

/// Whoever begins, in whatever format, another goes on in the client's events.
#[test]
fn a_stream_that_breaks_is_gone_on_with_in_one_message() {
    for formats in [["anthropic", "openai-chat"], ["openai-chat", "anthropic"]] {
        let exchange = Exchange::start(|setup| {
            for (slug, format) in ["first", "second"].into_iter().zip(formats) {
                let whole = script(json!({"prefill": true, "seed": 7, "tokens": 8}));
                let mut provider = Provider::new(slug, CHEAP, whole).format(format);
                provider
                    .provider_toml
                    .push_str("prefill = \"last-message\"\n");
                setup.provider(provider);
            }
        });
        let over = json!({"stream": true, "provider": {"order": ["first", "second"]}});
        let ask = |header: &str| {
            let body = body(over.clone()).to_string();
            events(&open(&exchange, PATH, header, body.as_bytes()).receive())
        };
        let whole = text_of(&ask(""));
        let broken =
            script(json!({"prefill": true, "seed": 7, "tokens": 8, "cut_after_tokens": 3}));
        exchange.sim.set_provider_script("first", broken);
        let events = ask("x-bourse-continue: true\r\n");
        assert_eq!(text_of(&events), whole, "{formats:?}");
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        for once in ["message_start", "message_delta", "message_stop"] {
            assert_eq!(of(once), 1, "{once}: {events:?}");
        }
        assert_eq!(of("error"), 0);
        exchange.close();
    }
}

/// Whoever leaves a provider that goes on to the end pays for all of it, and
/// exactly: the answer is read for its usage.
#[test]
fn an_answer_that_its_client_left_is_read_to_its_end_and_paid_exactly() {
    for format in FORMATS {
        let exchange = Exchange::start(|setup| {
            let slow = script(json!({"tokens": 40, "token_ms": 10}));
            setup.provider(Provider::new("cheap", CHEAP, slow).format(format).drains());
        });
        let body = body(json!({"stream": true})).to_string();
        let mut conn = open(&exchange, PATH, "", body.as_bytes());
        let mut got = conn.head();
        while !got.text().contains("text_delta") {
            conn.chunk(&mut got).unwrap();
        }
        drop(conn);
        let (_, spent) = eventually("the answer to be booked", || {
            let balance = exchange.balance();
            (balance.1 > 0).then_some(balance)
        });
        assert_eq!(spent, exchange.worth(CHEAP), "{format}");
        exchange.finish(spent);
    }
}

/// What a coding agent sends after a working day: a megabyte of calls and
/// results, tools with schemas, breakpoints, a picture in a result.
#[test]
fn a_megabyte_of_calls_and_results_is_answered_by_every_format() {
    for format in FORMATS {
        let exchange = Exchange::start(|setup| {
            setup.models.insert(
                "acme/chat",
                "context_length = 2000000\nmax_output = 32000\ninput_modalities = [\"text\", \"image\"]",
            );
            let answer = script(json!({"tokens": 5}));
            setup.provider(Provider::new("cheap", CHEAP, answer).format(format));
        });
        let file = "let answer = compute(&question)?; // as agreed\n".repeat(100);
        let mut messages = vec![json!({"role": "user", "content": "Mend it."})];
        for round in 0..100 {
            let (a, b) = (format!("toolu_{round}a"), format!("toolu_{round}b"));
            let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "read", "input": {"path": "src/a.rs"}});
            messages.push(json!({"role": "assistant", "content": [
                {"type": "text", "text": "I look."}, call(&a), call(&b)]}));
            messages.push(json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": a, "content": file},
                {"type": "tool_result", "tool_use_id": b, "is_error": true, "content": [
                    {"type": "text", "text": file}]}]}));
        }
        let picture = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}});
        messages.push(json!({"role": "user", "content": [picture], }));
        let tools: Vec<Value> = (0..20)
            .map(|n| json!({"name": format!("tool_{n}"), "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}))
            .collect();
        let over = json!({"messages": messages, "tools": tools, "stream": true, "max_tokens": 32_000,
            "system": [{"type": "text", "text": "You mend code.", "cache_control": {"type": "ephemeral"}}]});
        let length = over.to_string().len();
        assert!(length > 950_000, "{length}");
        let events = events(&send(&exchange, over));
        assert_eq!(
            events.last().unwrap()["type"],
            "message_stop",
            "{format}: {events:?}"
        );
        let paid = exchange.worth(CHEAP);
        assert_eq!(cost(&events[events.len() - 2]["usage"]), paid, "{format}");
        exchange.finish(paid);
    }
}
