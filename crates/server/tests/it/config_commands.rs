//! `bourse check` and `bourse config`: what is wrong, what is in force, what
//! could be written.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::exchange::{bourse, succeed};

fn written(dir: &Path, text: &str) -> std::path::PathBuf {
    let path = dir.join("bourse.toml");
    let data = format!("server.data_dir = {:?}\n", dir.join("data"));
    std::fs::write(&path, format!("{data}{text}")).unwrap();
    path
}

fn run(path: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = bourse().args(args).arg("--config").arg(path).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn check_tells_all_mistakes_with_their_lines_and_keeps_warnings_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(
        dir.path(),
        "[log]\nlevel = \"inof\"\n[billing]\nmarkup = 5\n[[models]]\nslug = \"a/b\"\n\
         [[models.endpoints]]\nprovider = \"opnai\"\n[[models]]\nslug = \"a/b\"\n",
    );
    let (status, _, told) = run(&path, &["check"]);
    assert_eq!(status, Some(1));
    for said in [
        "bourse.toml:3:9\n",
        "3 | level = \"inof\"\n",
        "  |         ^^^^^^\n",
        "billing.markup: unknown key",
        "models[0] (a/b).endpoints[0].provider: there is no provider",
        "help: did you mean \"openai\"?",
        "warning: models[1] (a/b).slug",
        "the configuration has 3 mistakes",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(
        !told.contains('\u{1b}'),
        "no colours without a terminal: {told}"
    );
    let (status, out, told) = run(&path, &["check", "--json"]);
    assert_eq!((status, told.as_str()), (Some(1), ""));
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(out["ok"], false);
    assert_eq!(out["errors"].as_array().unwrap().len(), 3, "{out}");
    assert_eq!(out["errors"][0]["line"], 3, "{out}");
    assert_eq!(out["errors"][0]["column"], 9, "{out}");
    assert_eq!(out["warnings"].as_array().unwrap().len(), 1, "{out}");
    // A doubt alone is no reason to stop.
    let path = written(
        dir.path(),
        "[[models]]\nslug = \"openai/gpt-4o-mini\"\n[[models]]\nslug = \"openai/gpt-4o-mini\"\n",
    );
    let (status, _, told) = run(&path, &["check"]);
    assert_eq!(status, Some(0), "{told}");
    assert!(
        told.contains("warning: models[1] (openai/gpt-4o-mini).slug"),
        "{told}"
    );
}

#[test]
fn what_is_shown_is_in_force_has_its_source_and_can_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(
        dir.path(),
        "[providers.openai]\napi_key = \"sk-verysecret\"\n[[models]]\nslug = \"a/b\"\n\
         endpoints = [{ provider = \"openai\", upstream_model = \"x\", price = { prompt = \"1\", completion = \"1\" } }]\n",
    );
    let mut command = bourse();
    command.env("BOURSE_SERVER__WORKERS", "2");
    let shown = succeed(command.args(["config", "show", "--config"]).arg(&path));
    for said in [
        "workers = 2  # variable BOURSE_SERVER__WORKERS\n",
        "api_key = \"***\"  # ",
        "bourse.toml:3\n",
        "# drains_max = 1024  # default\n",
        "[[models]]\n",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(!shown.contains("verysecret"), "{shown}");
    let again = dir.path().join("again.toml");
    std::fs::write(&again, &shown).unwrap();
    let (status, _, told) = run(&again, &["check"]);
    assert_eq!(status, Some(0), "{told}\n{shown}");
    let (status, json, _) = run(&path, &["config", "show", "--json"]);
    assert_eq!(status, Some(0));
    assert!(serde_json::from_str::<Value>(&json).unwrap().is_array());
    assert!(!json.contains("verysecret"), "{json}");
    let schema = succeed(bourse().args(["config", "schema"]));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["server"].is_object(), "{schema}");
}
