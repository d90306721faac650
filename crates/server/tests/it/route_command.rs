//! `bourse route explain`, alone and beside a running server.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, Setup, bourse, script, succeed};

/// A configuration of two providers that nobody serves.
fn configured(dir: &std::path::Path) -> String {
    let mut setup = Setup::default();
    for (slug, price) in [("cheap", CHEAP), ("dear", DEAR)] {
        let mut provider = Provider::new(slug, price, Script::default());
        provider.base_url = Some("http://127.0.0.1:9/v1".to_owned());
        setup.provider(provider);
    }
    let path = dir.join("bourse.toml");
    std::fs::write(&path, setup.config(&dir.join("data"), None)).unwrap();
    path.display().to_string()
}

/// Each candidate's provider with its place, or why it has none.
fn candidates(told: &Value) -> Vec<(String, String)> {
    let lines = told["candidates"].as_array().unwrap().iter();
    lines
        .map(|line| {
            let place = line["place"].as_u64().map(|place| place.to_string());
            let why = || line["left_out"].as_str().unwrap().to_owned();
            let provider = line["provider"].as_str().unwrap().to_owned();
            (provider, place.unwrap_or_else(why))
        })
        .collect()
}

fn pairs(expected: [(&str, &str); 2]) -> Vec<(String, String)> {
    expected.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
}

#[test]
fn without_a_server_a_route_is_explained_from_the_configuration_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path());
    let explain = |more: &[&str]| {
        let args = [&["route", "explain", "--config", &config], more].concat();
        succeed(bourse().args(args))
    };
    let by_price = r#"{"sort":"price"}"#;
    let options = ["--model", "acme/chat", "--provider", by_price];
    let told: Value =
        serde_json::from_str(&explain(&[&options[..], &["--json"]].concat())).unwrap();
    assert_eq!(told["health_known"], false, "{told}");
    assert_eq!(told["order"], "price");
    assert_eq!(told["requested"], json!(["acme/chat"]));
    assert_eq!(candidates(&told), pairs([("cheap", "1"), ("dear", "2")]));

    let table = explain(&options);
    assert!(table.starts_with("From the configuration alone"), "{table}");
    let place = |text: &str| table.find(text).unwrap();
    assert!(
        place("acme/chat@cheap") < place("acme/chat@dear"),
        "{table}"
    );

    // A body says the rest; what is left out has its reason, and the refusal
    // is told that a call would get.
    let body = dir.path().join("request.json");
    let asked = json!({
        "model": "acme/chat",
        "messages": [{"role": "user", "content": "Hi"}],
        "provider": {"only": ["nobody"]},
    });
    std::fs::write(&body, asked.to_string()).unwrap();
    let told = explain(&["--body", &body.display().to_string()]);
    assert!(told.contains("allowed_providers"), "{told}");
    assert!(
        told.contains("A call would get 404: No allowed providers"),
        "{told}"
    );
}

#[test]
fn what_cannot_be_explained_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path());
    for (args, said) in [
        (
            &["--model", "acme/chat", "--provider", "{"][..],
            "--provider: must be a JSON object",
        ),
        (
            &["--model", "acme/chat", "--server", "http://127.0.0.1:9"],
            "BOURSE_MANAGEMENT_KEY",
        ),
        (
            &[
                "--model",
                "acme/chat",
                "--server",
                "http://127.0.0.1:9",
                "--key",
                "sk",
            ],
            "no server answers there",
        ),
        (&["--body", "/no/such/file"], "/no/such/file"),
        (
            &["--model", "acme/chat", "--provider", r#"{"sort":"luck"}"#],
            "sort",
        ),
    ] {
        let all = [&["route", "explain", "--config", &config], args].concat();
        let output = bourse().args(all).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(said), "{args:?}: {error}");
    }
}

#[test]
fn beside_a_server_a_route_is_explained_with_the_health_that_it_knows() {
    let limited = json!({"error_status": 429, "retry_after": {"seconds": 60}});
    let exchange = Exchange::pair(script(limited));
    exchange.chat(json!({})).answer();
    let asked = exchange.attempts();
    assert_eq!(asked, ["cheap", "dear"]);

    let key = exchange.command(&["key", "create", "--management", "--quiet"]);
    let server = format!("http://{}", exchange.server.address);
    let explain = |key: &str| {
        let args = ["route", "explain", "--model", "acme/chat", "--json"];
        let mut command = bourse();
        command.args(args).args(["--server", &server, "--key", key]);
        command.arg("--config").arg(&exchange.config);
        command
    };
    let told: Value = serde_json::from_str(&succeed(&mut explain(key.trim()))).unwrap();
    assert_eq!(told["health_known"], true, "{told}");
    assert!(told["from"].as_str().unwrap().contains(&server), "{told}");
    assert_eq!(
        candidates(&told),
        pairs([("dear", "1"), ("cheap", "resting")])
    );
    let rest = told["candidates"][1]["rest_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&rest), "{told}");
    // Nobody was asked, and an inference key may not ask.
    assert_eq!(exchange.attempts(), asked);
    let refused = explain(&exchange.key).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("answered 403"), "{error}");
    let paid = exchange.worth(DEAR);
    exchange.finish(paid);
}
