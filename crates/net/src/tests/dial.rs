use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::support::{Upstream, answer_all, call, text};
use crate::{
    Client, ClientConfig, EgressPolicy, NetErrorKind, Origin, PoolLimits, Resolve, Resolving,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/// Gives the answers in turn, and the last one from then on.
struct Answers {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

fn answers(answers: &[&[&str]]) -> Arc<Answers> {
    let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
    let answers = Mutex::new(answers.iter().map(parse).collect());
    Arc::new(Answers {
        answers,
        asked: AtomicUsize::new(0),
    })
}

impl Resolve for Answers {
    fn resolve(&self, host: Arc<str>) -> Resolving {
        assert!(host.ends_with(".example"));
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        Box::pin(async move { Ok::<_, io::Error>(answer) })
    }
}

fn client(resolver: Arc<Answers>, allowed: Option<&Origin>, limits: PoolLimits) -> Client {
    let mut egress = EgressPolicy::deny_private();
    if let Some(origin) = allowed {
        egress.allow_origin(origin);
    }
    Client::new(ClientConfig {
        egress,
        resolver,
        limits,
        ..ClientConfig::default()
    })
    .unwrap()
}

fn url(upstream: &Upstream) -> String {
    format!("http://api.example:{}/v1", upstream.address.port())
}

#[tokio::test]
async fn a_dead_address_is_passed_over_for_a_live_one() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let (origin, _) = Origin::parse_operator(&url(&upstream)).unwrap();
    let resolver = answers(&[&["::1", "127.0.0.9", "127.0.0.1"]]);
    let client = client(resolver, Some(&origin), PoolLimits::default());
    let started = Instant::now();
    assert_eq!(
        text(call(&client, &origin).await.unwrap()).await.unwrap(),
        "hi"
    );
    assert!(
        started.elapsed() < Duration::from_millis(200),
        "a refusal needs no waiting"
    );
}

#[tokio::test]
async fn one_private_address_condemns_a_public_name() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let (origin, _) = Origin::parse(&url(&upstream)).unwrap();
    for answer in [
        &["127.0.0.1"] as &[&str],
        &["8.8.8.8", "127.0.0.1"],
        &["::ffff:127.0.0.1"],
    ] {
        let client = client(answers(&[answer]), None, PoolLimits::default());
        let error = call(&client, &origin).await.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Egress);
        assert_eq!(client.stats().open, 0);
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let (origin, _) = Origin::parse(&url(&upstream)).unwrap();
    // Public when checked, private when asked again: the classic rebinding.
    let resolver = answers(&[&["192.0.2.1"], &["127.0.0.1"]]);
    let client = client(resolver.clone(), None, PoolLimits::default());
    for _ in 0..3 {
        assert_eq!(
            call(&client, &origin).await.unwrap_err().kind,
            NetErrorKind::Egress
        );
    }
    assert_eq!(
        resolver.asked.load(Ordering::SeqCst),
        1,
        "one question for all of them"
    );
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn redirects_are_returned_and_not_followed() {
    let target = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let location = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        target.address
    );
    let location: &'static str = Box::leak(location.into_boxed_str());
    let upstream = Upstream::start(move |socket, _| answer_all(socket, location)).await;
    let (origin, _) = Origin::parse_operator(&url(&upstream)).unwrap();
    let client = client(
        answers(&[&["127.0.0.1"]]),
        Some(&origin),
        PoolLimits::default(),
    );
    assert_eq!(call(&client, &origin).await.unwrap().status, 307);
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn an_operators_and_a_callers_origin_share_no_connection() {
    let upstream = Upstream::start(|socket, _| answer_all(socket, OK)).await;
    let (operators, _) = Origin::parse_operator(&url(&upstream)).unwrap();
    let (callers, _) = Origin::parse(&url(&upstream)).unwrap();
    let client = client(
        answers(&[&["127.0.0.1"]]),
        Some(&operators),
        PoolLimits::default(),
    );
    call(&client, &operators).await.unwrap();
    assert_eq!(client.stats().idle, 1);
    assert_eq!(
        call(&client, &callers).await.unwrap_err().kind,
        NetErrorKind::Egress
    );
}
