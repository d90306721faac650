//! New configuration in a running server.

use bourse_sim::Script;
use rustix::process::Signal;
use serde_json::json;

use crate::exchange::{CHEAP, Exchange, Provider, eventually, script, streamed};

/// The configuration with something appended, written like an editor does:
/// beside the file, then over it.
fn change(exchange: &Exchange, text: &str) {
    let new = exchange.config.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, &exchange.config).unwrap();
}

fn in_force(exchange: &Exchange) -> usize {
    exchange
        .server
        .log()
        .matches("new configuration in force")
        .count()
}

const ANOTHER: &str = "
[[models]]
slug = \"acme/new\"
context_length = 8192
max_output = 1000
[[models.endpoints]]
provider = \"cheap\"
upstream_model = \"new-model\"
price = { prompt = \"1\", completion = \"1\" }
";

#[test]
fn a_new_model_is_served_and_running_streams_go_on() {
    let exchange = Exchange::start(|setup| {
        let paced = script(json!({"tokens": 40, "token_ms": 20}));
        setup.provider(Provider::new("cheap", CHEAP, paced));
    });
    exchange.chat(json!({"model": "acme/new"})).error(400);
    let mut running = exchange.open(&streamed(json!({})));
    let mut got = running.head();
    running.chunk(&mut got).unwrap();
    let text = std::fs::read_to_string(&exchange.config).unwrap();
    change(&exchange, &format!("{text}{ANOTHER}"));
    exchange.sim.set_provider_script("cheap", Script::default());
    eventually("the new model", || {
        (exchange
            .chat(json!({"model": "acme/new", "max_tokens": 5}))
            .status
            == 200)
            .then_some(())
    });
    while running.chunk(&mut got).is_some() {}
    got.stream().complete();
    // And away again.
    change(&exchange, &text);
    eventually("the model to go", || {
        (exchange.chat(json!({"model": "acme/new"})).status == 400).then_some(())
    });
    exchange.close();
}

#[test]
fn a_new_price_holds_for_the_next_call() {
    let exchange = Exchange::single(Script::default());
    exchange.chat(json!({})).answer();
    let before = exchange.worth(CHEAP);
    let text = std::fs::read_to_string(&exchange.config).unwrap();
    let text = text.replace("prompt = \"0.10\"", "prompt = \"7\"");
    change(&exchange, &text);
    eventually("the new price", || (in_force(&exchange) > 0).then_some(()));
    exchange.chat(json!({})).answer();
    let after = exchange.worth(("7", "0.40"));
    exchange.finish(before + after);
}

#[test]
fn a_mistake_is_reported_with_its_line_and_the_last_good_configuration_stays() {
    let mut exchange = Exchange::single(Script::default());
    exchange.server.may_log_errors = true;
    let text = std::fs::read_to_string(&exchange.config).unwrap();
    let line = text.matches('\n').count() + 2;
    change(&exchange, &format!("{text}\n[colour]\nof = \"money\"\n"));
    let log = eventually("the mistake to be reported", || {
        let log = exchange.server.log();
        log.contains("not taken over").then_some(log)
    });
    assert!(log.contains(&format!("bourse.toml:{line}:")), "{log}");
    assert!(log.contains("colour"), "{log}");
    exchange.chat(json!({})).answer();
    let mut spent = exchange.worth(CHEAP);
    // A catalog that makes no sense is no better.
    let reports = |exchange: &Exchange| exchange.server.log().matches("not taken over").count();
    let seen = reports(&exchange);
    change(&exchange, &text.replace("\"0.10\"", "\"cheap\""));
    eventually("the price to be reported", || {
        (reports(&exchange) > seen).then_some(())
    });
    exchange.chat(json!({})).answer();
    spent += exchange.worth(CHEAP);
    // Mended, it is taken over.
    change(&exchange, &text);
    eventually("the mended file", || {
        (in_force(&exchange) > 0).then_some(())
    });
    exchange.finish(spent);
}

#[test]
fn a_hangup_signal_reads_the_configuration_again() {
    let exchange = Exchange::single(Script::default());
    for times in 1..=2 {
        exchange.server.signal(Signal::HUP);
        eventually("the configuration to be read", || {
            (in_force(&exchange) >= times).then_some(())
        });
    }
    exchange.chat(json!({})).answer();
    let paid = exchange.worth(CHEAP);
    exchange.finish(paid);
}

#[test]
fn an_endpoint_that_rests_still_rests_after_a_reload() {
    let limited = json!({"error_status": 429, "retry_after": {"seconds": 30}});
    let exchange = Exchange::single(script(limited));
    exchange.chat(json!({})).error(429);
    exchange.server.signal(Signal::HUP);
    eventually("the configuration to be read", || {
        (in_force(&exchange) > 0).then_some(())
    });
    exchange.chat(json!({})).error(429);
    assert_eq!(exchange.attempts(), ["cheap"]);
    exchange.finish(0);
}

#[test]
fn a_reload_says_in_words_what_it_changes_and_what_waits() {
    let exchange = Exchange::single(Script::default());
    let text = std::fs::read_to_string(&exchange.config).unwrap();
    let text = text.replace("prompt = \"0.10\"", "prompt = \"7\"");
    let text = text.replace("[server]\n", "[server]\ndrains_max = 7\n");
    change(
        &exchange,
        &format!("{text}{ANOTHER}[billing]\nmarkup_ppm = 60000\n"),
    );
    let log = eventually("the new configuration", || {
        (in_force(&exchange) > 0).then(|| exchange.server.log())
    });
    for said in ["markup 0 % -> 6 %", "+ model acme/new", "1 price of "] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(
        log.contains("after a restart") && log.contains("server.drains_max"),
        "{log}"
    );
    // What is in force is left for `bourse check`, without a key.
    let told = exchange.command(&["check"]);
    assert!(
        told.contains("server.drains_max not written -> 7, after a restart"),
        "{told}"
    );
    assert!(!told.contains("markup"), "{told}");
    exchange.finish(0);
}

#[test]
fn a_key_in_a_file_is_changed_without_a_restart() {
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, "sk-the-first-aaaa\n").unwrap();
    let exchange = Exchange::start(|setup| {
        let line = format!("api_key = {{ file = {key:?} }}\n");
        let mut provider = Provider::new("cheap", CHEAP, Script::default());
        provider.provider_toml = line;
        setup.provider(provider);
    });
    let sent = || {
        exchange.chat(json!({})).answer();
        let upstream = exchange.upstream();
        let headers = &upstream.last().unwrap().headers;
        let found = headers.iter().find(|(name, _)| name == "authorization");
        (found.unwrap().1.clone(), exchange.worth(CHEAP))
    };
    let (first, mut spent) = sent();
    let new = keys.path().join("new");
    std::fs::write(&new, "sk-the-second-bbbb\n").unwrap();
    std::fs::rename(&new, &key).unwrap();
    let log = eventually("the new key", || {
        (in_force(&exchange) > 0).then(|| exchange.server.log())
    });
    assert!(log.contains("a key of cheap changed"), "{log}");
    assert!(!log.contains("sk-the"), "{log}");
    let (second, cost) = sent();
    assert_ne!(second, first);
    spent += cost;
    exchange.finish(spent);
}
