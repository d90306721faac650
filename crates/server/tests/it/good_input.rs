//! What well-behaved clients may do, and expect to work.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, DEAR, Exchange, Provider, ask, script};
use crate::money_math::cost;

#[test]
fn a_client_that_asks_before_it_sends_a_body_is_told_to_go_on() {
    let exchange = Exchange::single(Script::default());
    let mut conn = exchange.connect();
    let body = ask(json!({})).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        exchange.key,
        body.len()
    );
    conn.send(head.as_bytes());
    assert_eq!(conn.head().status, 100);
    conn.send(body.as_bytes());
    conn.receive().answer();
    exchange.close();
}

#[test]
fn a_large_prompt_arrives_byte_for_byte() {
    let exchange = Exchange::start(|setup| {
        setup.models.insert(
            "acme/chat",
            "context_length = 10000000\nmax_output = 1000\ninput_modalities = [\"text\", \"image\"]",
        );
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    for megabytes in [1, 8] {
        let picture = format!("data:image/png;base64,{}", "QUJD".repeat(megabytes << 18));
        let body = json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image_url", "image_url": {"url": picture}},
        ]}]});
        let sent = ask(body.clone()).to_string().len() as u64;
        exchange.chat(body).answer();
        let entry = exchange.upstream().pop().unwrap();
        // Only the model's name and what is for the gateway differ.
        assert!(entry.body_bytes.abs_diff(sent) < 200, "{entry:?}");
        assert_eq!(
            entry
                .headers
                .iter()
                .filter(|(name, _)| name == "content-length")
                .count(),
            1
        );
    }
    exchange.close();
}

#[test]
fn nothing_of_the_callers_reaches_the_provider_but_the_request() {
    let exchange = Exchange::single(Script::default());
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncookie: session=secret\r\nx-forwarded-for: 10.1.2.3\r\nhttp-referer: https://app.example\r\nx-title: My app\r\nx-sim-script: {{\"error_status\":500}}\r\n",
        exchange.key
    );
    let body = ask(json!({
        "seed": 7, "stop": ["END"], "unknown_to_us": {"kept": true},
        "chat_template_kwargs": {"kept": true},
        "session_id": "s-1", "models": ["acme/chat"],
    }))
    .to_string();
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        body.as_bytes(),
    );
    conn.receive().answer();
    let entry = exchange.upstream().pop().unwrap();
    let names: Vec<_> = entry
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    for private in [
        "cookie",
        "x-forwarded-for",
        "http-referer",
        "x-title",
        "x-sim-script",
    ] {
        assert!(!names.contains(&private), "{names:?}");
    }
    let got: Value = serde_json::from_str(&entry.body.unwrap()).unwrap();
    assert_eq!(got["model"], "cheap-model");
    assert_eq!(got["seed"], 7);
    assert_eq!(got["chat_template_kwargs"]["kept"], true);
    // What is on no list may cost money that nothing here would see.
    for ours in ["provider", "models", "session_id", "unknown_to_us"] {
        assert!(got[ours].is_null(), "{got}");
    }
    exchange.close();
}

fn complete(exchange: &Exchange, over: Value) -> Got {
    let mut body = json!({"model": "acme/chat", "prompt": "Once upon a time", "provider": {"order": ["cheap", "dear"]}});
    body.as_object_mut()
        .unwrap()
        .extend(over.as_object().unwrap().clone());
    let mut conn = exchange.connect();
    conn.request(
        "POST",
        "/api/v1/completions",
        &format!("authorization: Bearer {}\r\n", exchange.key),
        body.to_string().as_bytes(),
    );
    conn.receive()
}

#[test]
fn text_completions_fail_over_stream_and_are_paid_like_any_call() {
    let exchange = Exchange::pair(script(json!({"error_status": 503})));
    let got = complete(&exchange, json!({}));
    assert_eq!(got.status, 200, "{}", got.text());
    let reply = got.json();
    assert!(
        reply["choices"][0]["text"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{reply}"
    );
    assert_eq!(exchange.attempts(), ["cheap", "dear"]);
    let mut spent = exchange.worth(DEAR);
    assert_eq!(cost(&reply["usage"]), spent);

    let got = complete(&exchange, json!({"stream": true}));
    let stream = got.stream();
    assert!(stream.done, "{stream:#?}");
    let text: String = stream
        .chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["text"].as_str())
        .collect();
    assert!(!text.is_empty());
    let told: Vec<_> = stream
        .chunks
        .iter()
        .filter(|chunk| !chunk["usage"].is_null())
        .collect();
    assert_eq!(told.len(), 1);
    let paid = exchange.worth(DEAR);
    assert_eq!(cost(&told[0]["usage"]), paid);
    spent += paid;

    exchange.sim.set_provider_script(
        "dear",
        script(json!({"tokens": 20, "token_ms": 3, "cut_after_tokens": 9})),
    );
    let before = spent;
    let got = complete(&exchange, json!({"stream": true}));
    let stream = got.stream();
    assert!(!stream.is_complete(), "{stream:#?}");
    let last = stream.chunks.last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "error", "{last}");
    assert!(last["error"]["code"].is_u64(), "{last}");

    complete(&exchange, json!({"prompt": 7})).error(400);
    complete(&exchange, json!({"model": "acme/fake"})).error(400);
    let spent = exchange.close();
    assert!(spent > before);
}

