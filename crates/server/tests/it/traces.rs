//! Traces of finished calls, as a collector gets them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bourse_sim::Script;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

use crate::client::Got;
use crate::exchange::{CHEAP, Exchange, Provider, ask, eventually, script};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector that answers its first requests with `refusals`, one each, and
/// then takes everything.
struct Collector {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start(refusals: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self {
            url,
            heads: Arc::default(),
            spans: Arc::default(),
        };
        let (heads, spans) = (Arc::clone(&collector.heads), Arc::clone(&collector.spans));
        std::thread::spawn(move || {
            let mut refusals = refusals.iter();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                while let Some((head, body)) = receive(&mut stream) {
                    heads.lock().unwrap().push(head);
                    let status = refusals.next().copied().unwrap_or("200 OK");
                    if status.starts_with("200") {
                        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
                        let scopes = request.resource_spans.into_iter();
                        let scopes = scopes.flat_map(|resource| resource.scope_spans);
                        spans
                            .lock()
                            .unwrap()
                            .extend(scopes.flat_map(|scope| scope.spans));
                    }
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        collector
    }

    /// Waits until a call's spans are there: its own first.
    fn spans_of(&self, id: &str) -> Vec<Span> {
        eventually("the call's spans", || {
            let spans = self.spans.lock().unwrap();
            let named = |span: &&Span| text(span, "gen_ai.response.id").as_deref() == Some(id);
            let own = spans.iter().find(named)?.clone();
            let below = spans
                .iter()
                .filter(|span| span.parent_span_id == own.span_id);
            let below: Vec<Span> = below.cloned().collect();
            Some([vec![own], below].concat())
        })
    }
}

/// One request: its head in lower case, and its body.
pub fn receive(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
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

fn text(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|pair| pair.key == name)?;
    match found.value.clone()?.value? {
        Any::StringValue(text) => Some(text),
        Any::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn chat(exchange: &Exchange, headers: &str) -> Got {
    let body = ask(json!({})).to_string();
    let headers = format!("authorization: Bearer {}\r\n{headers}", exchange.key);
    let mut conn = exchange.connect();
    conn.request(
        "POST",
        "/api/v1/chat/completions",
        &headers,
        body.as_bytes(),
    );
    conn.receive()
}

fn id(answer: &Value) -> &str {
    answer["id"].as_str().unwrap()
}

#[test]
fn a_finished_call_is_told_with_each_attempt_and_what_it_cost() {
    let collector = Collector::start(&[]);
    let exchange = Exchange::start(|setup| {
        setup.toml = format!(
            "[telemetry]\notlp_url = \"{}\"\nservice_name = \"shop\"\n\
             [telemetry.otlp_headers]\nauthorization = \"Bearer collector\"\n",
            collector.url
        );
        setup
            .provider(Provider::new(
                "cheap",
                CHEAP,
                script(json!({"error_status": 503, "fail_first": 1})),
            ))
            .provider(Provider::new("dear", ("1.50", "6.00"), Script::default()));
    });
    let answer = chat(&exchange, "").answer();
    let spans = collector.spans_of(id(&answer));
    assert_eq!(spans.len(), 3, "{spans:?}");
    let own = &spans[0];
    assert_eq!(own.name, "chat acme/chat");
    let cost = answer["usage"]["cost"].as_f64().unwrap();
    let nanos = format!("{:.0}", cost * 1e9);
    assert_eq!(text(own, "bourse.cost.nano_usd"), Some(nanos));
    assert_eq!(text(own, "gen_ai.provider.name").as_deref(), Some("dear"));
    let asked: Vec<_> = spans[1..]
        .iter()
        .map(|span| text(span, "gen_ai.provider.name").unwrap())
        .collect();
    assert_eq!(asked, ["cheap", "dear"]);
    assert!(spans[1].status.is_some() && spans[2].status.is_none());
    let head = collector.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("authorization: bearer collector"), "{head}");
    exchange.close();
}

#[test]
fn a_callers_trace_goes_on_here_and_at_the_provider() {
    let collector = Collector::start(&[]);
    let exchange = Exchange::start(|setup| {
        // The caller's word stands above the share.
        setup.toml = format!(
            "[telemetry]\notlp_url = \"{}/v1/traces\"\nsample_ratio = 0.0\n",
            collector.url
        );
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    chat(&exchange, "").answer();
    let answer = chat(&exchange, &format!("traceparent: {PARENT}\r\n")).answer();
    let spans = collector.spans_of(id(&answer));
    let [own, attempt] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(hex(&own.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&own.parent_span_id), "00f067aa0ba902b7");
    let told: Vec<_> = exchange
        .upstream()
        .iter()
        .map(|entry| {
            let told = entry.headers.iter().find(|(name, _)| name == "traceparent");
            told.map(|(_, value)| value.clone())
        })
        .collect();
    let expected = format!("00-{}-{}-01", hex(&attempt.trace_id), hex(&attempt.span_id));
    assert_eq!(told, [None, Some(expected)]);
    assert_eq!(collector.spans.lock().unwrap().len(), 2);
    exchange.close();
}

#[test]
fn a_collector_that_is_away_is_told_later_and_nothing_twice() {
    let collector = Collector::start(&["503 Service Unavailable", "429 Too Many Requests"]);
    let exchange = Exchange::start(|setup| {
        setup.toml = format!("[telemetry]\notlp_url = \"{}\"\n", collector.url);
        setup.provider(Provider::new("cheap", CHEAP, Script::default()));
    });
    let answer = chat(&exchange, "").answer();
    let spans = collector.spans_of(id(&answer));
    assert_eq!(spans.len(), 2);
    assert!(collector.heads.lock().unwrap().len() >= 3);
    assert!(
        exchange
            .server
            .log()
            .contains("the collector of traces is away")
    );
    let again = chat(&exchange, "").answer();
    assert_eq!(collector.spans_of(id(&again)).len(), 2);
    assert_eq!(collector.spans.lock().unwrap().len(), 4);
    exchange.close();
}

#[test]
fn what_makes_no_sense_of_a_collector_is_refused_with_its_key() {
    for (lines, said) in [
        ("otlp_url = \"collector\"", "telemetry.otlp_url"),
        (
            "otlp_url = \"http://127.0.0.1:1\"\nsample_ratio = -1.0",
            "telemetry.sample_ratio: -1 is not between 0 and 1",
        ),
        (
            "otlp_headers = { a = \"b\" }",
            "telemetry.otlp_headers: there is no telemetry.otlp_url",
        ),
        ("sample = 1.0", "telemetry.sample: unknown key"),
        (
            "otlp_url = \"http://127.0.0.1:1\"\nservice_name = \"\"",
            "telemetry.service_name",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bourse.toml");
        std::fs::write(&file, format!("[telemetry]\n{lines}\n")).unwrap();
        let checked = crate::exchange::bourse()
            .args(["check", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(
            !checked.status.success() && told.contains(said),
            "{lines}: {told}"
        );
    }
}
