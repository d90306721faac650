//! Secrets stay secret: in the log at its most talkative, in errors, in
//! records, whatever a provider says about them.

use serde_json::json;

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, script, streamed};

const CANARY: &str = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz";
const SECOND: &str = "sk-ant-canary-9876543210zyxwvutsrqponmlkjihgfe";

#[test]
fn neither_log_nor_error_nor_journal_contains_a_key() {
    let mut exchange = Exchange::start(|setup| {
        setup.env = vec![("BOURSE_LOG__LEVEL", "trace"), ("THE_SECOND_KEY", SECOND)];
        let mut first = Provider::new("cheap", CHEAP, script(json!({})));
        first.provider_toml = format!("api_key = \"{CANARY}\"\n");
        let mut second = Provider::new("dear", DEAR, script(json!({}))).format("anthropic");
        second.provider_toml = "api_key = { env = \"THE_SECOND_KEY\" }\n".to_owned();
        setup.provider(first).provider(second);
    });
    // Of providers that refuse our account.
    exchange.server.may_log_errors = true;
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

/// A key without a prefix that anybody knows, in every spelling in which
/// providers and the proxies before them quote it, in every member that is
/// passed on, refused and broken off.
#[test]
fn a_key_without_a_known_prefix_is_repeated_in_no_spelling() {
    const PLAIN: &str = "Q7ZtLm+x2/Vb_K4wRnE8-ydHs0";
    /// `user:` and the key, the key alone, in base64, and in an address.
    const SPELLINGS: [&str; 5] = [
        PLAIN,
        "dXNlcjpRN1p0TG0reDIvVmJfSzR3Um5FOC15ZEhzMA==",
        "UTdadExtK3gyL1ZiX0s0d1JuRTgteWRIczA=",
        "Q7ZtLm%2Bx2%2FVb_K4wRnE8-ydHs0",
        "Q7ZtLm%2bx2%2fVb_K4wRnE8-ydHs0",
    ];
    let exchange = Exchange::start(|setup| {
        setup.env = vec![("BOURSE_LOG__LEVEL", "debug")];
        let mut first = Provider::new("cheap", CHEAP, script(json!({})));
        first.provider_toml = format!("api_key = \"{PLAIN}\"\n");
        setup.provider(first);
    });
    let mut shown = Vec::new();
    for spelling in SPELLINGS {
        for (message, code) in [
            (
                format!("Wrong key {spelling}, see your account"),
                "bad".to_owned(),
            ),
            ("Wrong".to_owned(), format!("invalid_{spelling}")),
        ] {
            for fault in [
                json!({"error_status": 400}),
                json!({"error_status": 422}),
                json!({"error_status": 500}),
                json!({"error_after_tokens": 3, "token_ms": 1}),
            ] {
                let mut fields = fault;
                fields["error_message"] = json!(message);
                fields["error_code"] = json!(code);
                exchange.sim.set_provider_script("cheap", script(fields));
                shown.push(exchange.chat(json!({})).text());
                shown.push(exchange.open(&streamed(json!({}))).receive().text());
            }
        }
    }
    let log = exchange.server.log();
    assert!(log.contains("an attempt failed") && log.contains("a stream broke"));
    for secret in SPELLINGS.map(|spelling| spelling.trim_end_matches('=')) {
        for part in [secret, &secret[..14], &secret[secret.len() - 14..]] {
            assert!(!log.contains(part), "in the log: {part}");
            for text in &shown {
                assert!(!text.contains(part), "in a reply: {text}");
            }
        }
    }
    exchange.close();
}

#[test]
fn a_providers_sentence_makes_no_line_of_its_own_in_the_log() {
    let exchange = Exchange::single(script(json!({
        // Apart, or the error would be there before the first content is passed on.
        "error_after_tokens": 3, "token_ms": 60,
        "error_message": "gone\r\n2026-01-01T00:00:00Z WARN bourse: forged\u{1b}[31m\u{2028}too",
    })));
    exchange.open(&streamed(json!({}))).receive();
    let log = crate::exchange::eventually("the stream to be logged", || {
        let log = exchange.server.log();
        log.contains("a stream broke").then_some(log)
    });
    assert!(
        !log.lines().any(|line| line.starts_with("2026-01-01")),
        "{log}"
    );
    let forged = log.lines().find(|line| line.contains("forged")).unwrap();
    assert!(
        forged.contains("a stream broke") && forged.contains("too"),
        "{forged}"
    );
    assert!(
        !log.contains('\u{1b}') && !log.contains('\u{2028}'),
        "{log}"
    );
    exchange.close();
}
