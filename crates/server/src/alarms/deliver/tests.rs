//! The schedule in paused time against a receiver that is a script, and the
//! whole way against one that speaks HTTP.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_dataplane::alarms::kind::Kind;
use bourse_net::Origin;
use serde_json::Value;
use tokio::time::Instant;

use super::*;
use crate::config::Webhook;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

/// A receiver that answers as it is told, and then takes everything.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Played>>);

#[derive(Default)]
struct Played {
    answers: VecDeque<Posted>,
    /// When what was sent, with which id.
    sent: Vec<(Instant, String)>,
}

impl Post for Script {
    async fn post(&self, id: &str, _: &[u8], _: u64) -> Posted {
        let mut played = self.0.lock().unwrap();
        played.sent.push((Instant::now(), id.to_owned()));
        played.answers.pop_front().unwrap_or(Posted::Taken(204))
    }
}

fn later(after: Option<u64>) -> Posted {
    Posted::Later {
        after: after.map(Duration::from_secs),
        why: "it answers with 503".to_owned(),
    }
}

/// Alarms that somebody is told of, until the sender is dropped.
fn tell<P: Post>(
    receiver: P,
    wait_min: Duration,
) -> (
    Arc<Alarms>,
    watch::Sender<bool>,
    tokio::task::JoinHandle<()>,
) {
    let alarms = Arc::new(Alarms::default());
    let told = alarms.listen().unwrap();
    let (stop, stopping) = watch::channel(false);
    let mut deliverer = Deliverer::new(receiver, Arc::clone(&alarms), "here".to_owned());
    deliverer.wait_min = wait_min;
    let task = tokio::spawn(deliverer.run(told, stopping));
    (alarms, stop, task)
}

/// In paused time a second is nothing, in real time a millisecond.
async fn until(alarms: &Alarms, told: [u64; 2], step: Duration) {
    while alarms.told() != told {
        tokio::time::sleep(step).await;
    }
}

