//! `bourse status` beside a running server.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{DEAR, Exchange, bourse, script, succeed};

#[test]
fn what_serves_is_told_to_people_and_to_programs() {
    let refusing = json!({"error_status": 401});
    let mut exchange = Exchange::pair(script(refusing));
    exchange.server.may_log_errors = true;
    exchange.chat(json!({})).answer();
    let key = exchange.command(&["key", "create", "--management", "--quiet"]);
    let url = format!("http://{}", exchange.server.address);
    let status = |more: &[&str]| {
        let mut command = bourse();
        command.args(["status", "--server", &url, "--key", key.trim()]);
        command.args(more).arg("--config").arg(&exchange.config);
        succeed(&mut command)
    };

    let told: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!(
        (&told["serves"], &told["server"]),
        (&json!(true), &json!(url))
    );
    assert!(told["started_ms"].as_u64() <= told["at_ms"].as_u64());
    assert_eq!(told["calls"]["admitted"], 1, "{told}");
    assert_eq!(told["alarms"][0]["kind"], "credential_refused", "{told}");
    let providers = &told["providers"];
    assert_eq!(providers["cheap"]["well"], 0, "{told}");
    assert_eq!(providers["dear"]["succeeded"], 1, "{told}");
    assert!(told["money"]["charge"].as_f64() > Some(0.0), "{told}");

    let text = status(&[]);
    for part in [
        &*format!("at {url}"),
        "serves    yes",
        "1 since the start, 0 failed",
        "credential_refused cheap",
        "down",
        "well",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    let paid = exchange.worth(DEAR);
    exchange.finish(paid);
}

#[test]
fn who_is_not_there_or_may_not_be_asked_is_a_failure_with_its_reason() {
    let exchange = Exchange::single(Script::default());
    let refused = |server: &str, key: Option<&str>| {
        let mut command = bourse();
        command.args(["status", "--server", server]);
        command.arg("--config").arg(&exchange.config);
        command.args(key.iter().flat_map(|key| ["--key", *key]));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let url = format!("http://{}", exchange.server.address);
    assert!(refused(&url, Some(&exchange.key)).contains("answered 403"));
    assert!(refused(&url, None).contains("BOURSE_MANAGEMENT_KEY"));
    let nobody = refused("http://127.0.0.1:9", Some("sk"));
    assert!(nobody.contains("no server answers there"), "{nobody}");
    exchange.finish(0);
}
