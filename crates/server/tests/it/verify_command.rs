//! `bourse ledger verify` beside a running server.

use serde_json::{Value, json};

use crate::exchange::{Exchange, bourse, eventually, script, streamed, succeed};

#[test]
fn beside_a_server_its_books_in_memory_are_compared_too() {
    // It runs for as long as anybody reads.
    let exchange = Exchange::single(script(json!({"tokens": 20_000, "token_ms": 20})));
    let mut running = exchange.open(&streamed(json!({})));
    let mut got = running.head();
    running.chunk(&mut got).unwrap();

    let key = exchange.command(&["key", "create", "--management", "--quiet"]);
    let server = format!("http://{}", exchange.server.address);
    let verify = |key: &str| {
        let mut command = bourse();
        command.args([
            "ledger", "verify", "--json", "--server", &server, "--key", key,
        ]);
        command.arg("--config").arg(&exchange.config);
        command
    };
    let told: Value = serde_json::from_str(&succeed(&mut verify(key.trim()))).unwrap();
    assert_eq!(told["balanced"], true, "{told}");
    assert_eq!(told["books"]["agree"], true, "{told}");
    assert_eq!(told["books"]["running_calls"], 1, "{told}");
    assert!(told["books"]["compared"].as_u64().unwrap() > 20, "{told}");
    assert_eq!(told["only_files_because"], Value::Null);
    // Without a key the files are compared, and that is said.
    let told: Value =
        serde_json::from_str(&exchange.command(&["ledger", "verify", "--json"])).unwrap();
    assert_eq!(told["books"], Value::Null, "{told}");
    let why = told["only_files_because"].as_str().unwrap();
    assert!(why.contains("management key"), "{told}");
    let text = exchange.command(&["ledger", "verify"]);
    assert!(text.contains("Only the files were compared: "), "{text}");
    // An inference key may not ask.
    let refused = verify(&exchange.key).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("answered 403"), "{error}");

    drop(running);
    eventually("the provider to be left", || {
        (exchange.sim.counters().in_flight == 0).then_some(())
    });
    let paid = exchange.close();
    assert!(paid > 0);
}
