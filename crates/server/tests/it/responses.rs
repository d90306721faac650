//! OpenAI's Responses over HTTP: as a client's words before a provider of
//! another format, and as a provider's before a client of another.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, DEAR, Exchange, Provider, script};
use crate::money_math::cost;

/// What a model is asked in items.
fn asked(over: Value) -> Value {
    let mut body = json!({"model": "acme/chat", "input": "Say a few words about tides."});
    let more = over.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn respond(exchange: &Exchange, over: Value) -> Got {
    let mut conn = exchange.connect();
    conn.request(
        "POST",
        "/api/v1/responses",
        &format!("authorization: Bearer {}\r\n", exchange.key),
        asked(over).to_string().as_bytes(),
    );
    conn.receive()
}

/// The answer, which must be one.
fn answered(got: &Got) -> Value {
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

/// The events of a stream; each is named as it says itself.
fn events(got: &Got) -> Vec<Value> {
    assert_eq!(got.status, 200, "{}", got.text());
    let text = got.text();
    let mut frames: Vec<_> = text
        .split("\n\n")
        .filter(|frame| frame.starts_with("event: "))
        .collect();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let events: Vec<Value> = frames
        .drain(..)
        .map(|frame| {
            let (name, data) = frame.split_once('\n').unwrap();
            let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(name.strip_prefix("event: "), event["type"].as_str());
            event
        })
        .collect();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at, "{event}");
    }
    events
}

/// A model that a provider of Responses serves.
fn of_responses(sim: Value) -> Exchange {
    Exchange::start(|setup| {
        let mut provider = Provider::new("cheap", CHEAP, script(sim));
        provider = provider.format("openai-responses");
        setup.provider(provider);
    })
}

#[test]
fn a_response_is_answered_by_a_provider_of_chat_and_charged_exactly() {
    let exchange = Exchange::single(Script::default());
    let body = answered(&respond(
        &exchange,
        json!({"temperature": 0.5, "metadata": {"a": "b"}, "max_output_tokens": 50}),
    ));
    assert_eq!(body["object"], "response");
    assert_eq!(body["status"], "completed");
    assert!(body["id"].as_str().unwrap().starts_with("gen-"));
    assert_eq!(body["model"], "acme/chat");
    assert_eq!(body["temperature"], 0.5);
    assert_eq!(body["metadata"]["a"], "b");
    assert_eq!(body["output"][0]["type"], "message");
    let text = body["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(!text.is_empty());
    let paid = exchange.worth(CHEAP);
    assert_eq!(cost(&body["usage"]), paid);
    exchange.finish(paid);
}

#[test]
fn a_stream_of_a_response_repeats_its_answer_at_the_end() {
    let exchange = Exchange::single(Script::default());
    let events = events(&respond(&exchange, json!({"stream": true})));
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(events[1]["type"], "response.in_progress");
    let deltas = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta");
    let said: String = deltas
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], said);
    let paid = exchange.worth(CHEAP);
    assert_eq!(cost(&last["response"]["usage"]), paid);
    exchange.finish(paid);
}

#[test]
fn a_call_of_a_tool_and_its_result_lead_to_an_answer() {
    let tool = json!({"type": "function", "name": "get_weather", "description": "Weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"]}});
    for format in ["openai-chat", "openai-responses", "anthropic", "gemini"] {
        let exchange = Exchange::start(|setup| {
            let mut provider = Provider::new("cheap", CHEAP, Script::default());
            provider = provider.format(format);
            setup.provider(provider);
        });
        let first = answered(&respond(
            &exchange,
            json!({"tools": [tool], "tool_choice": "required"}),
        ));
        let calls: Vec<Value> = first["output"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| item["type"] == "function_call")
            .cloned()
            .collect();
        assert!(!calls.is_empty(), "{format}: {first}");
        let mut input = vec![json!({"role": "user", "content": "Weather?"})];
        input.extend(first["output"].as_array().unwrap().iter().cloned());
        input.extend(calls.iter().map(|call| {
            json!({"type": "function_call_output", "call_id": call["call_id"], "output": "3"})
        }));
        let second = answered(&respond(
            &exchange,
            json!({"input": input, "tools": [tool]}),
        ));
        assert_eq!(second["output"][0]["type"], "message", "{format}: {second}");
        exchange.close();
    }
}

