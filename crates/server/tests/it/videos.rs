//! Films over HTTP: jobs that outlive restarts and kills, exact money, and
//! callbacks whose signatures hold.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_sim::videos::FILM;
use bourse_sim::{Outcome, Script};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{Exchange, Provider, Server, Setup, eventually, script};
use crate::money_math::cost;

const FILMS: &str = "acme/film";
const MODEL: &str = "context_length = 32000\noutput_modalities = [\"video\"]";
const PRICE: &str = "price = { prompt = \"0\", completion = \"0\", video_second = \"0.10\", video_second_1080p = \"0.50\" }\n";
/// A second of the usual size.
const SECOND: i128 = 100_000_000;

fn film(fields: Value) -> Script {
    script(json!({"film": fields}))
}

fn makes(setup: &mut Setup, slug: &'static str, format: &'static str, how: Script) {
    setup.models.insert(FILMS, MODEL);
    if !setup.toml.contains("[videos]") {
        setup.toml.push_str("[videos]\nask_every_ms = 20\n");
    }
    let mut provider = Provider::new(slug, ("0", "0"), how)
        .model(FILMS)
        .format(format);
    provider.price = None;
    setup.provider(provider.endpoint(PRICE));
}

fn single(how: Script) -> Exchange {
    Exchange::start(|setup| makes(setup, "studio", "openai-chat", how))
}

fn post_as(exchange: &Exchange, key: &str, over: &Value) -> Got {
    let mut body = json!({"model": FILMS, "prompt": "a cat", "duration": 4});
    body.as_object_mut()
        .unwrap()
        .extend(over.as_object().unwrap().clone());
    let mut conn = exchange.connect();
    let headers = format!("authorization: Bearer {key}\r\n");
    conn.request(
        "POST",
        "/api/v1/videos",
        &headers,
        body.to_string().as_bytes(),
    );
    conn.receive()
}

fn post(exchange: &Exchange, over: &Value) -> Got {
    post_as(exchange, &exchange.key, over)
}

/// Begins a job; its id.
#[track_caller]
fn begin(exchange: &Exchange, over: &Value) -> String {
    let got = post(exchange, over);
    assert_eq!(got.status, 202, "{}", got.text());
    let job = got.json();
    assert_eq!(job["status"], "pending");
    let id = job["id"].as_str().unwrap().to_owned();
    assert_eq!(job["polling_url"], format!("/api/v1/videos/{id}"));
    assert_eq!(job["generation_id"], id);
    id
}

fn shown(exchange: &Exchange, id: &str) -> Value {
    let got = exchange.get(&format!("/api/v1/videos/{id}"));
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

#[track_caller]
fn ended(exchange: &Exchange, id: &str) -> Value {
    eventually("a film", || {
        Some(shown(exchange, id)).filter(|job| {
            let over = ["completed", "failed", "expired"];
            over.contains(&job["status"].as_str().unwrap())
        })
    })
}

fn submissions(exchange: &Exchange) -> usize {
    let sent = exchange.upstream();
    sent.iter().filter(|entry| entry.method == "POST").count()
}

fn kill(exchange: &mut Exchange) {
    exchange.server.signal(Signal::KILL);
    exchange.server.child.wait().unwrap();
    exchange.server = Server::start(&exchange.config, &[]);
}

fn record(exchange: &Exchange, id: &str) -> Value {
    let path = format!("/api/v1/generation?id={id}");
    eventually("the record", || {
        let got = exchange.get(&path);
        (got.status == 200).then(|| got.json()["data"].clone())
    })
}

#[test]
fn a_film_is_made_paid_for_by_the_second_and_read_through_us() {
    let exchange = single(film(json!({"looks": 2})));
    let id = begin(
        &exchange,
        &json!({"duration": 8, "size": "1280x720", "user": "alice"}),
    );
    let early = exchange.get(&format!("/api/v1/videos/{id}/content"));
    assert!(early.error_message(409).contains("not made yet"));
    let job = ended(&exchange, &id);
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(cost(&job["usage"]), 8 * SECOND);
    let url = job["unsigned_urls"][0].as_str().unwrap();
    let got = exchange.get(url);
    assert_eq!(
        (got.status, got.header("content-type")),
        (200, Some("video/mp4"))
    );
    assert_eq!(got.body, FILM);
    exchange
        .get(&format!("/v1/videos/{id}/content?index=1"))
        .error(404);
    let record = record(&exchange, &id);
    assert_eq!(record["api_type"], "video");
    assert_eq!(record["external_user"], "alice");
    assert_eq!(record["finish_reason"], "stop");
    let sent = exchange.upstream();
    let body: Value = serde_json::from_str(sent[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"model": "studio-model", "prompt": "a cat", "seconds": "8", "size": "1280x720"})
    );
    assert_eq!(submissions(&exchange), 1);
    exchange.finish(8 * SECOND);
}

