//! Google's API over HTTP, in front of providers of every format.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::{Conn, Got};
use crate::exchange::{CHEAP, Exchange, Provider, eventually, script, worth};
use crate::money_math::{charge, cost};

const FORMATS: [&str; 3] = ["gemini", "openai-chat", "anthropic"];
const WHOLE: &str = "/v1beta/models/acme/chat:generateContent";
const EVENTS: &str = "/v1beta/models/acme/chat:streamGenerateContent?alt=sse";
const ARRAY: &str = "/v1beta/models/acme/chat:streamGenerateContent";
const COUNT: &str = "/v1beta/models/acme/chat:countTokens";

/// A server with one provider of a format.
fn in_front_of(format: &'static str, script: Script) -> Exchange {
    Exchange::start(|setup| {
        setup.provider(Provider::new("cheap", CHEAP, script).format(format));
    })
}

/// A plain request with members laid over it.
fn body(over: Value) -> Value {
    let mut body = json!({
        "contents": [{"role": "user", "parts": [{"text": "Hello there"}]}],
        "generationConfig": {"maxOutputTokens": 100},
    });
    body.as_object_mut()
        .unwrap()
        .extend(over.as_object().unwrap().clone());
    body
}

fn open(exchange: &Exchange, path: &str, headers: &str, body: &[u8]) -> Conn {
    let mut conn = exchange.connect();
    let headers = format!("x-goog-api-key: {}\r\n{headers}", exchange.key);
    conn.request("POST", path, &headers, body);
    conn
}

fn send(exchange: &Exchange, path: &str, over: Value) -> Got {
    open(exchange, path, "", body(over).to_string().as_bytes()).receive()
}

/// A whole answer.
#[track_caller]
fn answer(got: &Got) -> Value {
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.whole);
    assert_eq!(got.header("content-type"), Some("application/json"));
    let answer = got.json();
    assert_eq!(got.header("x-generation-id"), answer["responseId"].as_str());
    answer
}

/// The sentence of an error, which has Google's shape.
#[track_caller]
fn error(got: &Got, status: u16, word: &str) -> String {
    assert_eq!(got.status, status, "{}", got.text());
    assert!(got.whole);
    assert_eq!(got.header("content-type"), Some("application/json"));
    let error = &got.json()["error"];
    assert_eq!(
        (&error["code"], &error["status"]),
        (&status.into(), &word.into())
    );
    error["message"].as_str().unwrap().to_owned()
}