#[test]
fn a_provider_of_responses_serves_every_client() {
    let exchange = of_responses(json!({}));
    let chat = exchange.chat(json!({})).answer();
    assert_eq!(chat["choices"][0]["finish_reason"], "stop");
    assert_eq!(cost(&chat["usage"]), exchange.worth(CHEAP));
    let stream = exchange.chat(json!({"stream": true})).stream();
    assert!(stream.is_complete());
    let own = answered(&respond(&exchange, json!({})));
    assert_eq!(own["status"], "completed");
    let paths: Vec<_> = exchange
        .upstream()
        .into_iter()
        .map(|entry| entry.path)
        .collect();
    assert!(
        paths.iter().all(|path| path.ends_with("/responses")),
        "{paths:?}"
    );
    exchange.close();
}

#[test]
fn sealed_thoughts_go_back_to_who_sealed_them_and_to_nobody_else() {
    let exchange = of_responses(json!({}));
    let reasoning = json!({"effort": "high", "summary": "auto"});
    let first = answered(&respond(&exchange, json!({"reasoning": reasoning})));
    let thought = &first["output"][0];
    assert_eq!(thought["type"], "reasoning", "{first}");
    assert!(thought["encrypted_content"].is_string(), "{thought}");
    assert!(!thought["summary"][0]["text"].as_str().unwrap().is_empty());
    let mut input = first["output"].as_array().unwrap().clone();
    input.push(json!({"role": "user", "content": "And now?"}));
    answered(&respond(&exchange, json!({"input": input})));
    // The simulator refuses seals that are not its own.
    input[0]["encrypted_content"] = json!("EqQB");
    input[0]["format"] = json!("anthropic-claude-v1");
    answered(&respond(&exchange, json!({"input": input})));
    exchange.close();
}

#[test]
fn another_provider_answers_where_the_first_fails() {
    let exchange = Exchange::start(|setup| {
        let broken = script(json!({"error_status": 500}));
        let mut first = Provider::new("cheap", CHEAP, broken);
        first = first.format("openai-responses");
        setup.provider(first);
        setup.provider(Provider::new("dear", DEAR, Script::default()));
    });
    let body = answered(&respond(&exchange, json!({})));
    assert_eq!(body["provider"], "dear");
    exchange.close();
}

#[test]
fn a_stream_that_breaks_ends_in_a_response_that_failed() {
    for format in ["openai-chat", "openai-responses"] {
        let exchange = Exchange::start(|setup| {
            let sim = script(json!({"tokens": 20, "error_after_tokens": 3, "token_ms": 20}));
            let mut provider = Provider::new("cheap", CHEAP, sim);
            provider = provider.format(format);
            setup.provider(provider);
        });
        let events = events(&respond(&exchange, json!({"stream": true})));
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.failed", "{format}");
        assert_eq!(last["response"]["status"], "failed");
        assert!(last["response"]["error"]["message"].is_string());
        exchange.close();
    }
}

#[test]
fn what_is_stored_nowhere_is_refused_in_the_shape_of_errors() {
    let exchange = Exchange::single(Script::default());
    for over in [
        json!({"previous_response_id": "resp_1"}),
        json!({"store": true}),
        json!({"background": true}),
        json!({"tools": [{"type": "web_search"}]}),
        json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
        json!({"input": [{"role": "wizard", "content": "x"}]}),
    ] {
        let got = respond(&exchange, over.clone());
        assert_eq!(got.status, 400, "{over}: {}", got.text());
        let body = got.json();
        assert_eq!(body["error"]["code"], 400);
        assert_eq!(body["error_type"], "invalid_request");
        assert!(body["error"]["message"].as_str().unwrap().contains(": "));
    }
    assert!(exchange.upstream().is_empty());
    exchange.finish(0);
}

#[test]
fn an_answer_at_the_limit_is_incomplete_and_says_why() {
    for format in ["openai-chat", "openai-responses"] {
        let exchange = Exchange::start(|setup| {
            let sim = script(json!({"tokens": 50}));
            let mut provider = Provider::new("cheap", CHEAP, sim);
            provider = provider.format(format);
            setup.provider(provider);
        });
        let body = answered(&respond(&exchange, json!({"max_output_tokens": 20})));
        assert_eq!(body["status"], "incomplete", "{format}");
        assert_eq!(body["incomplete_details"]["reason"], "max_output_tokens");
        let chat = exchange.chat(json!({"max_tokens": 20})).answer();
        assert_eq!(chat["choices"][0]["finish_reason"], "length", "{format}");
        exchange.close();
    }
}
