//! The relay over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bourse_sim::Script;
use bourse_sim::relay::{Relay, RelayControl, RelayCounts, RelayHandle, RelayPlan};
use serde_json::json;

use crate::client::{KEY, connect, eventually, post, receive, send, sim};

const CHAT: &str = "/v1/chat/completions";

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A relay on a thread of its own, with control calls; stops with the test.
fn relay(to: SocketAddr, plan: RelayPlan) -> (RelayHandle, SocketAddr) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let relay = Relay::bind(any(), to, plan).await.unwrap();
            let handle = relay.handle();
            let control = RelayControl::bind(any(), handle.clone()).await.unwrap();
            sender.send((handle, control.addr().unwrap())).unwrap();
            tokio::join!(relay.run(), control.run());
        });
    });
    receiver.recv().unwrap()
}

fn body() -> serde_json::Value {
    json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "hello there" }] })
}

#[test]
fn everything_passes_unchanged_and_no_sooner_than_the_delay() {
    let sim = sim(Script::default());
    let direct = post(sim.addr(), CHAT, KEY, &body());
    sim.reset();
    let plan = RelayPlan {
        delay_ms: 40,
        jitter_ms: 5,
        ..RelayPlan::default()
    };
    let (relay, _) = relay(sim.addr(), plan);
    let began = Instant::now();
    let relayed = post(relay.addr(), CHAT, KEY, &body());
    assert!(
        began.elapsed() >= Duration::from_millis(80),
        "there and back"
    );
    assert_eq!(relayed.whole, direct.whole);
    let words = |got: &crate::client::Got| {
        got.events()
            .iter()
            .map(|e| e["choices"][0]["delta"]["content"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&relayed), words(&direct));
}

#[test]
fn a_connection_is_cut_after_exactly_so_many_bytes() {
    let sim = sim(Script::default());
    for reset in [false, true] {
        let plan = RelayPlan {
            cut_after_bytes: Some(57),
            cut_with_reset: reset,
            ..RelayPlan::default()
        };
        let (relay, _) = relay(sim.addr(), plan);
        let mut stream = connect(relay.addr());
        send(
            &mut stream,
            "POST",
            CHAT,
            KEY,
            body().to_string().as_bytes(),
        );
        let mut got = Vec::new();
        let ended = stream.read_to_end(&mut got);
        // A reset may discard what was not read yet.
        assert!(
            got.len() == 57 || (reset && got.len() < 57),
            "{}",
            got.len()
        );
        assert_eq!(ended.is_err(), reset, "{ended:?}");
        eventually(|| (relay.counts().cut == 1).then_some(()));
    }
}

#[test]
fn a_partition_holds_everything_back_until_it_is_healed() {
    let sim = sim(Script::default());
    let (relay, control) = relay(sim.addr(), RelayPlan::default());
    let mut stream = connect(relay.addr());
    send(
        &mut stream,
        "POST",
        CHAT,
        KEY,
        body().to_string().as_bytes(),
    );
    assert_eq!(receive(&mut stream).status, 200);
    // Bytes are counted once they are given, and may be here before that.
    let before = eventually(|| {
        let counts = relay.counts();
        (counts.given_bytes == counts.taken_bytes).then_some(counts)
    });

    assert_eq!(
        post(control, "/__relay/partition", "", &json!({})).status,
        200
    );
    send(
        &mut stream,
        "POST",
        CHAT,
        KEY,
        body().to_string().as_bytes(),
    );
    // Also a connection that is made meanwhile waits.
    let mut late = connect(relay.addr());
    send(&mut late, "POST", CHAT, KEY, body().to_string().as_bytes());
    eventually(|| (relay.counts().taken_bytes > before.taken_bytes).then_some(()));
    eventually(|| (relay.counts().connections == 2).then_some(()));
    assert_eq!(relay.counts().given_bytes, before.given_bytes);
    assert_eq!(sim.counters().requests, 1);

    assert_eq!(post(control, "/__relay/heal", "", &json!({})).status, 200);
    assert_eq!(receive(&mut stream).status, 200);
    assert_eq!(receive(&mut late).status, 200);
}

#[test]
fn control_calls_show_change_and_refuse_plans() {
    let sim = sim(Script::default());
    let (relay, control) = relay(sim.addr(), RelayPlan::default());
    let set = post(
        control,
        "/__relay/plan",
        "",
        &json!({ "delay_ms": 7, "partitions": [{ "from_ms": 1, "to_ms": 2 }] }),
    );
    assert_eq!(set.status, 200, "{}", set.text());
    let plan = crate::client::get(control, "/__relay/plan").json();
    assert_eq!(
        (&plan["delay_ms"], &plan["partitions"][0]["to_ms"]),
        (&json!(7), &json!(2))
    );
    for bad in [json!({ "delay": 7 }), json!({ "stall_rate": 2 })] {
        assert_eq!(
            post(control, "/__relay/plan", "", &bad).status,
            400,
            "{bad}"
        );
    }
    assert_eq!(crate::client::get(control, "/nothing").status, 404);
    let counts: RelayCounts =
        serde_json::from_value(crate::client::get(control, "/__relay/counts").json()).unwrap();
    assert_eq!(counts, relay.counts());
}

#[test]
fn nobody_listening_is_a_closed_connection_and_only_loopback_is_relayed() {
    let nobody = std::net::TcpListener::bind(any())
        .unwrap()
        .local_addr()
        .unwrap();
    let (relay, _) = relay(nobody, RelayPlan::default());
    let mut stream = TcpStream::connect(relay.addr()).unwrap();
    let _ = stream.write_all(b"hello");
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    assert!(got.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let refused = runtime.block_on(Relay::bind(
        any(),
        "192.0.2.1:80".parse().unwrap(),
        RelayPlan::default(),
    ));
    assert!(refused.unwrap_err().to_string().contains("loopback"));
}