#[test]
fn a_larger_film_costs_what_its_size_does_and_a_shorter_one_what_it_is() {
    let exchange = single(film(json!({"seconds_short": 1})));
    let id = begin(&exchange, &json!({"size": "1792x1024"}));
    let job = ended(&exchange, &id);
    assert_eq!(cost(&job["usage"]), 3 * 5 * SECOND, "{job}");
    exchange.finish(3 * 5 * SECOND);
}

#[test]
fn films_that_fail_are_refused_or_forgotten_cost_nothing_and_say_why() {
    for (fate, status, said) in [
        ("failed", "failed", "could not be made"),
        ("refused", "failed", "was refused"),
        ("forgotten", "expired", "does not know the job"),
    ] {
        let exchange = single(film(json!({"fate": fate})));
        let id = begin(&exchange, &json!({}));
        let job = ended(&exchange, &id);
        assert_eq!(job["status"], status, "{job}");
        assert!(job["error"].as_str().unwrap().contains(said), "{job}");
        assert_eq!(cost(&job["usage"]), 0);
        exchange
            .get(&format!("/api/v1/videos/{id}/content"))
            .error(404);
        exchange.finish(0);
    }
}

#[test]
fn what_a_film_can_cost_is_set_aside_until_it_is_made() {
    let exchange = Exchange::start(|setup| {
        setup.usd = "1.00";
        makes(
            setup,
            "studio",
            "openai-chat",
            film(json!({"fate": "never"})),
        );
    });
    begin(&exchange, &json!({"duration": 8}));
    let refused = post(&exchange, &json!({"duration": 4}));
    assert_eq!(refused.status, 402, "{}", refused.text());
    exchange
        .sim
        .set_provider_script("studio", film(json!({"fate": "failed"})));
    let id = eventually("room", || {
        let got = post(&exchange, &json!({"duration": 4}));
        (got.status == 202).then(|| got.json()["id"].as_str().unwrap().to_owned())
    });
    ended(&exchange, &id);
    exchange.finish(0);
}

#[test]
fn a_job_goes_on_over_restarts_and_kills_and_is_sent_once() {
    let mut exchange = single(film(json!({"fate": "never"})));
    let id = begin(&exchange, &json!({"duration": 5}));
    eventually("a question", || {
        (shown(&exchange, &id)["status"] == "in_progress").then_some(())
    });
    kill(&mut exchange);
    assert_eq!(shown(&exchange, &id)["status"], "in_progress");
    // A stop is no end of a job either.
    exchange.server.stop();
    exchange.server = Server::start(&exchange.config, &[]);
    exchange
        .sim
        .set_provider_script("studio", Script::default());
    let job = ended(&exchange, &id);
    assert_eq!(job["status"], "completed", "{job}");
    kill(&mut exchange);
    assert_eq!(shown(&exchange, &id), job);
    assert_eq!(submissions(&exchange), 1);
    exchange.finish(5 * SECOND);
}