#[test]
fn tool_calls_come_through_every_format() {
    let exchange = Exchange::start(|setup| {
        for (slug, format) in [
            ("one", "openai-chat"),
            ("two", "anthropic"),
            ("three", "gemini"),
        ] {
            setup.provider(
                Provider::new(slug, CHEAP, script(json!({"tool_calls": 2}))).format(format),
            );
        }
    });
    let tools = json!([{"type": "function", "function": {
        "name": "weather", "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }}]);
    for slug in ["one", "two", "three"] {
        let over = json!({"tools": tools, "max_tokens": 500, "provider": {"only": [slug]}});
        let got = exchange.chat(over.clone());
        assert_eq!(got.status, 200, "{}", got.text());
        let choice = got.json()["choices"][0].clone();
        assert_eq!(choice["finish_reason"], "tool_calls", "{slug}: {choice}");
        let calls = choice["message"]["tool_calls"].as_array().unwrap().clone();
        assert_eq!(calls.len(), 2, "{slug}");
        let stream = exchange.stream(over);
        stream.complete();
        assert_eq!(stream.finishes(), ["tool_calls"]);
        let mut arguments = vec![String::new(); 2];
        for call in stream
            .chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array())
            .flatten()
        {
            let at = call["index"].as_u64().unwrap() as usize;
            arguments[at] += call["function"]["arguments"].as_str().unwrap_or("");
        }
        for (at, text) in arguments.iter().enumerate() {
            let streamed: Value = serde_json::from_str(text).unwrap();
            let whole: Value =
                serde_json::from_str(calls[at]["function"]["arguments"].as_str().unwrap()).unwrap();
            assert!(streamed["city"].is_string(), "{slug}: {streamed}");
            assert!(whole["city"].is_string(), "{slug}: {whole}");
        }
    }
    exchange.close();
}

#[test]
fn what_clients_still_send_and_means_nothing_here_is_accepted() {
    let exchange = Exchange::single(Script::default());
    for body in [
        json!({"plugins": []}),
        json!({"plugins": null, "transforms": null}),
        json!({"plugins": [{"id": "web", "enabled": false, "max_results": 3}]}),
        json!({"transforms": []}),
        json!({"transforms": ["middle-out"]}),
    ] {
        exchange.chat(body.clone()).answer();
        let sent = exchange.upstream().pop().unwrap();
        let told = sent.body.unwrap_or_default();
        assert!(
            !told.contains("plugins") && !told.contains("transforms"),
            "{told}"
        );
    }
    exchange.close();
}

#[test]
fn a_page_of_another_site_may_read_answers_and_errors() {
    let exchange = Exchange::single(Script::default());
    let key = format!("authorization: Bearer {}\r\n", exchange.key);
    let page = "origin: https://app.example\r\n";
    let call = |body: &Value, headers: &str| {
        let mut conn = exchange.connect();
        let body = body.to_string();
        conn.request("POST", "/api/v1/chat/completions", headers, body.as_bytes());
        conn.receive()
    };
    let from_page = format!("{key}{page}");
    for (body, status) in [
        (ask(json!({})), 200),
        (ask(json!({"stream": true})), 200),
        (ask(json!({"temperature": "hot"})), 400),
    ] {
        let got = call(&body, &from_page);
        assert_eq!(got.status, status);
        assert_eq!(got.header("access-control-allow-origin"), Some("*"));
        let exposed = got.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("x-generation-id"), "{exposed}");
        assert_eq!(got.header("access-control-allow-credentials"), None);
    }
    let refused = call(&ask(json!({})), page);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    // Whoever is no page is spared the headers.
    let got = call(&ask(json!({})), &key);
    assert_eq!(got.header("access-control-allow-origin"), None);
    exchange.close();
}
