//! What of a request goes on to a provider: nothing that another parser would
//! read otherwise, nothing that costs money unseen, no part left behind, and no
//! user's name.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, Exchange, Provider, ask, script};

/// Both roads of a request, by their paths.
const ROADS: [(&str, &str); 2] = [
    (
        "/api/v1/chat/completions",
        r#""messages":[{"role":"user","content":"q"}]"#,
    ),
    ("/api/v1/completions", r#""prompt":"q""#),
];

fn post(exchange: &Exchange, path: &str, body: &str) -> Got {
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request("POST", path, &headers, body.as_bytes());
    conn.receive()
}

#[test]
fn what_other_parsers_read_otherwise_or_bill_unseen_is_refused_on_both_roads() {
    let exchange = Exchange::single(Script::default());
    for (path, prompt) in ROADS {
        for (member, named) in [
            (r#""Model":"dear""#, "Model"),
            (r#""MAX_TOKENS":9999"#, "MAX_TOKENS"),
            (r#""maxTokens":9999"#, "maxTokens"),
            ("\"max_to\u{212a}ens\":9999", "max_to"),
            ("\"me\u{17f}\u{17f}ages\":[]", "me"),
            (r#""N":50"#, "N"),
            (r#""model":"dear""#, "model"),
            (r#""mod\u0065l":"dear""#, "escapes"),
            (r#""max_output_tokens":9999"#, "max_output_tokens"),
            (r#""best_of":20"#, "best_of"),
            (r#""fallbacks":["dear"]"#, "fallbacks"),
            (r#""providerOptions":{"a":1}"#, "providerOptions"),
            (r#""api_base":"http://127.0.0.1:1""#, "api_base"),
            (r#""search_parameters":{"mode":"on"}"#, "search_parameters"),
            (r#""web_search_options":{}"#, "web_search_options"),
        ] {
            let body = format!(r#"{{"model":"acme/chat",{member},{prompt}}}"#);
            let got = post(&exchange, path, &body);
            assert!(
                matches!(got.status, 400 | 404),
                "{path} {member}: {}",
                got.text()
            );
            let said = got.json()["error"]["message"].to_string();
            assert!(said.contains(named), "{path} {member}: {said}");
        }
    }
    assert!(exchange.upstream().is_empty());
    exchange.finish(0);
}

#[test]
fn tools_that_a_provider_would_run_are_refused_by_name() {
    let exchange = Exchange::single(Script::default());
    for (over, place) in [
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (
            json!({"tools": [{"type": "openrouter:web_search"}], "tool_choice": "required"}),
            "tools[0].type",
        ),
        (
            json!({"tool_choice": {"type": "openrouter:web_search"}}),
            "tool_choice.type",
        ),
        (
            json!({"tool_choice": {"type": "function", "function": {"name": "f"}, "strict": true}}),
            "tool_choice.strict",
        ),
        (
            json!({"debug": {"echo_upstream_body": true}}),
            "debug.echo_upstream_body",
        ),
    ] {
        let said = exchange.chat(over).error_message(400);
        assert!(said.starts_with(place), "{said}");
    }
    assert!(exchange.upstream().is_empty());
    exchange.finish(0);
}

#[test]
fn a_part_that_a_target_cannot_take_is_refused_before_the_call_and_never_dropped() {
    let parts = [
        json!({"type": "hologram", "hologram": 1}),
        json!({"type": "file", "file": {"file_id": "file-1"}}),
    ];
    for format in ["openai-chat", "anthropic", "gemini"] {
        let exchange = Exchange::start(|setup| {
            setup.models.insert(
                "acme/chat",
                "context_length = 8192\nmax_output = 1000\ninput_modalities = [\"text\", \"file\"]",
            );
            setup.provider(Provider::new("cheap", CHEAP, Script::default()).format(format));
        });
        for part in &parts {
            // The format has files that were uploaded before.
            if format == "openai-chat" && part["type"] == "file" {
                continue;
            }
            let text = json!({"type": "text", "text": "What is this?"});
            let got = exchange.chat(json!({"messages": [
                {"role": "user", "content": [text, part]},
            ]}));
            let said = got.error_message(400);
            assert!(
                said.starts_with("messages[0].content[1]: "),
                "{format}: {said}"
            );
        }
        assert!(exchange.upstream().is_empty(), "{format}");
        exchange.finish(0);
    }
}

#[test]
fn providers_are_told_of_users_by_a_hash_that_stays_the_same() {
    let exchange = Exchange::single(Script::default());
    for (path, prompt) in ROADS {
        for _ in 0..2 {
            let body = format!(
                r#"{{"model":"acme/chat","user":"alice@example.com","safety_identifier":"alice@example.com",{prompt}}}"#
            );
            let got = post(&exchange, path, &body);
            assert_eq!(got.status, 200, "{}", got.text());
        }
    }
    exchange.chat(json!({"user": "bob@example.com"})).answer();
    let users: Vec<[String; 2]> = exchange
        .upstream()
        .iter()
        .map(|entry| {
            let body: Value = serde_json::from_str(entry.body.as_deref().unwrap()).unwrap();
            ["user", "safety_identifier"].map(|name| body[name].as_str().unwrap_or("").to_owned())
        })
        .collect();
    let (bob, alices) = users.split_last().unwrap();
    assert_eq!(alices.len(), 4);
    for told in alices {
        assert_eq!(told, &alices[0]);
        assert_eq!(told[0], told[1]);
        assert!(
            told[0].starts_with("user-") && told[0].len() == 37,
            "{told:?}"
        );
    }
    assert_ne!(bob[0], alices[0][0]);
    assert!(!format!("{users:?}").contains("example.com"));
    exchange.close();
}

#[test]
fn unknown_members_stay_here_and_are_reported() {
    let exchange = Exchange::single(Script::default());
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\nx-openrouter-metadata: enabled\r\n",
        exchange.key
    );
    let body = ask(json!({"vendor_thing": 1, "min_tokens": 2})).to_string();
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        body.as_bytes(),
    );
    let reply = conn.receive().answer();
    let losses = reply["openrouter_metadata"]["translation_losses"].to_string();
    assert!(losses.contains("vendor_thing"), "{losses}");
    let sent = exchange.upstream().pop().unwrap().body.unwrap();
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert!(
        sent["vendor_thing"].is_null() && sent["min_tokens"] == 2,
        "{sent}"
    );
    exchange.close();
}

#[test]
fn a_search_is_billed_where_the_provider_does_not_count_it() {
    let exchange = Exchange::start(|setup| {
        let mut provider = Provider::new("cheap", CHEAP, Script::default());
        provider.price = None;
        setup.provider(provider.endpoint(
            "price = { prompt = \"0.10\", completion = \"0.40\", web_search = \"0.025\" }\n",
        ));
    });
    let searched = exchange.chat(json!({"web_search_options": {}})).answer();
    let cost = searched["usage"]["cost"].as_f64().unwrap();
    // The fee, and a few tokens.
    assert!((0.025..0.0251).contains(&cost), "{searched}");
    assert_eq!(
        searched["usage"]["server_tool_use"]["web_search_requests"],
        1
    );
    exchange.close();
}

/// An endpoint that searches, for a fee that nobody counts.
fn searching() -> Exchange {
    Exchange::start(|setup| {
        let mut provider = Provider::new("cheap", CHEAP, Script::default());
        provider.price = None;
        setup.provider(provider.endpoint(
            "price = { prompt = \"0.10\", completion = \"0.40\", web_search = \"0.025\" }\n",
        ));
    })
}

#[test]
fn a_search_may_be_asked_for_by_the_models_name_and_by_the_plugin() {
    let exchange = searching();
    for asked in [
        json!({"model": "acme/chat:online"}),
        json!({"model": "acme/chat:online", "models": ["acme/chat:online"]}),
        json!({"plugins": [{"id": "web"}]}),
        json!({"plugins": [{"id": "web", "engine": "native", "max_results": 3}]}),
        json!({"plugins": [{"id": "web"}], "web_search_options": null}),
        // What cannot be spliced is written anew.
        json!({"model": "acme/chat:online", "messages": [{"role": "user", "content": "hi"},
            {"role": "assistant", "content": "a", "reasoning": "hm"}, {"role": "user", "content": "q"}]}),
    ] {
        let told = exchange.chat(asked.clone()).answer();
        let cost = told["usage"]["cost"].as_f64().unwrap();
        assert!((0.025..0.0251).contains(&cost), "{asked}: {told}");
        let sent = exchange.upstream().pop().unwrap().body.unwrap();
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent["web_search_options"], json!({}), "{asked}: {sent}");
        assert!(sent["plugins"].is_null(), "{sent}");
    }
    // What the caller says of the search counts.
    let sized =
        json!({"plugins": [{"id": "web"}], "web_search_options": {"search_context_size": "low"}});
    exchange.chat(sized).answer();
    let sent = exchange.upstream().pop().unwrap().body.unwrap();
    assert!(sent.contains(r#"{"search_context_size":"low"}"#), "{sent}");
    for (asked, field) in [
        (
            json!({"plugins": [{"id": "web", "engine": "exa"}]}),
            "plugins[0].engine",
        ),
        (
            json!({"plugins": [{"id": "web", "include_domains": ["a.example"]}]}),
            "plugins[0].include_domains",
        ),
        (json!({"plugins": [{"id": "file-parser"}]}), "plugins: "),
        (
            json!({"model": "acme/chat:online", "models": ["acme/chat"]}),
            "models: ",
        ),
    ] {
        let message = exchange.chat(asked.clone()).error_message(400);
        assert!(message.starts_with(field), "{asked}: {message}");
    }
    exchange.close();
}

#[test]
fn a_model_that_searches_for_every_answer_is_billed_so() {
    let exchange = Exchange::start(|setup| {
        let mut provider = Provider::new("openai", CHEAP, Script::default());
        provider.price = None;
        provider.upstream_model = Some("gpt-4o-search-preview");
        setup.provider(provider.endpoint(
            "price = { prompt = \"0.10\", completion = \"0.40\", web_search = \"0.025\" }\n",
        ));
    });
    for over in [
        json!({}),
        json!({"temperature": 0.5}),
        json!({"web_search_options": {}}),
    ] {
        let told = exchange.chat(over.clone()).answer();
        let cost = told["usage"]["cost"].as_f64().unwrap();
        assert!((0.025..0.0251).contains(&cost), "{over}: {told}");
        let sent = exchange.upstream().pop().unwrap().body.unwrap();
        assert!(!sent.contains("temperature"), "{sent}");
    }
    exchange.close();
}

#[test]
fn a_search_that_nobody_would_make_is_refused() {
    let exchange = Exchange::start(|setup| {
        // One that has no price, and one that cannot be told.
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
        let mut other = Provider::new("dear", CHEAP, Script::default()).format("anthropic");
        other.price = None;
        setup.provider(other.endpoint(
            "price = { prompt = \"0.10\", completion = \"0.40\", web_search = \"0.01\" }\n",
        ));
    });
    for asked in [
        json!({"model": "acme/chat:online"}),
        json!({"plugins": [{"id": "web"}]}),
        json!({"web_search_options": {}}),
    ] {
        let got = exchange.chat(asked.clone());
        assert!(matches!(got.status, 400 | 404), "{asked}: {}", got.text());
        let text = got.text();
        assert!(text.contains("searches by itself"), "{asked}: {text}");
        assert!(text.contains(":online"), "{asked}: {text}");
    }
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn options_of_a_provider_reach_it_and_nobody_else() {
    let exchange = Exchange::pair(Script::default());
    let ask = |only: &str, options: Value| {
        exchange.chat(json!({"provider": {"only": [only], "options": options}}))
    };
    let sent = || -> Value {
        let body = exchange.upstream().pop().unwrap().body.unwrap();
        serde_json::from_str(&body).unwrap()
    };
    let options = json!({"cheap": {"min_tokens": 2, "chat_template_kwargs": {"b": 1, "a": [1.50]}}, "dear": {}});
    ask("cheap", options.clone()).answer();
    let told = sent();
    assert_eq!(told["min_tokens"], 2, "{told}");
    assert_eq!(told["chat_template_kwargs"], json!({"b": 1, "a": [1.5]}));
    assert!(told["provider"].is_null(), "{told}");
    ask("dear", options).answer();
    assert!(sent()["min_tokens"].is_null());
    // In place of what all are told.
    let over = json!({"min_tokens": 1, "provider": {"only": ["cheap"], "options": {"cheap": {"min_tokens": 3}}}});
    exchange.chat(over).answer();
    assert_eq!(sent()["min_tokens"], 3);
    for (options, field) in [
        (
            json!({"cheap": {"vendor_thing": 1}}),
            "provider.options.cheap.vendor_thing: ",
        ),
        (
            json!({"cheap": {"max_tokens": 9}}),
            "provider.options.cheap.max_tokens: ",
        ),
        (
            json!({"cheap": {"model": "x"}}),
            "provider.options.cheap.model: ",
        ),
        (json!({"cheap": {"n": 9}}), "provider.options.cheap.n: "),
        // What costs money is refused, whoever is asked.
        (
            json!({"dear": {"web_search": true}}),
            "provider.options.dear.web_search: ",
        ),
        (json!({"nobody": {"a": 1}}), "provider.options.nobody: "),
        (json!({"cheap": 7}), "provider.options.cheap: "),
        (json!([]), "provider.options: "),
    ] {
        let message = ask("cheap", options.clone()).error_message(400);
        assert!(message.starts_with(field), "{options}: {message}");
    }
    // Whoever takes it may answer.
    let order = json!({"order": ["cheap", "dear"], "options": {"cheap": {"vendor_thing": 1}}});
    let reply = exchange.chat(json!({"provider": order})).answer();
    assert_eq!(reply["provider"], "dear");
    exchange.close();
}

#[test]
fn a_search_is_billed_by_how_much_it_is_asked_to_read() {
    // The fee of the catalog for a request, low unless asked.
    let exchange = Exchange::start(|setup| {
        let mut provider = Provider::new("perplexity", CHEAP, script(json!({"tokens": 1})));
        provider.price = None;
        setup.provider(provider.model("perplexity/sonar"));
    });
    for (options, fee) in [
        (json!({}), 0.005),
        (json!({"search_context_size": "low"}), 0.005),
        (json!({"search_context_size": "medium"}), 0.008),
        (json!({"search_context_size": "high"}), 0.012),
        (json!({"search_context_size": "enormous"}), 0.012),
    ] {
        let body = json!({"model": "perplexity/sonar", "web_search_options": options});
        let cost = exchange.chat(body).answer()["usage"]["cost"]
            .as_f64()
            .unwrap();
        assert!((fee..fee + 0.000_1).contains(&cost), "{options}: {cost}");
    }
    exchange.close();
}

#[test]
fn features_in_beta_are_asked_for_by_a_list_and_the_others_are_reported() {
    let exchange = Exchange::start(|setup| {
        setup
            .models
            .insert("acme/chat", "context_length = 8192\nmax_output = 1000");
        setup.provider(Provider::new("cheap", CHEAP, Script::default()).format("anthropic"));
    });
    let asks = |betas: &str, over: Value| {
        let mut conn = exchange.connect();
        let headers = format!(
            "authorization: Bearer {}\r\nx-openrouter-metadata: enabled\r\nx-anthropic-beta: {betas}\r\n",
            exchange.key
        );
        let body = ask(over).to_string();
        conn.request(
            "POST",
            "/api/v1/chat/completions",
            &headers,
            body.as_bytes(),
        );
        conn.receive()
    };
    let told = || {
        let entries = exchange.upstream();
        let headers = &entries.last().unwrap().headers;
        let found = headers.iter().find(|(name, _)| name == "anthropic-beta");
        found.map(|(_, value)| value.clone())
    };
    const THINKING: &str = "interleaved-thinking-2025-05-14";
    let answer = asks(&format!("{THINKING}, context-1m-2025-08-07"), json!({})).answer();
    assert_eq!(told().as_deref(), Some(THINKING));
    let losses = answer["openrouter_metadata"].to_string();
    assert!(
        losses.contains("x-anthropic-beta: context-1m-2025-08-07"),
        "{losses}"
    );
    asks("context-1m-2025-08-07", json!({})).answer();
    assert_eq!(told(), None);
    // Who wants all that is asked for is not given less.
    let strict = json!({"provider": {"require_parameters": true}});
    asks("context-1m-2025-08-07", strict.clone()).error(404);
    asks(THINKING, strict).answer();
    assert_eq!(told().as_deref(), Some(THINKING));
    exchange.close();
}

#[test]
fn a_provider_of_another_format_hears_nothing_of_anthropics_features() {
    let exchange = Exchange::single(Script::default());
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\nx-anthropic-beta: context-1m-2025-08-07\r\n",
        exchange.key
    );
    let strict = ask(json!({"provider": {"require_parameters": true}})).to_string();
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        strict.as_bytes(),
    );
    conn.receive().answer();
    let entries = exchange.upstream();
    assert!(
        entries
            .iter()
            .flat_map(|entry| &entry.headers)
            .all(|(name, _)| !name.ends_with("-beta"))
    );
    exchange.close();
}