/// The responses of a stream of events.
#[track_caller]
fn events(got: &Got) -> Vec<Value> {
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("text/event-stream"));
    assert!(got.whole, "HTTP's framing must end well");
    let text = got.text();
    let frames = text.split("\n\n").filter(|frame| !frame.trim().is_empty());
    frames
        .map(|frame| serde_json::from_str(frame.trim().strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn text_of(responses: &[Value]) -> String {
    let parts = responses
        .iter()
        .filter_map(|response| response["candidates"][0]["content"]["parts"].as_array());
    let said = parts
        .flatten()
        .filter(|part| part["thought"] != json!(true));
    said.filter_map(|part| part["text"].as_str()).collect()
}

#[test]
fn an_answer_of_any_format_is_googles_and_says_what_it_cost() {
    for format in FORMATS {
        let exchange = in_front_of(format, script(json!({"tokens": 11})));
        let told = answer(&send(&exchange, WHOLE, json!({})));
        assert_eq!(
            (&told["modelVersion"], &told["provider"]),
            (&"acme/chat".into(), &"cheap".into())
        );
        let candidate = &told["candidates"][0];
        assert_eq!(candidate["finishReason"], "STOP");
        assert_eq!(candidate["content"]["role"], "model");
        let truth = exchange.upstream()[0].truth.clone().unwrap();
        let usage = &told["usageMetadata"];
        assert_eq!(usage["promptTokenCount"], truth.prompt_tokens);
        assert_eq!(usage["candidatesTokenCount"], 11);
        assert_eq!(cost(usage), exchange.worth(CHEAP), "{format}");
        let mut spent = exchange.worth(CHEAP);

        for path in [
            EVENTS,
            "/api/v1/models/acme%2Fchat:streamGenerateContent?alt=sse",
        ] {
            let got = send(&exchange, path, json!({}));
            let events = events(&got);
            assert!(events.iter().all(|event| {
                event["responseId"].as_str() == got.header("x-generation-id")
                    && event["modelVersion"] == "acme/chat"
            }));
            assert_eq!(text_of(&events).split_whitespace().count(), 11);
            let last = events.last().unwrap();
            assert_eq!(last["candidates"][0]["finishReason"], "STOP");
            assert_eq!(last["usageMetadata"]["candidatesTokenCount"], 11);
            assert_eq!(
                cost(&last["usageMetadata"]),
                exchange.worth(CHEAP),
                "{format}"
            );
            let reasons = events
                .iter()
                .filter(|event| event["candidates"][0].get("finishReason").is_some());
            assert_eq!(reasons.count(), 1);
            spent += exchange.worth(CHEAP);
        }
        exchange.finish(spent);
    }
}

#[test]
fn a_stream_without_events_is_one_array() {
    for format in FORMATS {
        let exchange = in_front_of(format, script(json!({"tokens": 5})));
        let got = send(&exchange, ARRAY, json!({}));
        let told = answer_in_array(&got);
        assert_eq!(text_of(&told).split_whitespace().count(), 5);
        assert_eq!(
            told.last().unwrap()["candidates"][0]["finishReason"],
            "STOP"
        );
        exchange.close();

        let exchange = in_front_of(format, script(json!({"tokens": 20, "cut_after_tokens": 5})));
        let told = answer_in_array(&send(&exchange, ARRAY, json!({})));
        assert_eq!(told.last().unwrap()["error"]["code"], 502, "{format}");
        exchange.close();
    }
    let exchange = Exchange::start(|setup| {
        setup.deadlines("keep_alive_ms = 100");
        let late = script(json!({"first_token_ms": 700, "tokens": 4, "cut_after_tokens": 1}));
        setup.provider(Provider::new("cheap", CHEAP, late).format("gemini"));
    });
    let got = send(&exchange, ARRAY, json!({}));
    assert!(got.text().starts_with("\n\n"), "{}", got.text());
    answer_in_array(&got);
    exchange.close();
}

#[track_caller]
fn answer_in_array(got: &Got) -> Vec<Value> {
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.header("content-type"), Some("application/json"));
    serde_json::from_str(&got.text()).unwrap()
}

#[test]
fn a_tool_is_called_and_its_result_leads_to_an_answer() {
    for format in FORMATS {
        let exchange = in_front_of(format, script(json!({"tokens": 5})));
        let tools = json!([{"functionDeclarations": [{"name": "look", "parameters": {
            "type": "OBJECT", "properties": {"at": {"type": "STRING"}}, "required": ["at"]}}]}]);
        let any = json!({"functionCallingConfig": {"mode": "ANY"}});
        let over = json!({"tools": tools, "toolConfig": any});
        for path in [WHOLE, EVENTS] {
            let got = send(&exchange, path, over.clone());
            let told = if path == WHOLE {
                vec![answer(&got)]
            } else {
                events(&got)
            };
            let turns: Vec<Value> = told
                .iter()
                .map(|response| response["candidates"][0]["content"].clone())
                .collect();
            let parts = turns
                .iter()
                .flat_map(|turn| turn["parts"].as_array().unwrap());
            let calls: Vec<&Value> = parts.filter_map(|part| part.get("functionCall")).collect();
            let [call] = calls.as_slice() else {
                panic!("{format}: {told:?}");
            };
            assert_eq!(call["name"], "look");
            assert!(call["args"]["at"].is_string(), "{call}");
            // A turn is replayed as it came, a content for each response.
            let mut contents = vec![json!({"role": "user", "parts": [{"text": "Hello there"}]})];
            contents.extend(turns.clone());
            contents.push(json!({"role": "user", "parts": [{"functionResponse": {
                "id": call["id"], "name": "look", "response": {"error": "dark"}}}]}));
            let told = answer(&send(
                &exchange,
                WHOLE,
                json!({"tools": tools, "contents": contents}),
            ));
            assert_eq!(told["candidates"][0]["finishReason"], "STOP", "{format}");
        }
        exchange.close();
    }
}

/// Thoughts of another vendor go back to it, and to nobody else.
#[test]
fn what_was_thought_is_shown_on_request_and_goes_back_to_who_thought_it() {
    for shows in [true, false] {
        let exchange = in_front_of(
            "anthropic",
            script(json!({"tokens": 5, "reasoning_tokens": 4, "show_reasoning": "reasoning"})),
        );
        let config = json!({"maxOutputTokens": 1000, "thinkingConfig":
            {"thinkingBudget": 800, "includeThoughts": shows}});
        for path in [WHOLE, EVENTS] {
            let got = send(&exchange, path, json!({"generationConfig": config}));
            let told = if path == WHOLE {
                vec![answer(&got)]
            } else {
                events(&got)
            };
            let turns: Vec<Value> = told
                .iter()
                .map(|response| response["candidates"][0]["content"].clone())
                .collect();
            let parts = turns
                .iter()
                .flat_map(|turn| turn["parts"].as_array().unwrap());
            let thoughts: Vec<&Value> = parts
                .filter(|part| part["thought"] == json!(true))
                .collect();
            let shown = thoughts.iter().any(|part| part["text"] != "");
            assert_eq!(shown, shows, "{told:?}");
            let mut contents = vec![json!({"role": "user", "parts": [{"text": "Hello there"}]})];
            contents.extend(turns);
            contents.push(json!({"role": "user", "parts": [{"text": "Go on"}]}));
            let over = json!({"contents": contents, "generationConfig": config});
            answer(&send(&exchange, WHOLE, over));
            let sent: Value =
                serde_json::from_str(&exchange.upstream().pop().unwrap().body.unwrap()).unwrap();
            let block = &sent["messages"][1]["content"][0];
            assert_eq!(block["type"], "thinking", "{sent}");
            assert_ne!(block["thinking"], "", "{sent}");
            let signature = block["signature"].as_str().unwrap();
            assert!(
                !signature.is_empty() && !signature.contains("bourse"),
                "{sent}"
            );
        }
        exchange.close();
    }
}

#[test]
fn what_goes_to_google_is_what_the_client_said_without_what_is_the_gateways() {
    let exchange = in_front_of("gemini", Script::default());
    let over = json!({
        "contents": [{"role": "user", "parts": [{"text": "Hi", "tomorrow": 1}]}],
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "labels": {"team": "a"}, "provider": {"allow_fallbacks": false}, "sessionId": "s-1",
        "unknown_to_us": {"a": 1}, "safetySettings": [{"category": "X", "threshold": "OFF"}],
    });
    let bytes = body(over).to_string();
    let headers = "x-openrouter-metadata: enabled\r\n";
    let told = answer(&open(&exchange, WHOLE, headers, bytes.as_bytes()).receive());
    let losses = told["openrouter_metadata"]["translation_losses"].to_string();
    assert!(losses.contains("unknown_to_us"), "{losses}");
    let entry = exchange.upstream().pop().unwrap();
    assert!(
        entry.path.ends_with("/models/cheap-model:generateContent"),
        "{}",
        entry.path
    );
    assert!(
        entry
            .headers
            .iter()
            .all(|(_, value)| !value.contains(&*exchange.key))
    );
    let sent: Value = serde_json::from_str(&entry.body.unwrap()).unwrap();
    assert_eq!(sent["contents"][0]["parts"][0]["tomorrow"], 1);
    assert_eq!(sent["systemInstruction"]["parts"][0]["text"], "Be brief.");
    assert_eq!(sent["safetySettings"][0]["threshold"], "OFF");
    for ours in ["labels", "provider", "sessionId", "unknown_to_us", "model"] {
        assert!(sent.get(ours).is_none(), "{sent}");
    }
    let id = told["responseId"].as_str().unwrap();
    let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(record["data"]["session_id"], "s-1");
    exchange.close();
}

#[test]
fn every_refusal_has_googles_shape_and_the_members_path() {
    let exchange = in_front_of("gemini", Script::default());
    let plain = body(json!({})).to_string();
    for headers in ["", "x-goog-api-key: sk-bourse-v1-nonsense\r\n"] {
        let mut conn = exchange.connect();
        conn.request("POST", WHOLE, headers, plain.as_bytes());
        error(&conn.receive(), 401, "UNAUTHENTICATED");
    }
    // A key in the address is in the logs of everybody on the way.
    let mut conn = exchange.connect();
    let path = format!("{WHOLE}?key={}", exchange.key);
    conn.request("POST", &path, "", plain.as_bytes());
    let told = error(&conn.receive(), 401, "UNAUTHENTICATED");
    assert!(
        told.contains("x-goog-api-key") && !told.contains(&*exchange.key),
        "{told}"
    );
    let mut conn = exchange.connect();
    conn.request("GET", WHOLE, "", b"");
    error(&conn.receive(), 404, "NOT_FOUND");
    for bad in ["{", "[]", "", "{\"contents\":1,\"contents\":2}"] {
        let got = open(&exchange, EVENTS, "", bad.as_bytes()).receive();
        error(&got, 400, "INVALID_ARGUMENT");
    }
    for (over, path) in [
        (json!({"contents": []}), "contents: "),
        (
            json!({"generationConfig": {"maxOutputTokens": 0}}),
            "generationConfig.maxOutputTokens: ",
        ),
        (
            json!({"generationConfig": {"temperature": "warm"}}),
            "generationConfig.temperature: ",
        ),
        (
            json!({"generationConfig": {"responseModalities": ["VIDEO"]}}),
            "generationConfig.responseModalities: ",
        ),
        (json!({"tools": [{"googleSearch": {}}]}), "tools[0]: "),
        (
            json!({"cachedContent": "cachedContents/1"}),
            "cachedContent: ",
        ),
        (json!({"serviceTier": "scale"}), "service_tier: "),
        (json!({"plugins": [{"id": "web"}]}), "plugins: "),
        (json!({"model": "models/other"}), "model: "),
        (json!({"GenerationConfig": {}}), "GenerationConfig: "),
    ] {
        let told = error(
            &send(&exchange, WHOLE, over.clone()),
            400,
            "INVALID_ARGUMENT",
        );
        assert!(told.starts_with(path), "{over}: {told}");
    }
    let path = "/v1beta/models/gemini-none:generateContent";
    let told = error(&send(&exchange, path, json!({})), 400, "INVALID_ARGUMENT");
    assert!(told.contains("google/gemini-none"), "{told}");
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn a_translation_refuses_by_path_what_it_cannot_read_or_say() {
    let exchange = in_front_of("openai-chat", Script::default());
    let said = |part: Value| json!({"contents": [{"role": "user", "parts": [part]}]});
    for (over, path) in [
        (
            said(json!({"text": 7, "inlineData": {}})),
            "contents[0].parts[0]",
        ),
        (
            said(json!({"functionCall": {}})),
            "contents[0].parts[0].functionCall.name",
        ),
        (
            said(json!({"executableCode": {"code": "1"}})),
            "contents[0].parts[0]: ",
        ),
        (
            json!({"contents": [{"role": "robot", "parts": []}]}),
            "contents[0].role",
        ),
    ] {
        let told = error(
            &send(&exchange, WHOLE, over.clone()),
            400,
            "INVALID_ARGUMENT",
        );
        assert!(told.starts_with(path), "{over}: {told}");
    }
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn a_call_that_cannot_be_paid_is_refused_before_anybody_is_asked() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "0.00001";
        setup.provider(Provider::new("cheap", CHEAP, Script::default()).format("gemini"));
    });
    let over = json!({"generationConfig": {"maxOutputTokens": 900, "candidateCount": 2}});
    let told = error(&send(&exchange, WHOLE, over), 402, "FAILED_PRECONDITION");
    assert!(told.contains("can only afford"), "{told}");
    exchange.finish(0);
}

