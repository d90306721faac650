//! Ollama by its own API as a target: lines of JSON, options and counts.

use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, script};
use crate::money_math::cost;

fn start(fields: Value) -> Exchange {
    Exchange::start(|setup| {
        setup.provider(Provider::new("local", CHEAP, script(fields)).format("ollama"));
    })
}

fn sent(exchange: &Exchange, at: usize) -> Value {
    serde_json::from_str(exchange.upstream()[at].body.as_ref().unwrap()).unwrap()
}

#[test]
fn chat_is_answered_whole_and_streamed_and_costs_what_ollama_counted() {
    let exchange = start(json!({"tokens": 9}));
    let got = exchange.chat(json!({"temperature": 0.5, "max_tokens": 200}));
    assert_eq!(got.status, 200, "{}", got.text());
    let told = got.json();
    assert_eq!(told["choices"][0]["finish_reason"], "stop");
    assert_eq!(told["usage"]["completion_tokens"], 9);
    let first = exchange.worth(CHEAP);
    assert_eq!(cost(&told["usage"]), first);
    assert_eq!(sent(&exchange, 0)["stream"], false);
    assert_eq!(
        sent(&exchange, 0)["options"],
        json!({"num_predict": 200, "temperature": 0.5})
    );

    let stream = exchange.stream(json!({}));
    let usage = stream.complete();
    assert_eq!(stream.finishes(), ["stop"]);
    let second = exchange.worth(CHEAP);
    assert_eq!(cost(&usage), second);
    assert_eq!(sent(&exchange, 1)["stream"], true);
    let entry = &exchange.upstream()[1];
    assert!(entry.path.ends_with("/api/chat"), "{}", entry.path);
    exchange.finish(first + second);
}

#[test]
fn a_loop_of_tools_and_thoughts_goes_through_chat_and_back() {
    let exchange = start(json!({"tokens": 5, "reasoning_tokens": 3, "tool_calls": 2}));
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {
        "type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}}]);
    let over = json!({"tools": tools, "reasoning": {"effort": "high"}});
    let got = exchange.chat(over.clone());
    assert_eq!(got.status, 200, "{}", got.text());
    let told = got.json();
    assert_eq!(told["choices"][0]["finish_reason"], "tool_calls");
    let message = told["choices"][0]["message"].clone();
    let calls = message["tool_calls"].as_array().unwrap().clone();
    assert_eq!(calls.len(), 2);
    let mut messages = vec![json!({"role": "user", "content": "Hello there"}), message];
    messages.extend(
        calls
            .iter()
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "dark"})),
    );
    exchange
        .sim
        .set_provider_script("local", script(json!({"tokens": 5})));
    let mut again = over;
    again["messages"] = messages.into();
    let stream = exchange.stream(again);
    stream.complete();
    let sent = sent(&exchange, 1);
    assert_eq!(sent["think"], "high");
    let answer = &sent["messages"][1];
    assert!(answer["thinking"].is_string(), "{answer}");
    assert!(answer["tool_calls"][0]["function"]["arguments"].is_object());
    for (at, call) in calls.iter().enumerate() {
        let result = &sent["messages"][2 + at];
        assert_eq!(result["tool_name"], "look");
        assert_eq!(result["tool_call_id"], call["id"]);
    }
    exchange.close();
}

#[test]
fn who_is_throttled_or_busy_or_not_known_there_is_served_by_another() {
    for status in [401, 404, 429, 500, 503] {
        let failing = json!({"error_rate": 1.0, "error_status": status});
        let mut exchange = Exchange::start(|setup| {
            setup.provider(Provider::new("local", CHEAP, script(failing)).format("ollama"));
            setup.provider(Provider::new("dear", DEAR, script(json!({"tokens": 3}))));
        });
        exchange.server.may_log_errors = true;
        let got = exchange.chat(json!({"provider": {"order": ["local", "dear"]}}));
        assert_eq!(got.status, 200, "{status}: {}", got.text());
        assert_eq!(got.json()["provider"], "dear", "{status}");
        let spent = exchange.worth(DEAR);
        exchange.finish(spent);
    }
}

#[test]
fn an_error_in_the_middle_of_a_stream_is_told_as_one() {
    let exchange = start(json!({"tokens": 9, "token_ms": 30, "error_after_tokens": 4}));
    let stream = exchange.stream(json!({}));
    let broken = stream.broken();
    let kind = &broken["metadata"]["error_type"];
    assert_eq!(kind, "provider_unavailable", "{broken}");
    exchange.close();
}

#[test]
fn vectors_are_made_by_its_own_api_and_cost_what_it_counted() {
    const EMBED: &str = "acme/embed";
    let exchange = Exchange::start(|setup| {
        let model = "context_length = 16\noutput_modalities = [\"embeddings\"]";
        setup.models.insert(EMBED, model);
        let provider = Provider::new("local", ("0.02", "0"), script(json!({})));
        setup.provider(provider.format("ollama").model(EMBED));
    });
    let body = json!({"model": EMBED, "input": ["one two", "three"], "dimensions": 8});
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    let path = "/api/v1/embeddings";
    conn.request("POST", path, &headers, body.to_string().as_bytes());
    let got = conn.receive();
    assert_eq!(got.status, 200, "{}", got.text());
    let told = got.json();
    assert_eq!(
        told["data"][1]["embedding"].as_array().map(Vec::len),
        Some(8)
    );
    assert_eq!(told["usage"]["prompt_tokens"], 3);
    let entry = &exchange.upstream()[0];
    assert!(entry.path.ends_with("/api/embed"), "{}", entry.path);
    let asked = sent(&exchange, 0);
    assert_eq!(asked["input"], json!(["one two", "three"]));
    assert_eq!(asked["truncate"], false);
    exchange.finish(cost(&told["usage"]));
}
