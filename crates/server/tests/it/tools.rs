//! Calls with tools: who calls them well is found out, and asked.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, DEAR, Exchange, Provider, ask, eventually, script};

/// Answers with tool calls that make a provider known.
const ENOUGH: usize = 200;

const PROVIDERS: [&str; 4] = ["careless", "one", "two", "three"];

/// One tool, whose arguments are an object with a city.
fn tools(over: Value) -> Value {
    let mut body = json!({"tools": [{"type": "function", "function": {
        "name": "look_up", "parameters": {"type": "object", "required": ["city"],
            "properties": {"city": {"type": "string"}}}}}]});
    body.as_object_mut()
        .unwrap()
        .extend(over.as_object().cloned().unwrap_or_default());
    body
}

/// An answer, which may be nothing but calls.
#[track_caller]
fn called(got: &Got) -> Value {
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

fn told(exchange: &Exchange, over: Value) -> Value {
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\nx-openrouter-metadata: enabled\r\n",
        exchange.key
    );
    let body = ask(over).to_string();
    conn.request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    called(&conn.receive())
}

fn metric(page: &str, endpoint: &str, verdict: &str) -> u64 {
    let line = format!("bourse_tool_calls_total{{endpoint=\"{endpoint}\",verdict=\"{verdict}\"}} ");
    let value = page.lines().find_map(|found| found.strip_prefix(&line));
    value.unwrap().parse().unwrap()
}

#[test]
fn a_provider_that_breaks_a_fifth_of_its_tool_calls_is_found_out_and_asked_last() {
    let exchange = Exchange::start(|setup| {
        for slug in PROVIDERS {
            let (price, share) = if slug == "careless" {
                (CHEAP, 0.2)
            } else {
                (DEAR, 0.0)
            };
            let script = script(json!({"tool_calls": 1, "bad_tool_calls": share, "seed": 7}));
            let provider = Provider::new(slug, price, script);
            setup.provider(provider.endpoint("supported_parameters = [\"tools\"]\n"));
        }
    });
    let any = || tools(json!({"provider": {}}));
    // Nothing is known: the cheapest is all but always the first.
    let reply = told(&exchange, any());
    let bourse = &reply["openrouter_metadata"]["bourse"];
    assert_eq!(bourse["order"], "exacto");
    assert_eq!(bourse["candidates"][0]["quality"], "insufficient_data");
    assert_eq!(bourse["candidates"][0]["endpoint"], "acme/chat@careless");

    for n in 0..ENOUGH {
        for slug in PROVIDERS {
            let one = tools(json!({"provider": {"only": [slug], "sort": "price"}}));
            if n % 2 == 0 {
                exchange.stream(one).complete();
            } else {
                called(&exchange.chat(one));
            }
        }
    }
    // Endpoints are compared once in ten seconds.
    let (reply, candidates) = eventually("the endpoints to be compared", || {
        let reply = told(&exchange, any());
        let bourse = &reply["openrouter_metadata"]["bourse"];
        let candidates = bourse["candidates"].as_array().unwrap().clone();
        let is_known = candidates.iter().any(|line| line["quality"] == "good");
        is_known.then_some((reply, candidates))
    });
    // On a machine that is busy any of them may be found to be slow besides.
    let careless = candidates
        .iter()
        .find(|line| line["endpoint"] == "acme/chat@careless")
        .unwrap();
    assert_eq!(careless["quality"], "deprioritised", "{reply}");
    let why = careless["quality_why"].as_array().unwrap();
    assert!(why.contains(&json!("tool_calls")), "{reply}");
    assert_ne!(candidates[0]["endpoint"], careless["endpoint"], "{reply}");
    let known = exchange.attempts().len();
    for _ in 0..20 {
        called(&exchange.chat(any()));
    }
    assert!(!exchange.attempts()[known..].contains(&"careless".to_owned()));
    // Whoever sorts, and whoever has no tools, is not concerned.
    let cheapest = tools(json!({"provider": {"sort": "price"}}));
    assert_eq!(called(&exchange.chat(cheapest))["provider"], "careless");
    let plain = told(&exchange, json!({"provider": {}}));
    assert_eq!(plain["openrouter_metadata"]["bourse"]["order"], "weighted");
    seen_elsewhere(&exchange, &reply);
    exchange.close();
}

/// The record of an answer, the list of endpoints, metrics, an explanation.
fn seen_elsewhere(exchange: &Exchange, reply: &Value) {
    let id = reply["id"].as_str().unwrap();
    let generation = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    let data = &generation["data"];
    assert_eq!(data["tool_calls"], 1);
    assert_eq!(data["bad_tool_calls"], 0);
    assert_eq!(data["tool_quality"], "good");
    let list = exchange.get("/api/v1/models/acme/chat/endpoints").json();
    for endpoint in list["data"]["endpoints"].as_array().unwrap() {
        let rate = endpoint["tool_call_error_rate"].as_f64().unwrap();
        let is_right = match endpoint["tag"].as_str() {
            Some("careless") => (0.1..0.3).contains(&rate),
            _ => rate < f64::MIN_POSITIVE,
        };
        assert!(is_right, "{endpoint}");
    }
    let key = exchange.command(&["key", "create", "--management", "--quiet"]);
    let page = eventually("the new key to be known", || {
        let mut conn = exchange.connect();
        let headers = format!("authorization: Bearer {}\r\n", key.trim());
        conn.request("GET", "/metrics", &headers, b"");
        let got = conn.receive();
        (got.status == 200).then(|| got.text())
    });
    let broken = metric(&page, "acme/chat@careless", "invalid_json");
    let good = metric(&page, "acme/chat@careless", "fits");
    assert!(broken > 20 && good > 100, "{broken} {good}");
    assert_eq!(metric(&page, "acme/chat@one", "invalid_json"), 0);
    assert_eq!(metric(&page, "acme/chat@one", "schema_mismatch"), 0);
    let body = exchange.dir.path().join("body.json");
    std::fs::write(
        &body,
        tools(json!({"messages": [{"role": "user", "content": "Hi"}]})).to_string(),
    )
    .unwrap();
    let explained = exchange.command(&[
        "route",
        "explain",
        "--model",
        "acme/chat",
        "--body",
        body.to_str().unwrap(),
    ]);
    assert!(
        explained.contains("insufficient"),
        "from the configuration: {explained}"
    );
}

/// What a caller sees of a call that is spoilt, in every format of a provider.
#[test]
fn spoilt_arguments_are_told_as_they_came() {
    let exchange = Exchange::single(Script {
        tool_calls: Some(1),
        bad_tool_calls: 1.0,
        ..Script::default()
    });
    let reply = called(&exchange.chat(tools(json!({}))));
    let call = &reply["choices"][0]["message"]["tool_calls"][0]["function"];
    let arguments = call["arguments"].as_str().unwrap();
    assert!(
        serde_json::from_str::<Value>(arguments).is_err(),
        "{arguments}"
    );
    let id = reply["id"].as_str().unwrap();
    let generation = exchange.get(&format!("/api/v1/generation?id={id}")).json();
    assert_eq!(generation["data"]["bad_tool_calls"], 1);
    assert_eq!(generation["data"]["tool_errors"], json!(["invalid_json"]));
    exchange.close();
}
