//! What an operator is told: by a webhook, in the log and in metrics.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{CHEAP, Exchange, Provider, bourse, eventually, script, succeed};
use crate::traces::receive;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Whoever is told, with a token in its address.
struct Hook {
    toml: String,
    told: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Hook {
    fn start(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told: Arc<Mutex<Vec<_>>> = Arc::default();
        let into = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                while let Some((head, body)) = receive(&mut stream) {
                    let body = serde_json::from_slice(&body).unwrap();
                    into.lock().unwrap().push((head, body));
                    let status = statuses.next().copied().unwrap_or("204 No Content");
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        let toml = format!(
            "[alarms]\nwebhook = \"http://{address}/t0ken-in-the-path\"\nsecret = \"{SECRET}\"\n"
        );
        Self { toml, told }
    }

    /// Waits until an alarm of a kind is in a state.
    fn tells(&self, kind: &str, state: &str) -> Value {
        eventually(&format!("{kind} to be {state}"), || {
            let told = self.told.lock().unwrap();
            let is_it =
                |body: &&Value| body["kind"] == kind && body["type"] == format!("alarm.{state}");
            told.iter().map(|(_, body)| body).find(is_it).cloned()
        })
    }
}

fn no_secret(text: &str) {
    for secret in [SECRET, "t0ken", "MDEyMzQ1"] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn metric(page: &str, series: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.expect(series).trim().parse().unwrap()
}

fn metrics(exchange: &Exchange) -> String {
    let management = exchange.command(&["key", "create", "--management", "--quiet"]);
    let headers = format!("authorization: Bearer {}\r\n", management.trim());
    let mut conn = exchange.connect();
    conn.request("GET", "/metrics", &headers, b"");
    conn.receive().text()
}

#[test]
fn a_model_without_a_target_is_told_to_the_webhook_until_it_is_served_again() {
    let hook = Hook::start(&["503 Service Unavailable"]);
    let exchange = Exchange::start(|setup| {
        setup.toml.clone_from(&hook.toml);
        let broken = script(json!({"error_status": 500}));
        setup.provider(Provider::new("cheap", CHEAP, broken));
    });
    for _ in 0..5 {
        exchange.chat(json!({})).error(502);
    }
    let raised = hook.tells("no_target_left", "raised");
    assert_eq!(raised["subject"], "acme/chat");
    assert_eq!(raised["severity"], "critical");
    assert!(raised["remedy"].as_str().unwrap().contains("bourse top"));
    let page = metrics(&exchange);
    let active = "bourse_alarms_active{kind=\"no_target_left\"}";
    assert_eq!(metric(&page, active), 1);
    assert_eq!(
        metric(&page, "bourse_alarms_total{kind=\"no_target_left\"}"),
        1
    );

    exchange.sim.set_provider_script("cheap", Script::default());
    exchange.chat(json!({})).answer();
    let over = hook.tells("no_target_left", "recovered");
    assert_eq!(over["since"], raised["since"]);
    assert_eq!(metric(&metrics(&exchange), active), 0);
    let heads: Vec<String> = {
        let told = hook.told.lock().unwrap();
        told.iter().map(|(head, _)| head.clone()).collect()
    };
    let id = |head: &str| head.split("webhook-id: ").nth(1).unwrap()[..38].to_owned();
    assert_eq!(id(&heads[0]), id(&heads[1]), "it was told again");
    assert!(heads[0].contains("webhook-signature: v1,"), "{}", heads[0]);
    let log = exchange.server.log();
    let told = log.matches("every target of acme/chat fails").count();
    assert_eq!(told, 1, "{log}");
    no_secret(&log);
    exchange.close();
}

#[test]
fn a_configuration_that_makes_no_sense_is_an_alarm_until_it_is_mended() {
    let hook = Hook::start(&[]);
    let mut exchange = Exchange::start(|setup| {
        setup.toml.clone_from(&hook.toml);
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    exchange.server.may_log_errors = true;
    let text = std::fs::read_to_string(&exchange.config).unwrap();
    let change = |text: &str| {
        let new = exchange.config.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &exchange.config).unwrap();
    };
    change(&format!("{text}\n[colour]\nof = \"money\"\n"));
    let raised = hook.tells("configuration_refused", "raised");
    let message = raised["message"].as_str().unwrap();
    assert!(message.contains("bourse.toml:"), "{message}");
    change(&text);
    hook.tells("configuration_refused", "recovered");
    exchange.close();
}

#[test]
fn a_test_says_whether_the_receiver_takes_alarms() {
    let hook = Hook::start(&["200 OK", "410 Gone", "500 Internal Server Error"]);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("bourse.toml");
    std::fs::write(&config, &hook.toml).unwrap();
    let test = || {
        let mut command = bourse();
        command.args(["alarms", "test", "--config"]).arg(&config);
        command
    };
    let said = succeed(&mut test());
    assert!(said.contains("(status 200)"), "{said}");
    no_secret(&said);
    assert_eq!(hook.tells("test", "raised")["count"], 1);
    for why in ["refused", "it answers with 500"] {
        let output = test().output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(why), "{said}");
        no_secret(&said);
    }
    std::fs::write(&config, "").unwrap();
    let output = test().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no alarms.webhook"), "{said}");
}

/// The values of a line of a call in the log, in JSON.
fn line_of(exchange: &Exchange, id: &str) -> Value {
    eventually("the call's line", || {
        let log = exchange.server.log();
        let lines = log.lines().filter_map(|line| {
            let event: Value = serde_json::from_str(line).expect(line);
            (event["target"] == "bourse::calls").then(|| event["fields"].clone())
        });
        lines.into_iter().find(|fields| fields["id"] == id)
    })
}

#[test]
fn every_call_has_a_line_in_json_with_what_one_looks_for() {
    let exchange = Exchange::start(|setup| {
        setup.toml = "[log]\nformat = \"json\"\ncalls = \"all\"\n".to_owned();
        let first_fails = script(json!({"error_status": 503, "fail_first": 1}));
        setup
            .provider(Provider::new("cheap", CHEAP, first_fails))
            .provider(Provider::new("dear", ("1.50", "6.00"), Script::default()));
    });
    let answer = exchange.chat(json!({})).answer();
    let line = line_of(&exchange, answer["id"].as_str().unwrap());
    assert_eq!(line["message"], "a call ended");
    assert_eq!(line["model"], "acme/chat");
    assert_eq!(line["endpoint"], "acme/chat@dear");
    assert_eq!(
        (&line["status"], &line["attempts"]),
        (&json!(200), &json!(2))
    );
    assert_eq!(line["prompt_tokens"], answer["usage"]["prompt_tokens"]);
    assert_eq!(
        line["completion_tokens"],
        answer["usage"]["completion_tokens"]
    );
    let cost: f64 = line["cost_usd"].as_str().unwrap().parse().unwrap();
    assert_eq!(Some(cost), answer["usage"]["cost"].as_f64());
    assert!(
        line["error"].is_null() && line["total_ms"].is_u64(),
        "{line}"
    );

    let refused = exchange.chat(json!({"model": "nobody/knows\n{\"it\":1}\u{1b}[2J"}));
    let id = refused.header("x-generation-id").unwrap().to_owned();
    let line = line_of(&exchange, &id);
    assert_eq!(line["message"], "a call was refused");
    assert_eq!(line["status"], refused.status);
    assert!(line["error"].is_string(), "{line}");
    assert!(
        line["model"].as_str().unwrap().contains("nobody/knows\n"),
        "{line}"
    );
    let log = exchange.server.log();
    assert!(
        !log.contains(&exchange.key) && !log.contains('\u{1b}'),
        "{log}"
    );
    exchange.close();
}

#[test]
fn failed_calls_have_a_line_in_text_and_an_endpoint_that_fails_is_told_once() {
    let exchange = Exchange::pair(script(json!({"error_status": 503, "fail_first": 3})));
    let named = exchange.command(&["key", "create", "--name", "lap top=\"1\"", "--quiet"]);
    for _ in 0..3 {
        exchange.chat(json!({})).answer();
    }
    exchange
        .sim
        .set_provider_script("cheap", script(json!({"error_status": 500})));
    exchange
        .sim
        .set_provider_script("dear", script(json!({"error_status": 500})));
    let failed = exchange.chat_as(named.trim(), json!({}));
    failed.error(502);
    let id = failed.header("x-generation-id").unwrap().to_owned();
    let log = eventually("the line of the call that failed", || {
        let log = exchange.server.log();
        log.contains(&format!("a call failed id={id}"))
            .then_some(log)
    });
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("bourse::calls"))
        .collect();
    assert_eq!(lines.len(), 1, "those that were answered have none: {log}");
    for part in [
        "key_name=\"lap top=\\\"1\\\"\"",
        "model=\"acme/chat\"",
        "status=502 error=\"provider_unavailable\"",
        "cost_usd=0 ",
    ] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    let fails = "attempts at acme/chat@cheap fail: 5xx, status 503";
    assert_eq!(log.matches(fails).count(), 1, "{log}");
    let warning = log.lines().find(|line| line.contains(fails)).unwrap();
    assert!(
        warning.contains("WARN") && warning.contains("endpoint_fails"),
        "{warning}"
    );
    exchange.close();
}

#[test]
fn no_call_has_a_line_where_none_is_wanted_and_what_is_too_much_is_counted() {
    let quiet = Exchange::start(|setup| {
        setup.toml = "[log]\ncalls = \"none\"\n".to_owned();
        let broken = script(json!({"error_status": 400}));
        setup.provider(Provider::new("cheap", CHEAP, broken));
    });
    quiet.chat(json!({})).error(400);
    let mut quiet = quiet;
    quiet.server.stop();
    assert!(!quiet.server.log().contains("bourse::calls"));

    let mut busy = Exchange::start(|setup| {
        setup.toml = "[log]\ncalls = \"all\"\ncalls_per_s_max = 1\n".to_owned();
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    for _ in 0..40 {
        busy.chat(json!({})).answer();
    }
    // What is left is written before it ends.
    busy.server.stop();
    let lines = eventually("each call to be told or counted", || {
        let log = busy.server.log();
        let lines = log.matches("bourse::calls: a call ended").count();
        let told = log.lines().filter(|line| line.contains("were left out"));
        let counts = told.filter_map(|line| line.split("lines=").nth(1));
        let left_out: usize = counts
            .map(|count| count.trim().parse::<usize>().unwrap())
            .sum();
        (lines + left_out == 40).then_some(lines)
    });
    assert!((1..40).contains(&lines), "{lines}");
}
