//! What somebody meets who has no key of any provider yet.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::client::{Conn, Got};
use crate::exchange::{Server, bourse, succeed};

/// Callers at once. An answer takes some time, as a model's does.
const CALLERS: usize = 48;

struct FirstTry {
    server: Server,
    key: String,
    _dir: tempfile::TempDir,
}

impl FirstTry {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("bourse.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nworkers = 2\ndata_dir = {:?}\nsimulate = true\n",
            dir.path().join("data")
        );
        std::fs::write(&config, text).unwrap();
        let run = |args: &[&str]| succeed(bourse().args(args).arg("--config").arg(&config));
        run(&["init"]);
        let key = run(&["key", "create", "--quiet"]).trim().to_owned();
        run(&["credit", "grant", "--usd", "100000"]);
        let server = Server::start(&config, &[]);
        Self {
            server,
            key,
            _dir: dir,
        }
    }

    fn post(&self, path: &str, body: &Value) -> Got {
        let mut conn = Conn::open(self.server.address);
        conn.request(
            "POST",
            path,
            &format!("authorization: Bearer {}\r\n", self.key),
            body.to_string().as_bytes(),
        );
        conn.receive()
    }

    /// The same question where a refusal says that the model is served.
    fn elsewhere(&self, id: &str, refused: &Got) -> Option<Got> {
        let message = refused.json()["error"]["message"].as_str()?.to_owned();
        let (_, path) = message.split_once("so send it to /api/v1/")?;
        let path = path.trim_end_matches('.');
        let out = match path {
            "embeddings" => "embeddings",
            "images/generations" => "images",
            // Which is no request: its own tests have a conversation.
            "realtime" => {
                return Some(Got {
                    status: 200,
                    ..Got::default()
                });
            }
            other => panic!("{id}: {other}"),
        };
        let (path, body) = question(id, out);
        Some(self.post(path, &body))
    }

    fn models(&self, query: &str) -> Vec<Value> {
        let mut conn = Conn::open(self.server.address);
        conn.request("GET", &format!("/api/v1/models?{query}"), "", b"");
        let listed = conn.receive().json();
        listed["data"].as_array().unwrap().clone()
    }
}

/// What a model is asked that is known by what comes out of it.
fn question(id: &str, out: &str) -> (&'static str, Value) {
    match out {
        "embeddings" => ("/api/v1/embeddings", json!({"model": id, "input": "hi"})),
        "rerank" => (
            "/api/v1/rerank",
            json!({"model": id, "query": "q", "documents": ["a", "b"]}),
        ),
        "images" => (
            "/api/v1/images/generations",
            json!({"model": id, "prompt": "a cat"}),
        ),
        _ => (
            "/api/v1/chat/completions",
            json!({"model": id, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}),
        ),
    }
}

/// Whatever the list of models has can be called, whoever sells it: nobody who
/// tries should meet a refusal first.
#[test]
fn every_model_of_the_usual_list_answers_without_a_key_of_any_provider() {
    let tried = FirstTry::start();
    let models = tried.models("");
    assert!(models.len() > 400, "{}", models.len());
    let refused = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for chunk in models.chunks(models.len().div_ceil(CALLERS)) {
            let (tried, refused) = (&tried, &refused);
            scope.spawn(move || {
                for model in chunk {
                    let id = model["id"].as_str().unwrap();
                    let out = &model["architecture"]["output_modalities"];
                    let (path, mut body) = question(id, out[0].as_str().unwrap_or("text"));
                    let mut got = tried.post(path, &body);
                    if got.status == 400 {
                        got = tried.elsewhere(id, &got).unwrap_or(got);
                    }
                    let has_pictures = out.as_array().unwrap().contains(&json!("image"));
                    if got.status == 404 && has_pictures {
                        // OpenRouter's way to ask for a picture in a chat.
                        body["modalities"] = json!(["image"]);
                        got = tried.post(path, &body);
                    }
                    if got.status != 200 {
                        let said = format!("{} {}", got.status, got.text());
                        refused.lock().unwrap().insert(id.to_owned(), said);
                    }
                }
            });
        }
    });
    let refused = refused.into_inner().unwrap();
    assert!(refused.is_empty(), "{}: {refused:#?}", refused.len());
}

#[test]
fn a_simulated_answer_says_so_whoever_plays_it() {
    let tried = FirstTry::start();
    for model in [
        "openai/gpt-4o-mini",
        "anthropic/claude-haiku-4.5",
        "google/gemini-2.5-flash",
        "meta-llama/llama-3.3-70b-instruct",
    ] {
        let (path, body) = question(model, "text");
        let got = tried.post(path, &body);
        assert_eq!(got.header("x-bourse-simulated"), Some("true"), "{model}");
        let text = got.answer()["choices"][0]["message"]["content"].clone();
        let text = text.as_str().unwrap();
        assert!(
            text.starts_with("Simulated answer of Bourse"),
            "{model}: {text}"
        );
    }
    let (path, body) = question("openai/gpt-4o-mni", "text");
    let message = tried.post(path, &body).error(400)["message"].clone();
    assert_eq!(
        message,
        "openai/gpt-4o-mni is not a valid model ID; did you mean openai/gpt-4o-mini?"
    );
}
