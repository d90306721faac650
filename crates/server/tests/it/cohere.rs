//! Cohere by its own API as a target: plans, thoughts, and what is billed.

use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, MODEL, Provider, script};
use crate::money_math::cost;

const THINKS: &str = "command-a-reasoning-08-2025";

fn cohere(fields: Value) -> Provider {
    let mut provider = Provider::new("cohere", CHEAP, script(fields)).format("cohere-chat");
    provider.upstream_model = Some(THINKS);
    provider
}

fn start(fields: Value) -> Exchange {
    Exchange::start(|setup| {
        let limits = "context_length = 8192\nmax_output = 4000";
        setup.models.insert(MODEL, limits);
        setup.provider(cohere(fields));
    })
}

fn sent(exchange: &Exchange, at: usize) -> Value {
    serde_json::from_str(exchange.upstream()[at].body.as_ref().unwrap()).unwrap()
}

#[test]
fn chat_is_answered_whole_and_streamed_and_costs_what_cohere_bills() {
    let exchange = start(json!({"tokens": 9}));
    let got = exchange.chat(json!({"top_p": 0.5, "stop": ["END"]}));
    assert_eq!(got.status, 200, "{}", got.text());
    let told = got.json();
    assert_eq!(told["choices"][0]["finish_reason"], "stop");
    assert_eq!(told["choices"][0]["native_finish_reason"], "COMPLETE");
    assert_eq!(told["usage"]["completion_tokens"], 9);
    // What the template adds is counted there, and is not billed.
    let first = exchange.worth(CHEAP);
    assert_eq!(cost(&told["usage"]), first);
    assert_eq!(sent(&exchange, 0)["p"], 0.5);
    assert_eq!(sent(&exchange, 0)["stop_sequences"], json!(["END"]));

    let stream = exchange.stream(json!({}));
    let usage = stream.complete();
    assert_eq!(stream.finishes(), ["stop"]);
    let second = exchange.worth(CHEAP);
    assert_eq!(cost(&usage), second);
    exchange.finish(first + second);
}

#[test]
fn a_loop_of_tools_and_thoughts_goes_through_chat_and_back() {
    let exchange = start(json!({"tokens": 5, "reasoning_tokens": 3, "tool_calls": 2}));
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {
        "type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}}]);
    let over = json!({"tools": tools, "reasoning": {"max_tokens": 500}});
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
        .set_provider_script("cohere", script(json!({"tokens": 5})));
    let mut again = over;
    again["messages"] = messages.into();
    exchange.stream(again).complete();
    let sent = sent(&exchange, 1);
    let budget = json!({"type": "enabled", "token_budget": 500});
    assert_eq!(sent["thinking"], budget);
    let answer = &sent["messages"][1];
    assert_eq!(answer["content"][0]["type"], "thinking", "{answer}");
    assert_eq!(answer["tool_calls"][1]["id"], calls[1]["id"]);
    assert_eq!(sent["messages"][3]["tool_call_id"], calls[1]["id"]);
    exchange.close();
}

#[test]
fn who_is_throttled_or_unpaid_or_has_an_old_token_there_is_served_by_another() {
    for status in [401, 402, 404, 429, 498, 500, 503] {
        let failing = json!({"error_rate": 1.0, "error_status": status});
        let mut exchange = Exchange::start(|setup| {
            setup.provider(cohere(failing));
            setup.provider(Provider::new("dear", DEAR, script(json!({"tokens": 3}))));
        });
        exchange.server.may_log_errors = true;
        let got = exchange.chat(json!({"provider": {"order": ["cohere", "dear"]}}));
        assert_eq!(got.status, 200, "{status}: {}", got.text());
        assert_eq!(got.json()["provider"], "dear", "{status}");
        let spent = exchange.worth(DEAR);
        exchange.finish(spent);
    }
}

#[test]
fn an_error_at_the_end_of_a_stream_is_told_as_one() {
    let exchange = start(json!({"tokens": 9, "token_ms": 30, "error_after_tokens": 4}));
    let broken = exchange.stream(json!({})).broken();
    let kind = &broken["metadata"]["error_type"];
    assert_eq!(kind, "provider_unavailable", "{broken}");
    exchange.close();
}