const PAUSED: Duration = Duration::from_secs(1);
const REAL: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_sent_again_later_and_later_and_is_the_same_message() {
    let script = Script::default();
    script.0.lock().unwrap().answers = vec![later(None); 10].into();
    let (alarms, _stop, _) = tell(script.clone(), WAIT_MIN);
    alarms.raise(Kind::Test, "one", "first", 0);
    until(&alarms, [1, 0], PAUSED).await;
    let sent = script.0.lock().unwrap().sent.clone();
    assert_eq!(sent.len(), 11);
    assert!(sent.iter().all(|(_, id)| *id == sent[0].1));
    for (tries, pair) in sent.windows(2).enumerate() {
        let waited = (pair[1].0 - pair[0].0).as_secs_f64();
        let least = f64::from(1 << tries).min(300.0);
        let range = least..=1.5 * least + 0.002;
        assert!(range.contains(&waited), "{tries}: {waited}");
    }
    // The next one is another message, and goes at once.
    alarms.raise(Kind::Test, "two", "second", 0);
    until(&alarms, [2, 0], PAUSED).await;
    assert_ne!(script.0.lock().unwrap().sent[11].1, sent[0].1);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_says_when_is_asked_then_but_not_after_an_age() {
    let script = Script::default();
    script.0.lock().unwrap().answers = [later(Some(40)), later(Some(1_000_000))].into();
    let (alarms, _stop, _) = tell(script.clone(), WAIT_MIN);
    alarms.raise(Kind::Test, "one", "first", 0);
    until(&alarms, [1, 0], PAUSED).await;
    let sent = script.0.lock().unwrap().sent.clone();
    let waited = |at: usize| (sent[at].0 - sent[at - 1].0).as_secs_f64();
    assert!((40.0..=60.01).contains(&waited(1)), "{}", waited(1));
    assert!((300.0..=450.01).contains(&waited(2)), "{}", waited(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_or_never_taken_is_given_up_and_does_not_stop_the_next() {
    let script = Script::default();
    let mut answers = vec![Posted::Refused(410)];
    answers.extend(vec![later(None); 16]);
    script.0.lock().unwrap().answers = answers.into();
    let (alarms, _stop, _) = tell(script.clone(), WAIT_MIN);
    for subject in ["refused", "never taken", "taken"] {
        alarms.raise(Kind::Test, subject, "happened", 0);
    }
    until(&alarms, [1, 2], PAUSED).await;
    assert_eq!(script.0.lock().unwrap().sent.len(), 18);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_says_what_waits_once() {
    let script = Script::default();
    script.0.lock().unwrap().answers = vec![later(None); 100].into();
    let (alarms, stop, task) = tell(script.clone(), WAIT_MIN);
    for subject in ["one", "two", "three"] {
        alarms.raise(Kind::Test, subject, "happened", 0);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(script.0.lock().unwrap().sent.len(), 1);
    stop.send(true).unwrap();
    task.await.unwrap();
    let sent = script.0.lock().unwrap().sent.clone();
    assert_eq!(sent.len(), 4);
    assert_eq!(sent[0].1, sent[1].1, "the one that was under way");
}

/// A receiver that speaks HTTP: it answers with one status after the other, and
/// then with 204.
struct Server {
    url: String,
    requests: tokio::sync::mpsc::UnboundedReceiver<(String, Vec<u8>)>,
}

impl Server {
    fn start(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
        let (tell, requests) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                while let Some(request) = receive(&mut stream) {
                    let status = statuses.next().copied().unwrap_or("204 No Content");
                    let _ = tell.send(request);
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        Self { url, requests }
    }

    fn receiver(&self) -> Receiver {
        let (origin, path) = Origin::parse_operator(&self.url).unwrap();
        let key = KEY.to_vec();
        Receiver::new(&Webhook { origin, path, key }, &Default::default()).unwrap()
    }
}

fn receive(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let length: usize = header(&head, "content-length").parse().unwrap();
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

fn header(head: &str, name: &str) -> String {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(of, _)| of.eq_ignore_ascii_case(name));
    found.next().expect(name).1.to_owned()
}

#[tokio::test]
async fn over_http_an_event_is_signed_each_time_it_is_sent_with_its_id_and_the_time() {
    let mut server = Server::start(&["503 Service Unavailable", "429 Too Many Requests"]);
    let (alarms, _stop, _) = tell(server.receiver(), REAL);
    alarms.raise(
        Kind::JournalRefuses,
        "journal",
        "disk full",
        1_795_262_400_000,
    );
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (head, body) = server.requests.recv().await.unwrap();
        assert!(head.starts_with("POST /hook?a=b HTTP/1.1"), "{head}");
        let (id, at_s) = (
            header(&head, "webhook-id"),
            header(&head, "webhook-timestamp"),
        );
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, KEY);
        let text = [format!("{id}.{at_s}.").as_bytes(), &body].concat();
        let signature = header(&head, "webhook-signature");
        let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap());
        aws_lc_rs::hmac::verify(&key, &text, &tag.unwrap()).unwrap();
        let at_s: u64 = at_s.parse().unwrap();
        assert!(now_ms() / 1_000 - at_s < 300, "what receivers allow");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "alarm.raised");
        assert_eq!(body["kind"], "journal_refuses");
        assert_eq!(body["subject"], "journal");
        ids.push(id);
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[1], ids[2]);
    until(&alarms, [1, 0], REAL).await;
}

#[tokio::test]
async fn no_redirect_is_followed_and_a_receiver_that_is_not_there_is_one_for_later() {
    let server = Server::start(&["307 Temporary Redirect", "404 Not Found", "200 OK"]);
    let receiver = server.receiver();
    for expected in [
        Posted::Refused(307),
        Posted::Refused(404),
        Posted::Taken(200),
    ] {
        assert_eq!(receiver.post("id", b"{}", 1).await, expected);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/t0ken", nobody.local_addr().unwrap());
    drop(nobody);
    let (origin, path) = Origin::parse_operator(&url).unwrap();
    let key = KEY.to_vec();
    let receiver = Receiver::new(&Webhook { origin, path, key }, &Default::default()).unwrap();
    let Posted::Later { why, .. } = receiver.post("id", b"{}", 1).await else {
        panic!("nobody is there");
    };
    assert!(!why.contains("t0ken"), "{why}");
}

#[tokio::test]
async fn an_address_that_the_operator_did_not_write_is_not_reached() {
    let server = Server::start(&[]);
    // As a name in somebody else's hands would lead here.
    let (origin, path) = Origin::parse(&server.url).unwrap();
    let key = KEY.to_vec();
    let receiver = Receiver::new(&Webhook { origin, path, key }, &Default::default()).unwrap();
    let posted = receiver.post("id", b"{}", 1).await;
    assert!(matches!(posted, Posted::Later { .. }), "{posted:?}");
}