#[test]
fn a_providers_failure_is_told_in_googles_words_before_and_after_the_status() {
    for format in FORMATS {
        for (status, told, word) in [
            (429, 429, "RESOURCE_EXHAUSTED"),
            (500, 502, "UNAVAILABLE"),
            (400, 400, "INVALID_ARGUMENT"),
        ] {
            let exchange = in_front_of(format, script(json!({"error_status": status})));
            error(&send(&exchange, EVENTS, json!({})), told, word);
            exchange.finish(0);
        }
        let exchange = in_front_of(format, script(json!({"tokens": 20, "cut_after_tokens": 5})));
        let events = events(&send(&exchange, EVENTS, json!({})));
        let last = events.last().unwrap();
        assert_eq!(last["error"]["status"], "UNAVAILABLE", "{format}: {last}");
        // Google's SDKs look for it at the beginning.
        assert!(last.to_string().starts_with("{\"error\":"));
        assert!(
            events
                .iter()
                .all(|event| event["candidates"][0].get("finishReason").is_none())
        );
        assert!(!text_of(&events).is_empty());
        exchange.close();
    }
}

#[test]
fn a_stream_that_waits_is_kept_alive_by_blank_lines() {
    for format in FORMATS {
        let exchange = Exchange::start(|setup| {
            setup.deadlines("keep_alive_ms = 100");
            let slow = script(json!({"first_token_ms": 700}));
            setup.provider(Provider::new("cheap", CHEAP, slow).format(format));
        });
        let got = send(&exchange, EVENTS, json!({}));
        assert!(got.text().starts_with("\n\n"), "{}", got.text());
        let events = events(&got);
        assert_eq!(
            events.last().unwrap()["candidates"][0]["finishReason"],
            "STOP"
        );
        exchange.close();
    }
}

