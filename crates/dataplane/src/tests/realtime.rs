//! Sessions in paused time: what ends them, and what is left of their money.

use std::sync::Arc;
use std::time::Duration;

use bourse_net::websocket::{Received, Socket};
use bytes::Bytes;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::harness::{Harness, play};
use crate::ask::Attribution;
use crate::endpoints::SESSIONS;
use crate::realtime::Session;
use crate::realtime::meter::Meter;
use crate::realtime::session::{IDLE_MAX, SESSION_MAX};
use crate::realtime::terms::Terms;

/// Sockets of both sides of a session, and what tells it to stop.
struct Ends {
    client: Socket<DuplexStream>,
    provider: Socket<DuplexStream>,
    stop: watch::Sender<bool>,
}

async fn pair() -> (Socket<DuplexStream>, Socket<DuplexStream>) {
    let (left, right) = duplex(1 << 20);
    let server = Socket::of_client(left, Bytes::new()).await;
    (server, Socket::to_server(right, Bytes::new()).await)
}

/// A session of the harness's only model, which says little and reads little.
async fn begin(harness: &Harness) -> Ends {
    let gateway = harness.gateway();
    let now_ms = gateway.clock.now_ms();
    let admitted = harness.admit(None, now_ms).await.unwrap();
    let market = gateway.market.load_full();
    let target = Arc::clone(market.targets().first().unwrap());
    let key = admitted.key.principal().key;
    let terms = Terms {
        gateway: Arc::clone(gateway),
        door: Arc::clone(&harness.worker().door),
        progress: Arc::clone(&harness.worker().progress),
        market,
        admitted,
        endpoint: *SESSIONS.first().unwrap(),
        models: vec!["acme/talk".to_owned()],
        wishes: Default::default(),
        attribution: Attribution::default(),
    };
    let meter = Meter::new(100, 1_000);
    let first = terms.set_aside(&target, meter.demand()).await.unwrap();
    let room = gateway.sessions.enter(key).unwrap();
    let (provider, upstream) = pair().await;
    let (of_client, client) = pair().await;
    let session = Session::new(terms, (target, Box::new(upstream)), first, meter, room);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(session.run(of_client, stopped));
    Ends {
        client,
        provider,
        stop,
    }
}

/// Reads texts until the other side closes.
async fn until_closed(socket: &mut Socket<DuplexStream>) -> (Vec<String>, u16, String) {
    let mut texts = Vec::new();
    loop {
        match socket.receive().await {
            Received::Text(text) => texts.push(text.to_string()),
            Received::Closed(code, reason) => return (texts, code, reason.to_string()),
            other => panic!("{other:?}"),
        }
    }
}

/// What is held once a session is gone.
async fn nothing_is_left(harness: &Harness) {
    let gateway = harness.gateway();
    let gone = async {
        while gateway.sessions.open() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), gone).await.unwrap();
    assert_eq!(gateway.admission.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_in_which_nothing_is_said_ends_after_a_while() {
    let harness = play().harness().await;
    let mut ends = begin(&harness).await;
    assert_eq!(harness.gateway().sessions.open(), 1);
    let began = Instant::now();
    // The provider's side answers pings by being read.
    let reading = tokio::spawn(async move { until_closed(&mut ends.provider).await });
    let (_, code, reason) = until_closed(&mut ends.client).await;
    assert_eq!(code, 1000, "{reason}");
    assert!(reason.contains("15 minutes"), "{reason}");
    let after = began.elapsed();
    assert!(after >= IDLE_MAX && after < IDLE_MAX + Duration::from_secs(30));
    reading.await.unwrap();
    nothing_is_left(&harness).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_lasts_an_hour_however_much_is_said() {
    let harness = play().harness().await;
    let mut ends = begin(&harness).await;
    let began = Instant::now();
    let mut provider = ends.provider;
    let talking = tokio::spawn(async move {
        loop {
            let event = r#"{"type":"rate_limits.updated"}"#;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(60)) => {
                    if provider.send(event.into()).await.is_err() {
                        return;
                    }
                }
                received = provider.receive() => {
                    if !matches!(received, Received::Text(_)) {
                        return;
                    }
                }
            }
        }
    });
    let (texts, _, reason) = until_closed(&mut ends.client).await;
    assert!(reason.contains("60 minutes"), "{reason}");
    assert!(texts.len() >= 50, "{}", texts.len());
    let after = began.elapsed();
    assert!(after >= SESSION_MAX && after < SESSION_MAX + Duration::from_secs(30));
    talking.await.unwrap();
    nothing_is_left(&harness).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_falls_silent_in_an_answer_ends_it_and_what_came_is_paid() {
    let harness = play().harness().await;
    let mut ends = begin(&harness).await;
    let idle = harness.gateway().limits.deadlines.idle;
    for event in [
        r#"{"type":"response.created","response":{"id":"resp_1"}}"#,
        r#"{"type":"response.output_text.delta","response_id":"resp_1","delta":"word word word"}"#,
    ] {
        ends.provider.send(event.into()).await.unwrap();
    }
    let began = Instant::now();
    let mut provider = ends.provider;
    let reading =
        tokio::spawn(async move { while matches!(provider.receive().await, Received::Text(_)) {} });
    let (texts, code, _) = until_closed(&mut ends.client).await;
    assert_eq!((texts.len(), code), (2, 1011));
    let after = began.elapsed();
    assert!(
        after >= idle && after < idle + Duration::from_secs(30),
        "{after:?}"
    );
    nothing_is_left(&harness).await;
    reading.await.unwrap();
    let booked = harness.booked().await;
    assert_eq!(booked.end, "settled ~/4; customer pays one");
    assert!(booked.charge > 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_ends_a_session_that_answers_nothing() {
    let harness = play().harness().await;
    let mut ends = begin(&harness).await;
    ends.stop.send(true).unwrap();
    let (texts, code, _) = until_closed(&mut ends.client).await;
    assert_eq!(code, 1001);
    assert!(texts.iter().any(|text| text.contains("server_stopping")));
    nothing_is_left(&harness).await;
}
