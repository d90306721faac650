//! Talking with a model over a WebSocket, from outside: what passes, what it
//! costs to the nano-dollar, and what becomes of whoever does not behave.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bourse_sim::{Script, UsageFault};
use serde_json::{Value, json};

use crate::exchange::{Exchange, Provider, Server, Setup, eventually};
use crate::money_math::nanos;

pub const MODEL: &str = "acme/talk";
const TALKS: &str = "context_length = 32000\nmax_output = 4096\n\
    input_modalities = [\"text\", \"audio\"]\noutput_modalities = [\"text\", \"audio\"]";
/// Dollars for a million: those of OpenAI's smaller model, November 2026.
const PRICES: &str = "interface = \"realtime\"\nprice = { prompt = \"0.60\", completion = \"2.40\", \
    cache_read = \"0.06\", cache_read_audio = \"0.30\", audio = \"10\", audio_output = \"20\" }\n";

fn talker(slug: &'static str, script: Script) -> Provider {
    let mut provider = Provider::new(slug, ("0", "0"), script).model(MODEL);
    provider.price = None;
    provider.endpoint(PRICES)
}

pub fn start(script: Script, change: impl FnOnce(&mut Setup)) -> Exchange {
    Exchange::start(|setup| {
        setup.models.insert(MODEL, TALKS);
        setup.provider(talker("cheap", script));
        change(setup);
    })
}

/// What a response cost, by its usage, line by line.
fn worth(usage: &Value) -> i128 {
    let n = |value: &Value| i128::from(value.as_u64().unwrap());
    let input = &usage["input_token_details"];
    let cached = &input["cached_tokens_details"];
    let output = &usage["output_token_details"];
    // Nano-dollars for a thousand tokens.
    let lines = [
        (
            n(&input["text_tokens"]) - n(&cached["text_tokens"]),
            600_000,
        ),
        (n(&cached["text_tokens"]), 60_000),
        (n(&cached["audio_tokens"]), 300_000),
        (
            n(&input["audio_tokens"]) - n(&cached["audio_tokens"]),
            10_000_000,
        ),
        (n(&output["text_tokens"]), 2_400_000),
        (n(&output["audio_tokens"]), 20_000_000),
    ];
    let charge = |(tokens, price): (i128, i128)| (tokens * price + 999) / 1_000;
    lines.into_iter().map(charge).sum()
}

/// A client, in blocking code of its own: frames as they are on the wire.
struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What came instead of a text.
#[derive(Debug, PartialEq)]
enum Heard {
    Text(Value),
    Closed(u16, String),
    Gone,
}

