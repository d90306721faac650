use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use bourse_net::{Client, ClientConfig, Deadlines, EgressPolicy};
use bourse_providers::{Compatible, Headers, Key, TokenFuture, TokenSource};
use bytes::Bytes;
use http::header::AUTHORIZATION;

use super::*;

/// A vendor of tests: it may sign, and speaks what it is told to.
struct Vendor {
    interfaces: Vec<Interface>,
    signs: bool,
}

const DATE: HeaderName = HeaderName::from_static("x-date");
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// What is signed: everything that will be sent, and when.
fn text_to_sign(method: &str, authority: &str, path: &str, date: &str, body: &[u8]) -> Vec<u8> {
    let body = digest::digest(&digest::SHA256, body);
    let mut text = format!("{method}\n{authority}\n{path}\n{date}\n").into_bytes();
    text.extend_from_slice(body.as_ref());
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Provider for Vendor {
    fn slug(&self) -> &str {
        "vendor"
    }

    fn name(&self) -> &str {
        "Vendor"
    }

    fn env(&self) -> &[&'static str] {
        &[]
    }

    fn base_url(&self) -> Option<&str> {
        None
    }

    fn interfaces(&self, _: &str) -> &[Interface] {
        &self.interfaces
    }

    fn dialect(&self, _: Format, _: &str) -> &Dialect {
        &Dialect::PLAIN
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        Address {
            path: format!("{}/{}?x=1", attempt.base_path, attempt.model),
            headers: Headers::new(),
        }
    }

    fn signing(&self) -> Signing {
        if self.signs {
            Signing::EachRequest
        } else {
            Signing::Once
        }
    }

    fn sign(&self, request: &ToSign<'_>, credential: &Credential) -> Result<Headers, Failure> {
        let Credential::KeyPair { id, secret, .. } = credential else {
            return credential.headers(self.slug());
        };
        let date = request.now_ms.to_string();
        let text = text_to_sign(
            request.method.as_str(),
            request.authority,
            request.path,
            &date,
            &request.body.concat(),
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let signature = format!("{}:{}", id.expose(), hex(hmac::sign(&key, &text).as_ref()));
        Ok(vec![
            (DATE, HeaderValue::from_str(&date).unwrap()),
            (SIGNATURE, HeaderValue::from_str(&signature).unwrap()),
        ])
    }
}

fn way(signs: bool, credential: &Credential, base_url: &str) -> Result<Way, String> {
    let interface = Interface::chat(Format::OpenAiChat);
    let vendor: Arc<dyn Provider> = Arc::new(Vendor {
        interfaces: vec![interface],
        signs,
    });
    let (origin, path) = Origin::parse_operator(base_url).unwrap();
    Way::new(&vendor, interface, "m", (&origin, &path), credential)
}

/// A way that is never sent over.
pub(crate) fn way_to(interface: Interface) -> Way {
    let vendor: Arc<dyn Provider> = Arc::new(Vendor {
        interfaces: vec![interface],
        signs: false,
    });
    let (origin, path) = Origin::parse_operator("http://127.0.0.1:9/v1").unwrap();
    Way::new(&vendor, interface, "m", (&origin, &path), &Credential::None).unwrap()
}

/// An upstream of tests: `check` sees each request and says its status.
fn upstream(check: impl Fn(&str, &[u8]) -> u16 + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut text = Vec::new();
            let mut piece = [0; 4096];
            let (head, body) = loop {
                let read = socket.read(&mut piece).unwrap();
                text.extend_from_slice(&piece[..read]);
                let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8(text[..end].to_vec()).unwrap();
                let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
                if text.len() >= end + 4 + length {
                    break (head, text[end + 4..].to_vec());
                }
            };
            let status = check(&head, &body);
            let answer = format!(
                "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"
            );
            socket.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}/v1")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(": ")?;
        field.eq_ignore_ascii_case(name).then_some(value)
    })
}

