//! What an operator sees when a provider fails, fault by fault: in the log,
//! in the answer, in the record of the call, and in metrics.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, Provider, bourse, eventually, script, streamed};

/// An object of which no member is there twice.
#[derive(Debug)]
struct Strict(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Strict;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    // Objects within are as strict.
                    let value = match value.get().starts_with('{') {
                        true => {
                            let inner: Strict =
                                serde_json::from_str(value.get()).map_err(Error::custom)?;
                            json!(inner.0)
                        }
                        false => serde_json::from_str(value.get()).map_err(Error::custom)?,
                    };
                    if members.insert(name.clone(), value).is_some() {
                        return Err(Error::custom(format!("{name} is there twice")));
                    }
                }
                Ok(Strict(members))
            }
        }
        from.deserialize_map(Members)
    }
}

#[test]
fn a_log_in_json_is_one_strict_object_a_line_without_statements_of_the_database() {
    let mut exchange = Exchange::start(|setup| {
        setup.toml = "[log]\nformat = \"json\"\nlevel = \"debug\"\ncalls = \"all\"\n".to_owned();
        let flaky = script(json!({"error_status": 503, "fail_first": 1, "error_rate": 0}));
        setup.provider(Provider::new("cheap", CHEAP, flaky));
    });
    exchange.chat(json!({})).answer();
    exchange
        .chat(json!({"user": "line\nbreak\u{1b}[31m"}))
        .answer();
    exchange.server.stop();
    let log = exchange.server.log();
    let mut calls = 0;
    for line in log.lines() {
        assert!(!line.contains('\u{1b}'), "{line}");
        let Strict(record) =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let target = record["target"].as_str().unwrap();
        assert!(!target.starts_with("sqlx"), "{line}");
        assert!(record["fields"]["message"].is_string(), "{line}");
        if target == "bourse::calls" {
            calls += 1;
            for number in ["status", "attempts", "total_ms", "prompt_tokens", "account"] {
                assert!(record["fields"][number].is_u64(), "{number}: {line}");
            }
        }
    }
    assert_eq!(calls, 2, "{log}");
}

/// A way to fail, and what it is called.
struct Fault {
    provider: &'static str,
    model: &'static str,
    script: Value,
    /// Another address than the simulator's.
    address: Option<&'static str>,
    stream: bool,
    reason: &'static str,
    /// Of the provider's answer, if there was one.
    status: Option<u16>,
}

const FAULT: Fault = Fault {
    provider: "",
    model: "",
    script: Value::Null,
    address: None,
    stream: false,
    reason: "",
    status: None,
};

fn faults() -> Vec<Fault> {
    let fault = |provider, model, script, reason, status| Fault {
        provider,
        model,
        script,
        reason,
        status,
        ..FAULT
    };
    let at = |provider, model, address, reason| Fault {
        provider,
        model,
        script: json!({}),
        address: Some(address),
        reason,
        ..FAULT
    };
    let streamed = |provider, model, script, reason| Fault {
        provider,
        model,
        script,
        stream: true,
        reason,
        status: Some(200),
        ..FAULT
    };
    let empty = json!({"error_status": 429, "error_code": "insufficient_quota"});
    let page = json!({"error_status": 502, "html_error": true});
    let stalls = json!({"stall_after_tokens": 4, "tokens": 40});
    let cut = json!({"cut_after_tokens": 4, "tokens": 40});
    vec![
        fault(
            "badkey",
            "f/badkey",
            json!({"error_status": 401}),
            "unauthorized",
            Some(401),
        ),
        fault("empty", "f/empty", empty, "unpaid", Some(429)),
        fault(
            "down",
            "f/down",
            json!({"error_status": 503}),
            "5xx",
            Some(503),
        ),
        fault("page", "f/page", page, "5xx", Some(502)),
        fault(
            "silent",
            "f/silent",
            json!({"never_answer": true}),
            "timeout",
            None,
        ),
        fault(
            "unknown",
            "f/unknown",
            json!({"error_status": 404}),
            "4xx",
            Some(404),
        ),
        // A port that nobody is given (RFC 6335: 1 is tcpmux).
        at("refused", "f/refused", "http://127.0.0.1:1/v1", "connect"),
        // A name that never has an address (RFC 6761).
        at("nameless", "f/nameless", "https://nobody.invalid/v1", "dns"),
        at("plain", "f/plain", "", "tls"),
        streamed("stalls", "f/stalls", stalls, "timeout"),
        streamed("cut", "f/cut", cut, "cut"),
    ]
}