#[test]
fn killed_at_any_moment_jobs_are_paid_for_once_or_not_at_all() {
    let mut exchange = single(film(json!({"looks": 3})));
    let mut ids = Vec::new();
    for round in 0..4_u64 {
        for _ in 0..5 {
            ids.push(begin(&exchange, &json!({"duration": 2})));
        }
        std::thread::sleep(Duration::from_millis(300 * round));
        kill(&mut exchange);
    }
    for id in &ids {
        let job = ended(&exchange, id);
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(cost(&job["usage"]), 2 * SECOND);
    }
    assert_eq!(submissions(&exchange), ids.len());
    exchange.finish(2 * SECOND * ids.len() as i128);
}

#[test]
fn killed_while_a_job_is_sent_it_is_not_sent_again_and_costs_nothing() {
    let mut exchange = single(script(json!({"latency_ms": 60_000})));
    let mut conn = exchange.connect();
    let body = json!({"model": FILMS, "prompt": "a cat", "duration": 4}).to_string();
    let headers = format!("authorization: Bearer {}\r\n", exchange.key);
    conn.request("POST", "/api/v1/videos", &headers, body.as_bytes());
    eventually("the provider to be asked", || {
        (!exchange.sim.log().is_empty()).then_some(())
    });
    kill(&mut exchange);
    exchange
        .sim
        .set_provider_script("studio", Script::default());
    drop(conn);
    assert_eq!(exchange.sim.log().len(), 1);
    exchange.finish(0);
}

#[test]
fn an_answer_that_says_nothing_is_not_followed_by_another_try() {
    let cut = script(json!({"close_before_headers": true}));
    let exchange = Exchange::start(|setup| {
        makes(setup, "studio", "openai-chat", cut);
        makes(setup, "other", "openai-chat", Script::default());
    });
    let order = json!({"provider": {"order": ["studio", "other"]}});
    let got = post(&exchange, &order);
    assert_eq!(got.status, 502, "{}", got.text());
    assert_eq!(exchange.attempts(), ["studio"]);
    // Whoever says no is followed by the next.
    let busy = script(json!({"error_status": 429}));
    exchange.sim.set_provider_script("studio", busy);
    let id = begin(&exchange, &order);
    ended(&exchange, &id);
    exchange.finish(4 * SECOND);
}

#[test]
fn a_provider_that_is_busy_is_asked_again_later() {
    let exchange = single(film(json!({"busy_looks": 3})));
    let id = begin(&exchange, &json!({}));
    assert_eq!(ended(&exchange, &id)["status"], "completed");
    exchange.finish(4 * SECOND);
}