async fn send(way: &Way, base_url: &str, body: &[&'static str]) -> u16 {
    let (origin, _) = Origin::parse_operator(base_url).unwrap();
    let mut egress = EgressPolicy::deny_private();
    egress.allow_origin(&origin);
    let client = Client::new(ClientConfig {
        egress,
        ..ClientConfig::default()
    })
    .unwrap();
    let body = body
        .iter()
        .map(|piece| Bytes::from_static(piece.as_bytes()));
    let request = way.request(false, body.collect(), None).await.unwrap();
    let deadlines = Deadlines {
        connect: Duration::from_secs(5),
        head: Duration::from_secs(5),
        idle: Duration::from_secs(5),
    };
    let response = client.send(&origin, &request, &deadlines).await.unwrap();
    response.status.as_u16()
}

fn pair(secret: &str) -> Credential {
    Credential::KeyPair {
        id: Key::new("who"),
        secret: Key::new(secret),
        session: None,
    }
}

#[tokio::test]
async fn what_is_signed_is_what_is_sent_body_and_time_included() {
    let base_url = upstream(|head, body| {
        let line = head.lines().next().unwrap();
        let date = header(head, "x-date").unwrap();
        let told: u64 = date.parse().unwrap();
        let authority = header(head, "host").unwrap();
        let [method, path, _] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let text = text_to_sign(method, authority, path, date, body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"good");
        let expected = format!("who:{}", hex(hmac::sign(&key, &text).as_ref()));
        let fresh = now_ms().abs_diff(told) < 60_000;
        if fresh && header(head, "x-signature") == Some(&expected) {
            200
        } else {
            403
        }
    });
    let good = way(true, &pair("good"), &base_url).unwrap();
    assert_eq!(send(&good, &base_url, &["{\"a\":", "1}"]).await, 200);
    assert_eq!(send(&good, &base_url, &["{}"]).await, 200);
    let bad = way(true, &pair("bad"), &base_url).unwrap();
    assert_eq!(send(&bad, &base_url, &["{}"]).await, 403);
}

/// Tokens that live until a time, counted as they are made.
#[derive(Default)]
struct Tokens {
    made: AtomicU64,
    kept: Mutex<Option<(u64, Arc<Credential>)>>,
    life_ms: u64,
    refused: AtomicU64,
}

impl TokenSource for Tokens {
    fn kept(&self, now_ms: u64) -> Option<Arc<Credential>> {
        let kept = self.kept.lock().unwrap();
        let (until_ms, token) = kept.as_ref()?;
        (now_ms < *until_ms).then(|| Arc::clone(token))
    }

    fn refused(&self) {
        self.refused.fetch_add(1, SeqCst);
    }

    fn token(&self, now_ms: u64) -> TokenFuture<'_> {
        Box::pin(async move {
            // As a real one would, over the network.
            tokio::task::yield_now().await;
            let number = self.made.fetch_add(1, SeqCst) + 1;
            let key = Key::new(&format!("token-{number}"));
            let token = Arc::new(Credential::Bearer(key));
            *self.kept.lock().unwrap() = Some((now_ms + self.life_ms, Arc::clone(&token)));
            Ok(token)
        })
    }
}

#[tokio::test]
async fn a_service_account_sends_a_token_that_is_good_now() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let base_url = upstream({
        let seen = Arc::clone(&seen);
        move |head, _| {
            let token = header(head, AUTHORIZATION.as_str())
                .unwrap_or("")
                .to_owned();
            seen.lock().unwrap().push(token);
            200
        }
    });
    let source = Arc::new(Tokens {
        life_ms: 3_600_000,
        ..Tokens::default()
    });
    let account = Credential::Rotating(Arc::clone(&source) as Arc<dyn TokenSource>);
    // The vendor itself does not sign: that its token changes is enough.
    let way = way(false, &account, &base_url).unwrap();
    send(&way, &base_url, &["{}"]).await;
    send(&way, &base_url, &["{}"]).await;
    // It expires.
    source.kept.lock().unwrap().as_mut().unwrap().0 = 0;
    send(&way, &base_url, &["{}"]).await;
    let first = "Bearer token-1".to_owned();
    assert_eq!(
        *seen.lock().unwrap(),
        [first.clone(), first, "Bearer token-2".to_owned()]
    );
    way.refused();
    assert_eq!(source.refused.load(SeqCst), 1, "nobody told its source");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    struct Broken;
    impl TokenSource for Broken {
        fn kept(&self, _: u64) -> Option<Arc<Credential>> {
            None
        }

        fn refused(&self) {}

        fn token(&self, _: u64) -> TokenFuture<'_> {
            Box::pin(async { Err(Failure::unavailable("no token")) })
        }
    }
    let account = Credential::Rotating(Arc::new(Broken));
    let way = way(false, &account, "http://127.0.0.1:9/v1").unwrap();
    let failure = way.request(true, Segments::new(), None).await.unwrap_err();
    assert_eq!(failure.message, "no token");
}

#[test]
fn a_head_that_never_changes_is_rendered_once() {
    let constant = |signs, credential: &Credential| {
        let way = way(signs, credential, "http://127.0.0.1:9/v1").unwrap();
        let both = [&way.whole, &way.streamed];
        both.map(|head| matches!(head, Head::Constant(_)))
    };
    assert_eq!(constant(false, &Credential::None), [true, true]);
    let bearer = Credential::bearer(Key::new("sk-1"));
    assert_eq!(constant(false, &bearer), [true, true]);
    assert_eq!(constant(true, &pair("x")), [false, false]);
}

#[test]
fn a_credential_that_cannot_be_sent_is_a_problem_of_setup() {
    let base_url = "http://127.0.0.1:9/v1";
    let own = Compatible::operators_own("vendor", base_url, Format::OpenAiChat);
    let interface = own.interfaces("m")[0];
    let own: Arc<dyn Provider> = Arc::new(own);
    let (origin, path) = Origin::parse_operator(base_url).unwrap();
    let made = Way::new(&own, interface, "m", (&origin, &path), &pair("half"));
    let Err(problem) = made else {
        panic!("a pair of keys cannot be sent as it is");
    };
    assert!(
        problem.contains("vendor") && !problem.contains("half"),
        "{problem}"
    );
}
