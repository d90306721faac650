//! Secrets stay secret: in the log at its most talkative, in errors, in
//! records, whatever a provider says about them.

use serde_json::json;

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, script, streamed};

const CANARY: &str = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz";
const SECOND: &str = "sk-ant-canary-9876543210zyxwvutsrqponmlkjihgfe";

#[test]
fn neither_log_nor_error_nor_journal_contains_a_key() {
    let exchange = Exchange::start(|setup| {
        setup.env = vec![("BOURSE_LOG__LEVEL", "trace"), ("THE_SECOND_KEY", SECOND)];
        let mut first = Provider::new("cheap", CHEAP, script(json!({})));
        first.provider_toml = format!("api_key = \"{CANARY}\"\n");
        let mut second = Provider::new("dear", DEAR, script(json!({}))).format("anthropic");
        second.provider_toml = "api_key = { env = \"THE_SECOND_KEY\" }\n".to_owned();
        setup.provider(first).provider(second);
    });
    let mut shown = Vec::new();
    let mut everything = |exchange: &Exchange| {
        for over in [
            json!({}),
            json!({"provider": {"only": ["dear"]}, "max_tokens": 20}),
        ] {
            shown.push(exchange.chat(over.clone()).text());
            shown.push(exchange.open(&streamed(over)).receive().text());
        }
    };
    everything(&exchange);
    // Providers that repeat the key they were sent.
    for status in [400, 401, 403, 404, 422, 429, 500, 503] {
        for (slug, key) in [("cheap", CANARY), ("dear", SECOND)] {
            exchange.sim.set_provider_script(
                slug,
                script(json!({
                    "error_status": status,
                    "error_message": format!("Incorrect API key provided: {key}, see your account"),
                    "retry_after": {"ms": 1},
                })),
            );
        }
        everything(&exchange);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for (slug, key) in [("cheap", CANARY), ("dear", SECOND)] {
        exchange.sim.set_provider_script(
            slug,
            script(json!({
                "error_after_tokens": 3, "token_ms": 2,
                "error_message": format!("Key {key} has been revoked"),
            })),
        );
    }
    everything(&exchange);
    // Bad keys of callers.
    let wrong = format!("{}x", exchange.key);
    shown.push(exchange.chat_as(&wrong, json!({})).text());
    shown.push(exchange.chat_as(CANARY, json!({})).text());
    assert!(shown.len() > 30);

    let log = exchange.server.log();
    let out = exchange.server.out.lock().unwrap().clone();
    assert!(log.contains("an attempt failed"), "the log is talkative");
    // The journal and the database keep hashes and labels only.
    let mut files = String::new();
    let mut folders = vec![exchange.dir.path().join("data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
    }
    for secret in [
        CANARY,
        SECOND,
        exchange.key.as_str(),
        "canary-0123456789abc",
    ] {
        assert!(!log.contains(secret), "in the log: {secret}");
        assert!(!out.contains(secret), "in the output: {secret}");
        assert!(!files.contains(secret), "on disk: {secret}");
        for text in &shown {
            assert!(!text.contains(secret), "in a reply: {text}");
        }
    }
    // The prompt is nobody's business either.
    assert!(!log.contains("Hello there"), "a prompt in the log");
    assert!(!files.contains("Hello there"), "a prompt on disk");
    exchange.close();
}