#[test]
fn tokens_are_counted_without_a_provider_and_without_a_charge() {
    let exchange = in_front_of("gemini", Script::default());
    let tokens = |body: Value| {
        let got = open(&exchange, COUNT, "", body.to_string().as_bytes()).receive();
        assert_eq!(got.status, 200, "{}", got.text());
        got.json()["totalTokens"].as_u64().unwrap()
    };
    let said = |text: &str| json!([{"parts": [{"text": text}]}]);
    let few = tokens(json!({"contents": said("Hello there")}));
    assert!((2..40).contains(&few), "{few}");
    let many = tokens(json!({"contents": said(&"word ".repeat(40_000))}));
    assert!((40_000..60_000).contains(&many), "{many}");
    let whole = tokens(
        json!({"generateContentRequest": {"model": "models/acme/chat",
        "contents": said("Hello there"),
        "systemInstruction": {"parts": [{"text": "word ".repeat(400)}]}}}),
    );
    assert!((400..700).contains(&whole), "{whole}");
    let picture = json!({"parts": [{"inlineData": {"mimeType": "image/png", "data": "QUJD".repeat(50_000)}}]});
    let picture = tokens(json!({"generateContentRequest": {"contents": [picture]}}));
    assert!((few..5_000).contains(&picture), "{picture}");
    for body in [
        json!({}),
        json!({"contents": [], "generateContentRequest": {}}),
        json!({"generateContentRequest": 7}),
    ] {
        let got = open(&exchange, COUNT, "", body.to_string().as_bytes()).receive();
        error(&got, 400, "INVALID_ARGUMENT");
    }
    assert_eq!(exchange.attempts().len(), 0);
    exchange.finish(0);
}