/// The port of somebody who speaks no TLS, whatever is said to him.
fn plain_port() -> u16 {
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    port
}

/// A server with all of them, each behind a model of its own, and a model
/// whose first provider is refused.
fn start() -> Exchange {
    let port = plain_port();
    Exchange::start(|setup| {
        setup.deadlines("first_sign_ms = 800\nidle_ms = 800\nwhole_ms = 1500\nkeep_alive_ms = 300");
        for fault in faults() {
            let mut provider = Provider::new(fault.provider, CHEAP, script(fault.script));
            provider.model = fault.model;
            provider.base_url = fault.address.map(|address| match address {
                "" => format!("https://127.0.0.1:{port}/v1"),
                address => address.to_owned(),
            });
            setup.provider(provider);
        }
        let refused = script(json!({"error_status": 401}));
        setup.provider(Provider::new("first", CHEAP, refused));
        setup.provider(Provider::new(
            "second",
            DEAR,
            script(json!({"error_status": 503})),
        ));
    })
}

#[test]
fn every_fault_is_told_in_the_log_in_the_record_and_in_metrics_with_its_reason() {
    let mut exchange = start();
    let mut ids = Vec::new();
    for fault in faults() {
        let over = json!({"model": fault.model});
        let got = match fault.stream {
            true => exchange.open(&streamed(over)).receive(),
            false => exchange.chat(over),
        };
        let id = got
            .header("x-generation-id")
            .expect(fault.provider)
            .to_owned();
        let text = got.text();
        assert!(!text.contains("upstream-key"), "{text}");
        ids.push(id);
    }
    for (fault, id) in faults().iter().zip(&ids) {
        let told = exchange.get(&format!("/api/v1/generation?id={id}"));
        let told: Value = serde_json::from_str(&told.text()).unwrap();
        let attempts = told["data"]["provider_responses"]
            .as_array()
            .unwrap()
            .clone();
        let first = attempts.first().expect(fault.provider);
        assert_eq!(first["reason"], fault.reason, "{}: {told}", fault.provider);
        assert_eq!(
            first["status"].as_u64(),
            fault.status.map(u64::from),
            "{told}"
        );
        assert!(first["latency"].is_u64(), "{told}");
        if matches!(fault.reason, "unauthorized" | "unpaid") {
            assert_eq!(attempts.len(), 1, "asking again changes nothing: {told}");
        }
    }
    let page = {
        let management = exchange.command(&["key", "create", "--management", "--quiet"]);
        let headers = format!("authorization: Bearer {}\r\n", management.trim());
        let mut conn = exchange.connect();
        conn.request("GET", "/metrics", &headers, b"");
        conn.receive().text()
    };
    for fault in faults() {
        let (provider, reason) = (fault.provider, fault.reason);
        let line = eventually("its line in the log", || {
            let log = exchange.server.log();
            let said = format!("attempts at {}@{provider} fail: {reason}", fault.model);
            let refused = format!("providers.{provider}.");
            let is_it = |line: &&str| line.contains(&said) || line.contains(&refused);
            log.lines().find(is_it).map(str::to_owned)
        });
        assert!(line.contains("WARN") || line.contains("ERROR"), "{line}");
        let has = |line: &str| {
            line.starts_with("bourse_attempt_failures_total{")
                && line.contains(&format!("provider=\"{provider}\""))
                && line.contains(&format!("reason=\"{reason}\""))
        };
        assert!(page.lines().any(has), "{provider} {reason}: {page}");
    }
    let log = exchange.server.log();
    assert!(!log.contains("upstream-key"), "{log}");
    let of = |word: &str| {
        let mut lines = log.lines().filter(|line| line.contains("ERROR"));
        lines
            .find(|line| line.contains(word))
            .unwrap_or_else(|| panic!("{word}: {log}"))
            .to_owned()
    };
    assert!(of("providers.badkey.api_key is refused").contains("remedy"));
    assert!(of("providers.empty.api_key is for an account").contains("put money"));
    exchange.server.may_log_errors = true;
    exchange.close();
}