impl Client {
    /// Asks for a session; the status and what follows the head.
    fn ask(exchange: &Exchange, query: &str, headers: &str) -> (u16, Self) {
        let mut stream = TcpStream::connect(exchange.server.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let head = format!(
            "GET /api/v1/realtime{query} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut client = Self {
            stream,
            read: Vec::new(),
        };
        let end = loop {
            if let Some(at) = client.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(client.fill(), "{}", String::from_utf8_lossy(&client.read));
        };
        let head = String::from_utf8(client.read.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 101 {
            let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
            assert!(
                head.to_ascii_lowercase()
                    .contains(&accept.to_ascii_lowercase())
            );
        }
        (status, client)
    }

    fn open(exchange: &Exchange) -> Self {
        let headers = format!("authorization: Bearer {}\r\n", exchange.key);
        let (status, mut client) = Self::ask(exchange, &format!("?model={MODEL}"), &headers);
        assert_eq!(status, 101, "{}", client.rest());
        let created = client.until("session.created");
        assert_eq!(created["session"]["type"], "realtime");
        client
    }

    fn fill(&mut self) -> bool {
        let mut piece = [0; 65536];
        match self.stream.read(&mut piece) {
            Ok(length) if length > 0 => {
                self.read.extend_from_slice(&piece[..length]);
                true
            }
            _ => false,
        }
    }

    fn rest(&mut self) -> String {
        while self.fill() {}
        String::from_utf8_lossy(&self.read).into_owned()
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length @ 126..=65535 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        let mask = [7, 1, 9, 200];
        frame.extend(mask);
        let masked = payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ mask[at % 4]);
        frame.extend(masked);
        // A server that has closed already may be right to.
        let _ = self.stream.write_all(&frame);
    }

    fn say(&mut self, event: Value) {
        self.frame(0x81, event.to_string().as_bytes());
    }

    /// The next frame that is no ping.
    fn hear(&mut self) -> Heard {
        loop {
            let Some((first, payload)) = self.take() else {
                return Heard::Gone;
            };
            match first & 0x0f {
                1 => return Heard::Text(serde_json::from_slice(&payload).unwrap()),
                8 => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    let reason = String::from_utf8(payload[2..].to_vec()).unwrap();
                    self.frame(0x88, &code.to_be_bytes());
                    return Heard::Closed(code, reason);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let read = &self.read;
            let short = read.get(1).map(|byte| usize::from(byte & 0x7f));
            let (head, length) = match short {
                Some(126) => (
                    4,
                    read.get(2..4)
                        .map(|b| usize::from(u16::from_be_bytes([b[0], b[1]]))),
                ),
                Some(127) => (
                    10,
                    read.get(2..10)
                        .map(|b| u64::from_be_bytes(b.try_into().unwrap()) as usize),
                ),
                short => (2, short),
            };
            if let Some(length) = length
                && read.len() >= head + length
            {
                let first = read[0];
                let mut frame: Vec<u8> = self.read.drain(..head + length).collect();
                return Some((first, frame.split_off(head)));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads on to an event of a type.
    #[track_caller]
    fn until(&mut self, kind: &str) -> Value {
        let mut seen = Vec::new();
        loop {
            match self.hear() {
                Heard::Text(event) if event["type"] == kind => return event,
                Heard::Text(event) => seen.push(event["type"].to_string()),
                other => panic!("{other:?} and no {kind} after {seen:?}"),
            }
        }
    }

    /// Reads to the end; the last event and how it was closed.
    fn end(&mut self) -> (Value, Heard) {
        let mut last = Value::Null;
        loop {
            match self.hear() {
                Heard::Text(event) => last = event,
                other => return (last, other),
            }
        }
    }

    fn texts_only(&mut self) {
        self.say(
            json!({"type": "session.update", "session": {"type": "realtime",
            "output_modalities": ["text"], "max_output_tokens": 100,
            "audio": {"input": {"turn_detection": null}}}}),
        );
        self.until("session.updated");
    }

    fn writes(&mut self, text: &str) {
        self.say(
            json!({"type": "conversation.item.create", "item": {"type": "message",
            "role": "user", "content": [{"type": "input_text", "text": text}]}}),
        );
        self.until("conversation.item.done");
    }

    fn hangs_up(mut self) {
        self.frame(0x88, &1000_u16.to_be_bytes());
        while self.take().is_some() {}
    }
}

/// So many milliseconds of sound.
fn sound(ms: usize, sample: u8) -> Value {
    json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(vec![sample; ms * 48])})
}

/// What an answer is told to have cost.
fn told_cost(done: &Value) -> i128 {
    (done["cost"].as_f64().unwrap() * 1e9).round() as i128
}

fn record(exchange: &Exchange, done: &Value) -> Value {
    let id = done["generation_id"].as_str().unwrap();
    eventually("the record of an answer", || {
        let got = exchange.get(&format!("/api/v1/generation?id={id}"));
        (got.status == 200).then(|| got.json()["data"].clone())
    })
}

#[test]
fn a_written_conversation_costs_what_each_answer_used() {
    let exchange = start(Script::default(), |_| {});
    let mut client = Client::open(&exchange);
    client.texts_only();
    let mut spent = 0;
    for turn in 0..3 {
        client.writes("tell me a story please");
        client.say(json!({"type": "response.create"}));
        let done = client.until("response.done");
        assert_eq!(done["response"]["status"], "completed");
        let usage = &done["response"]["usage"];
        let cost = worth(usage);
        spent += cost;
        assert_eq!(told_cost(&done), cost, "{done}");
        let told = record(&exchange, &done);
        assert_eq!(told["api_type"], "realtime");
        assert_eq!(told["native_tokens_prompt"], usage["input_tokens"]);
        assert_eq!(told["native_tokens_completion"], usage["output_tokens"]);
        if turn > 0 {
            assert!(usage["input_token_details"]["cached_tokens"].as_u64() > Some(0));
        }
    }
    client.hangs_up();
    exchange.finish(spent);
}

#[test]
fn a_spoken_conversation_is_answered_by_the_provider_itself_and_paid_exactly() {
    let exchange = start(Script::default(), |_| {});
    let mut client = Client::open(&exchange);
    let mut spent = 0;
    for _ in 0..2 {
        client.say(sound(1_000, 9));
        client.until("input_audio_buffer.speech_started");
        client.say(sound(600, 0));
        let done = client.until("response.done");
        let usage = &done["response"]["usage"];
        assert!(usage["input_token_details"]["audio_tokens"].as_u64() >= Some(16));
        assert!(usage["output_token_details"]["audio_tokens"].as_u64() > Some(0));
        spent += worth(usage);
    }
    client.hangs_up();
    exchange.finish(spent);
}

#[test]
fn a_session_is_refused_before_it_switches_with_a_status() {
    let exchange = start(Script::default(), |setup| {
        setup.provider(Provider::new("dear", ("1", "2"), Script::default()));
    });
    let key = format!("authorization: Bearer {}\r\n", exchange.key);
    let page = format!(
        "sec-websocket-protocol: realtime, openai-insecure-api-key.{}\r\n",
        exchange.key
    );
    let beta = format!("{key}openai-beta: realtime=v1\r\n");
    for (query, headers, status, says) in [
        ("?model=acme/talk", "", 401, "auth"),
        ("", &*key, 400, "model"),
        ("?model=acme/none", &*key, 400, "acme/none"),
        ("?model=acme/chat", &*key, 400, "chat/completions"),
        ("?model=acme/talk&call_id=x", &*key, 400, "call_id"),
        ("?model=acme/talk", &*beta, 400, "OpenAI-Beta"),
    ] {
        let (got, mut client) = Client::ask(&exchange, query, headers);
        let _ = client.stream.shutdown(Shutdown::Write);
        let body = client.rest();
        assert_eq!(got, status, "{query}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
    }
    let (status, mut client) = Client::ask(&exchange, "?model=acme/talk", &page);
    assert_eq!(status, 101);
    client.until("session.created");
    client.hangs_up();
    exchange.finish(0);
}

#[test]
fn what_is_not_passed_on_is_refused_in_an_event_and_the_session_goes_on() {
    let slow = Script {
        token_ms: 30,
        ..Script::default()
    };
    let exchange = start(slow, |_| {});
    let mut client = Client::open(&exchange);
    client.texts_only();
    client.say(
        json!({"type": "session.update", "event_id": "mine", "session": {"type": "realtime",
        "tools": [{"type": "mcp", "server_url": "https://mcp.example"}]}}),
    );
    let error = client.until("error")["error"].clone();
    assert_eq!(error["event_id"], "mine");
    assert_eq!(error["param"], "session.tools[0].type");
    client.frame(0x81, b"nonsense");
    client.until("error");
    client.writes("hello");
    // A flood: one is answered, and the others are told that it is.
    for _ in 0..20 {
        client.say(json!({"type": "response.create"}));
    }
    for _ in 0..19 {
        let error = client.until("error")["error"].clone();
        assert_eq!(error["code"], "conversation_already_has_active_response");
    }
    let done = client.until("response.done");
    let spent = worth(&done["response"]["usage"]);
    client.hangs_up();
    exchange.finish(spent);
}

#[test]
fn a_provider_that_refuses_is_passed_over_for_nothing() {
    let exchange = start(
        Script {
            error_status: Some(503),
            ..Script::default()
        },
        |setup| {
            setup.provider(talker("second", Script::default()));
        },
    );
    let mut spent = 0;
    for _ in 0..3 {
        let mut client = Client::open(&exchange);
        client.texts_only();
        client.say(json!({"type": "response.create"}));
        spent += worth(&client.until("response.done")["response"]["usage"]);
        client.hangs_up();
    }
    assert!(exchange.attempts().contains(&"second".to_owned()));
    exchange.finish(spent);
}

#[test]
fn whoever_leaves_in_the_middle_pays_what_was_said_until_then() {
    let slow = Script {
        token_ms: 20,
        tokens: Some(2_000),
        ..Script::default()
    };
    let exchange = start(slow, |_| {});
    let mut client = Client::open(&exchange);
    client.say(json!({"type": "response.create"}));
    for _ in 0..10 {
        client.until("response.output_audio.delta");
    }
    drop(client);
    // The provider is told to stop, and says what it used: 12 tokens of text
    // that it read, and sound of at least half a second.
    let spent = eventually("the answer to be settled", || {
        let spent = exchange.balance().1;
        (spent > 0).then_some(spent)
    });
    let heard = spent - 12 * 600;
    assert!((10 * 20_000..2_000 * 20_000).contains(&heard), "{spent}");
    assert_eq!(heard % 20_000, 0, "{spent}");
    exchange.finish(spent);
}

/// A purse, and a model that says little.
fn poor(usd: &'static str, script: Script) -> Exchange {
    start(script, |setup| {
        setup.usd = usd;
        let lines = "context_length = 32000\nmax_output = 40\n\
            input_modalities = [\"text\", \"audio\"]\noutput_modalities = [\"text\", \"audio\"]";
        setup.models.insert(MODEL, lines);
    })
}

/// Writes and asks until no answer is given any more; what the answers cost,
/// the last event and how the session was closed.
fn until_dry(client: &mut Client, words: usize) -> (i128, Value, Heard) {
    let mut spent = 0;
    for _ in 0..1_000 {
        client.say(
            json!({"type": "conversation.item.create", "item": {"type": "message",
            "role": "user", "content": [{"type": "input_text", "text": "word ".repeat(words)}]}}),
        );
        client.say(json!({"type": "response.create"}));
        loop {
            match client.hear() {
                Heard::Text(event) if event["type"] == "response.done" => {
                    spent += worth(&event["response"]["usage"]);
                    break;
                }
                Heard::Text(event) if event["type"] == "error" => {
                    return (spent, event, client.hear());
                }
                Heard::Text(_) => {}
                closed => return (spent, Value::Null, closed),
            }
        }
    }
    panic!("it never ended");
}

#[test]
fn a_purse_that_runs_dry_ends_the_session_with_a_reason_and_owes_nothing() {
    let exchange = poor("0.05", Script::default());
    let mut client = Client::open(&exchange);
    let (spent, last, closed) = until_dry(&mut client, 200);
    assert_eq!(last["error"]["code"], "insufficient_quota", "{last}");
    assert_eq!(closed, Heard::Closed(1008, "insufficient_quota".to_owned()));
    assert!(spent > 0 && spent <= nanos("0.05"), "{spent}");
    exchange.finish(spent);
}

#[test]
fn sessions_that_share_a_purse_never_spend_more_than_it_has() {
    for seed in 0..4_u64 {
        let script = Script {
            seed,
            token_ms: seed % 2,
            ..Script::default()
        };
        let exchange = poor("0.08", script);
        let clients: Vec<_> = (0..3).map(|_| Client::open(&exchange)).collect();
        let spent: i128 = std::thread::scope(|scope| {
            let talking: Vec<_> = clients
                .into_iter()
                .zip(1..)
                .map(|(mut client, number)| {
                    let words = 60 * (number + usize::try_from(seed).unwrap());
                    scope.spawn(move || until_dry(&mut client, words).0)
                })
                .collect();
            talking.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert!(spent > 0 && spent <= nanos("0.08"), "{spent}");
        exchange.finish(spent);
    }
}

#[test]
fn a_provider_without_a_count_is_counted_here_and_one_that_breaks_off_is_told() {
    let uncounted = Script {
        usage: UsageFault::Missing,
        ..Script::default()
    };
    let exchange = start(uncounted, |_| {});
    let mut client = Client::open(&exchange);
    client.texts_only();
    client.say(json!({"type": "response.create"}));
    let done = client.until("response.done");
    assert!(told_cost(&done) > 0, "{done}");
    let spent = told_cost(&done);
    client.hangs_up();
    exchange.finish(spent);

    let cut = Script {
        cut_after_tokens: Some(5),
        ..Script::default()
    };
    let exchange = start(cut, |_| {});
    let mut client = Client::open(&exchange);
    client.say(json!({"type": "response.create"}));
    let (last, closed) = client.end();
    assert_eq!(last["type"], "response.output_audio.delta");
    assert!(matches!(closed, Heard::Closed(1011, _)), "{closed:?}");
    let spent = eventually("the answer to be settled", || {
        let spent = exchange.balance().1;
        (spent > 0).then_some(spent)
    });
    exchange.finish(spent);
}

#[test]
fn clients_that_break_the_protocol_lose_their_session_and_nothing_else() {
    let exchange = start(Script::default(), |_| {});
    // Not masked; no UTF-8; binary; longer than any; half of one, and gone.
    let huge = [&[0x81, 0xff][..], &(64_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    for bytes in [
        &b"\x81\x02{}"[..],
        &b"\x81\x82\x00\x00\x00\x00\xc3\x28"[..],
        &b"\x82\x81\x00\x00\x00\x00a"[..],
        &huge,
        &b"\x81\xfe\x10\x00\x00\x00\x00\x00half"[..],
    ] {
        let mut client = Client::open(&exchange);
        client.stream.write_all(bytes).unwrap();
        client.stream.shutdown(Shutdown::Write).unwrap();
        let (_, closed) = client.end();
        assert!(!matches!(closed, Heard::Text(_)));
    }
    let mut client = Client::open(&exchange);
    client.texts_only();
    client.say(json!({"type": "response.create"}));
    let spent = worth(&client.until("response.done")["response"]["usage"]);
    client.hangs_up();
    exchange.finish(spent);
}

#[test]
fn a_server_that_stops_lets_an_answer_end_and_tells_the_others() {
    let slow = Script {
        token_ms: 20,
        tokens: Some(60),
        ..Script::default()
    };
    let mut exchange = start(slow, |_| {});
    let mut idle = Client::open(&exchange);
    let mut busy = Client::open(&exchange);
    busy.texts_only();
    busy.say(json!({"type": "response.create"}));
    busy.until("response.output_text.delta");
    exchange.server.signal(rustix::process::Signal::TERM);
    let (last, closed) = idle.end();
    assert_eq!(last["error"]["code"], "server_stopping");
    assert!(matches!(closed, Heard::Closed(1001, _)), "{closed:?}");
    let done = busy.until("response.done");
    assert_eq!(done["response"]["status"], "completed");
    let (_, closed) = busy.end();
    assert!(matches!(closed, Heard::Closed(1001, _)), "{closed:?}");
    let spent = worth(&done["response"]["usage"]);
    exchange.server.stop();
    assert_eq!(told_cost(&done), spent);
}

#[test]
fn a_killed_server_settles_an_answer_by_its_last_checkpoint() {
    let slow = Script {
        token_ms: 10,
        tokens: Some(4_000),
        ..Script::default()
    };
    let mut exchange = start(slow, |_| {});
    let mut client = Client::open(&exchange);
    client.say(json!({"type": "response.create"}));
    for _ in 0..100 {
        client.until("response.output_audio.delta");
    }
    exchange.server.signal(rustix::process::Signal::KILL);
    exchange.server.child.wait().unwrap();
    exchange.server = Server::start(&exchange.config, &[]);
    let spent = eventually("the answer to be settled", || {
        let spent = exchange.balance().1;
        (spent > 0).then_some(spent)
    });
    assert!(spent > 10 * 20_000, "{spent}");
    exchange.finish(spent);
}