#[test]
fn an_answer_comes_of_whoever_is_left_in_whatever_format() {
    let exchange = Exchange::start(|setup| {
        let fails = script(json!({"error_status": 500}));
        setup.provider(Provider::new("first", CHEAP, fails).format("gemini"));
        setup.provider(Provider::new("second", CHEAP, Script::default()).format("anthropic"));
    });
    let order = json!({"provider": {"order": ["first", "second"]}});
    let told = answer(&send(&exchange, WHOLE, order));
    assert_eq!(told["provider"], "second");
    let entries = exchange.upstream();
    assert_eq!(entries.len(), 2);
    let paid = worth(&entries[1], CHEAP);
    assert_eq!(cost(&told["usageMetadata"]), paid);
    exchange.finish(paid);
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
        let body = body(json!({})).to_string();
        let mut conn = open(&exchange, EVENTS, "", body.as_bytes());
        let mut got = conn.head();
        while !got.text().contains("\"text\"") {
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

#[test]
fn texts_become_vectors_of_any_vendor_in_googles_words() {
    const EMBED: (&str, &str) = ("0.02", "0");
    for format in ["openai-chat", "gemini"] {
        let exchange = Exchange::start(|setup| {
            let model = "context_length = 16\noutput_modalities = [\"embeddings\"]";
            setup.models.insert("acme/embed", model);
            let provider = Provider::new("cheap", EMBED, Script::default()).format(format);
            setup.provider(provider.model("acme/embed"));
        });
        let text = |text: &str| json!({"parts": [{"text": text}]});
        let one = json!({"content": text("one two three"), "outputDimensionality": 8});
        let told = answer(&send_raw(
            &exchange,
            "/v1beta/models/acme/embed:embedContent",
            &one,
        ));
        assert_eq!(told["embedding"]["values"].as_array().unwrap().len(), 8);
        assert_eq!(told["usageMetadata"]["promptTokenCount"], 3);
        assert_eq!(cost(&told["usageMetadata"]), charge(3, 0, EMBED));
        let many = json!({"requests": [
            {"model": "models/acme/embed", "content": text("one"), "outputDimensionality": 8},
            {"model": "models/acme/embed", "content": text("two three"), "outputDimensionality": 8}]});
        let path = "/api/v1/models/acme/embed:batchEmbedContents";
        let told = answer(&send_raw(&exchange, path, &many));
        assert_eq!(told["embeddings"].as_array().unwrap().len(), 2, "{format}");
        let id = told["responseId"].as_str().unwrap();
        let record = exchange.get(&format!("/api/v1/generation?id={id}")).json();
        assert_eq!(record["data"]["api_type"], "embeddings");
        let got = send_raw(&exchange, path, &json!({"requests": [{"content": {}}]}));
        let told = error(&got, 400, "INVALID_ARGUMENT");
        assert!(told.starts_with("requests[0].content.parts"), "{told}");
        exchange.close();
    }
}

fn send_raw(exchange: &Exchange, path: &str, body: &Value) -> Got {
    open(exchange, path, "", body.to_string().as_bytes()).receive()
}

/// The third generation of Google's SDKs asks for `/v1/models`, where
/// OpenRouter's list is.
#[test]
fn googles_clients_are_told_of_models_in_googles_words_wherever_they_ask() {
    let exchange = in_front_of("gemini", Script::default());
    let get = |path: &str, header: &str| {
        let mut conn = exchange.connect();
        conn.request("GET", path, header, b"");
        conn.receive()
    };
    for path in [
        "/v1beta/models",
        "/api/v1beta/models",
        "/v1/models",
        "/api/v1/models",
    ] {
        let header = "x-goog-api-client: google-genai-sdk/3.6.1\r\n";
        let got = get(&format!("{path}?pageSize=1000"), header);
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        let models = got.json()["models"].as_array().unwrap().clone();
        let ours = models
            .iter()
            .find(|model| model["name"] == "models/acme/chat");
        let path = format!("{path}/acme/chat");
        assert_eq!(
            Some(&get(&path, "x-goog-api-key: any\r\n").json()),
            ours,
            "{path}"
        );
    }
    let list = get("/v1/models", "").json();
    assert!(list["data"].is_array() && list["models"].is_null());
    assert_eq!(get("/v1/models/acme/chat", "").status, 404);
    exchange.close();
}