#[test]
fn who_was_tried_before_is_told_with_the_reason_and_without_the_vendors_words() {
    let mut exchange = start();
    let error = exchange.chat(json!({})).error(503);
    let previous = &error["metadata"]["previous_errors"];
    assert_eq!(previous[0]["provider"], "first", "{error}");
    assert_eq!(previous[0]["reason"], "unauthorized", "{error}");
    assert_eq!(previous[0]["status"], 401, "{error}");
    let firsts = exchange.attempts();
    assert_eq!(firsts.iter().filter(|who| *who == "first").count(), 1);
    exchange.server.may_log_errors = true;
    exchange.finish(0);
}

#[test]
fn an_endpoint_that_fails_all_the_time_has_few_lines() {
    let exchange = Exchange::start(|setup| {
        setup.toml = "[log]\ncalls = \"none\"\n".to_owned();
        setup.provider(Provider::new(
            "cheap",
            CHEAP,
            script(json!({"error_status": 503})),
        ));
    });
    for _ in 0..300 {
        exchange.chat(json!({})).error(503);
    }
    let log = eventually("the first line", || {
        let log = exchange.server.log();
        log.contains("fail: 5xx, status 503").then_some(log)
    });
    assert!(log.lines().count() <= 100, "{log}");
    assert_eq!(log.matches("fail: 5xx, status 503").count(), 1, "{log}");
    exchange.finish(0);
}

/// What `bourse doctor --online --json` says of each provider.
fn examined(exchange: &Exchange) -> BTreeMap<String, Value> {
    let done = bourse()
        .args(["doctor", "--online", "--json", "--config"])
        .arg(&exchange.config)
        .envs(exchange.env.iter().copied())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1), "something needs attention");
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(!text.contains("upstream-key"), "{text}");
    let found: Vec<Value> = serde_json::from_str(&text).unwrap();
    let name = |one: &Value| one["check"].as_str().unwrap().to_owned();
    found.into_iter().map(|one| (name(&one), one)).collect()
}

#[test]
fn the_doctor_says_of_each_provider_whether_it_serves_and_what_helps_if_not() {
    // Lists its models for one key alone.
    let strict = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = strict.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in strict.incoming().flatten() {
            let mut head = String::new();
            let mut lines = BufReader::new(&stream);
            while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap() > 0 {}
            assert!(head.starts_with("GET /v1/models HTTP/1.1"), "{head}");
            let (status, body) = match head.contains("Bearer upstream-key") {
                true => ("200 OK", r#"{"data":[]}"#),
                false => ("401 Unauthorized", r#"{"error":{"message":"bad key"}}"#),
            };
            let length = body.len();
            let _ = stream.write_all(
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .as_bytes(),
            );
        }
    });
    let exchange = Exchange::start(|setup| {
        let at = |slug, url: String| {
            let mut provider = Provider::new(slug, CHEAP, script(json!({})));
            provider.base_url = Some(url);
            provider
        };
        let there = format!("http://127.0.0.1:{port}/v1");
        setup.provider(at("good", there.clone()));
        let mut badkey = at("badkey", there);
        badkey.provider_toml = "api_key = { env = \"THEIR_KEY\" }\n".to_owned();
        setup.env.push(("THEIR_KEY", "wrong-key"));
        setup.provider(badkey);
        setup.provider(at("refused", "http://127.0.0.1:1/v1".to_owned()));
        setup.provider(at("nameless", "https://nobody.invalid/v1".to_owned()));
        setup.provider(at(
            "plain",
            format!("https://127.0.0.1:{}/v1", plain_port()),
        ));
    });
    let done = examined(&exchange);
    assert_eq!(done["good"]["ok"], true, "{done:?}");
    assert!(done["good"]["remedy"].is_null(), "{done:?}");
    for (who, detail, remedy) in [
        ("badkey", "(unauthorized, status 401, ", "THEIR_KEY"),
        ("refused", "(connect, ", "http://127.0.0.1:1/v1"),
        ("nameless", "(dns, ", "resolves names"),
        ("plain", "(tls, ", "speaks TLS"),
    ] {
        let one = &done[who];
        assert_eq!(one["ok"], false, "{one}");
        assert!(one["detail"].as_str().unwrap().contains(detail), "{one}");
        assert!(one["remedy"].as_str().unwrap().contains(remedy), "{one}");
    }
    assert!(done["open files"]["ok"].is_boolean());
    assert!(
        done["free space"]["detail"]
            .as_str()
            .unwrap()
            .contains("MiB")
    );
    exchange.close();
}