#[test]
fn googles_films_are_operations_whose_address_is_followed_without_telling_it() {
    let exchange = Exchange::start(|setup| {
        makes(setup, "google", "gemini", film(json!({"redirects": true})));
    });
    let id = begin(
        &exchange,
        &json!({"duration": 8, "aspect_ratio": "9:16", "resolution": "1080p"}),
    );
    let job = ended(&exchange, &id);
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(cost(&job["usage"]), 8 * 5 * SECOND);
    let sent = exchange.upstream();
    assert!(
        sent[0]
            .path
            .ends_with("/models/google-model:predictLongRunning"),
        "{}",
        sent[0].path
    );
    let body: Value = serde_json::from_str(sent[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(
        body["parameters"],
        json!({"aspectRatio": "9:16", "durationSeconds": 8, "resolution": "1080p"})
    );
    // The simulator's own redirect leads to a private address that nobody wrote.
    let got = exchange.get(&format!("/api/v1/videos/{id}/content"));
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.body, FILM);
    exchange.finish(8 * 5 * SECOND);
}

#[test]
fn a_film_whose_time_is_up_is_told_to_be() {
    let exchange = single(film(json!({"is_gone": true})));
    let id = begin(&exchange, &json!({}));
    ended(&exchange, &id);
    let got = exchange.get(&format!("/api/v1/videos/{id}/content"));
    assert!(got.error_message(404).contains("its time is up"));
    exchange.finish(4 * SECOND);
}

#[test]
fn what_cannot_be_made_is_refused_with_its_member_and_costs_nothing() {
    let exchange = single(Script::default());
    for (over, said) in [
        (json!({"duration": 0}), "duration: "),
        (json!({"duraton": 4}), "did you mean `duration`"),
        (json!({"n": 2}), "n: "),
        (json!({"prompt": ""}), "prompt: "),
        (json!({"models": [FILMS]}), "models: "),
        (json!({"seed": 1}), "seed"),
        (
            json!({"callback_url": "http://example.com/"}),
            "callback_url: ",
        ),
        (
            json!({"callback_url": "https://127.0.0.1/"}),
            "callback_url: ",
        ),
        (
            json!({"callback_url": "https://localhost/"}),
            "callback_url: ",
        ),
    ] {
        let message = post(&exchange, &over).error_message(400);
        assert!(message.contains(said), "{over}: {message}");
    }
    assert_eq!(submissions(&exchange), 0);
    exchange.finish(0);
}

#[test]
fn models_that_make_films_are_listed_with_their_prices() {
    let exchange = single(Script::default());
    let list = exchange.get("/api/v1/videos/models").json();
    let models = list["data"].as_array().unwrap();
    let model = models.iter().find(|model| model["id"] == FILMS).unwrap();
    assert_eq!(
        model["pricing_skus"],
        json!({"video_second": "0.1", "video_second_1080p": "0.5"})
    );
    // Chat says where it is made.
    let chat = exchange.chat(json!({"model": FILMS}));
    assert!(chat.error_message(400).contains("/api/v1/videos"));
    exchange.finish(0);
}

/// One request: its head as it came, and its body.
fn receive(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let length: usize = field(&head, "content-length").parse().unwrap();
            if bytes.len() >= at + 4 + length {
                return Some((head, bytes[at + 4..at + 4 + length].to_vec()));
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// A message: its head and its body.
type Message = (String, Vec<u8>);

/// Whoever is told by callbacks.
struct Hook {
    url: String,
    told: Arc<Mutex<Vec<Message>>>,
}

impl Hook {
    fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<_>>> = Arc::default();
        let into = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut answers = answers.iter();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                while let Some(message) = receive(&mut stream) {
                    into.lock().unwrap().push(message);
                    let answer = answers.next().copied().unwrap_or("204 No Content\r\n");
                    let answer = format!("HTTP/1.1 {answer}content-length: 0\r\n\r\n");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        Self { url, told }
    }

    fn toml(&self) -> String {
        format!(
            "[videos]\nask_every_ms = 20\ncallback_origins = [\"{}\"]\n",
            self.url
        )
    }

    fn messages(&self, count: usize) -> Vec<Message> {
        eventually("messages", || {
            let told = self.told.lock().unwrap();
            (told.len() >= count).then(|| told.clone())
        })
    }
}

fn secret(exchange: &Exchange) -> Vec<u8> {
    let management = exchange.command(&["key", "create", "--management", "--quiet"]);
    let headers = format!("authorization: Bearer {}\r\n", management.trim());
    let mut conn = exchange.connect();
    conn.request("POST", "/api/v1/webhooks/secret", &headers, b"");
    let got = conn.receive();
    assert_eq!(got.status, 201, "{}", got.text());
    let secret = got.json()["data"]["secret"].as_str().unwrap().to_owned();
    STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap()
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let start = head.split(&format!("{name}: ")).nth(1).unwrap();
    start.split("\r\n").next().unwrap()
}

/// Checks a message as a receiver does (Standard Webhooks).
#[track_caller]
fn verified((head, body): &Message, secret: &[u8]) -> Value {
    let (id, at) = (field(head, "webhook-id"), field(head, "webhook-timestamp"));
    let signed = field(head, "webhook-signature")
        .strip_prefix("v1,")
        .unwrap();
    let mut text = format!("{id}.{at}.").into_bytes();
    text.extend_from_slice(body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, &text, &STANDARD.decode(signed).unwrap()).unwrap();
    serde_json::from_slice(body).unwrap()
}

#[test]
fn a_callback_is_told_signed_and_again_until_it_takes_the_message() {
    let hook = Hook::start(&["503 Service Unavailable\r\nretry-after: 1\r\n"]);
    let exchange = Exchange::start(|setup| {
        setup.toml = hook.toml();
        makes(setup, "studio", "openai-chat", Script::default());
    });
    let over = json!({"callback_url": format!("{}/told?x=1", hook.url)});
    let unsigned = post(&exchange, &over).error_message(412);
    assert!(unsigned.contains("/webhooks/secret"), "{unsigned}");
    let secret = secret(&exchange);
    let id = begin(&exchange, &over);
    let told = hook.messages(2);
    let (first, again) = (verified(&told[0], &secret), verified(&told[1], &secret));
    assert_eq!(field(&told[0].0, "webhook-id"), format!("{id}-completed"));
    assert_eq!(field(&told[1].0, "webhook-id"), format!("{id}-completed"));
    assert!(told[0].0.starts_with("POST /told?x=1 "), "{}", told[0].0);
    assert_eq!(first["type"], "video.generation.completed");
    assert_eq!(first["data"]["id"], id);
    assert_eq!(first["data"]["model"], FILMS);
    assert_eq!(cost(&again["data"]["usage"]), 4 * SECOND);
    let job = eventually("the callback", || {
        Some(shown(&exchange, &id)).filter(|job| job["bourse"]["callback"] == "delivered")
    });
    assert_eq!(job["unsigned_urls"], first["data"]["unsigned_urls"]);
    exchange.finish(4 * SECOND);
}

#[test]
fn a_redirect_is_not_followed_and_a_failure_is_told_too() {
    let elsewhere = Hook::start(&[]);
    let hook = Hook::start(&["302 Found\r\nlocation: https://example.com/\r\n"]);
    let exchange = Exchange::start(|setup| {
        setup.toml = hook.toml();
        makes(
            setup,
            "studio",
            "openai-chat",
            film(json!({"fate": "refused"})),
        );
    });
    let secret = secret(&exchange);
    // Only what the operator lists may be private.
    let private = json!({"callback_url": elsewhere.url});
    post(&exchange, &private).error_message(400);
    let id = begin(&exchange, &json!({"callback_url": hook.url}));
    let told = hook.messages(1);
    let message = verified(&told[0], &secret);
    assert_eq!(message["type"], "video.generation.failed");
    assert!(message["data"]["error"].is_string());
    eventually("the callback to have failed", || {
        (shown(&exchange, &id)["bourse"]["callback"] == "failed").then_some(())
    });
    assert_eq!(hook.messages(1).len(), 1);
    exchange.finish(0);
}

#[test]
fn a_message_that_was_not_taken_is_told_after_a_kill() {
    let hook = Hook::start(&["500 Internal Server Error\r\nretry-after: 1\r\n"]);
    let mut exchange = Exchange::start(|setup| {
        setup.toml = hook.toml();
        makes(setup, "studio", "openai-chat", Script::default());
    });
    let secret = secret(&exchange);
    let id = begin(&exchange, &json!({"callback_url": hook.url}));
    hook.messages(1);
    kill(&mut exchange);
    let told = hook.messages(2);
    assert_eq!(verified(&told[1], &secret)["data"]["id"], id);
    eventually("the callback", || {
        (shown(&exchange, &id)["bourse"]["callback"] == "delivered").then_some(())
    });
    let entries = exchange.upstream();
    assert!(
        entries
            .iter()
            .all(|entry| entry.outcome == Outcome::Complete)
    );
    exchange.finish(4 * SECOND);
}
