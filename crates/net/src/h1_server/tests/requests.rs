//! Requests, in every cut, beside hyper's reading of them.

use std::sync::atomic::Ordering::SeqCst;

use super::support::{Client, Outcome, Road, Server, exchange};

const HOST: &str = "host: a\r\n";

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\n{HOST}{headers}\r\n{body}")
}

/// Requests that both roads must answer in the same way, each with how many
/// answers there are, and whether the connection is kept behind them.
fn same() -> Vec<(String, usize, bool)> {
    let length = post("/a", "content-length: 5\r\n", "hello");
    let chunked = post(
        "/a?b=c",
        "Transfer-Encoding: Chunked\r\nX-One:  two words \r\n",
        "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
    );
    let bare = post("/a", "", "");
    let get = "GET /b HTTP/1.1\r\nhost: a\r\n\r\n".to_owned();
    let mut cases = vec![
        (bare.clone(), 1, true),
        (length.clone(), 1, true),
        (chunked.clone(), 1, true),
        (format!("\r\n\r\n{length}"), 1, true),
        (format!("{length}{chunked}{bare}{length}"), 4, true),
        (format!("{length}{get}{chunked}"), 3, true),
        (post("/theirs", "content-length: 2\r\n", "ok"), 1, true),
        (format!("{length}{}", post("/theirs", "", "")), 2, true),
        (post("/a", "connection: keep-alive\r\n", ""), 1, true),
        (post("/a", "Content-Length: 0\r\n", ""), 1, true),
        (post("/empty", "", ""), 1, true),
        (post("/a", "x: \t a \t\r\ny:\r\nz:z\r\n", ""), 1, true),
        (post("/a", "x: \u{fc}\r\nx: 2\r\n", ""), 1, true),
        (post("/a%20b?%", "", ""), 1, true),
        ("OPTIONS /a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 1, true),
        (
            "HEAD /unread HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            1,
            true,
        ),
        (
            "POST http://a/a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            1,
            true,
        ),
        (
            post("/a", "content-length: 2\r\ncontent-length: 2\r\n", "ok"),
            1,
            true,
        ),
        (
            "POST /a HTTP/1.1\nhost: a\ncontent-length: 2\n\nok".to_owned(),
            1,
            true,
        ),
        (
            post("/a", "connection: close\r\ncontent-length: 2\r\n", "ok"),
            1,
            false,
        ),
        (post("/a", "connection: x, close\r\n", ""), 1, false),
        (
            "POST /a HTTP/1.0\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            1,
            false,
        ),
        (
            "POST /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".to_owned(),
            1,
            true,
        ),
        ("POST /a HTTP/1.1\r\n\r\n".to_owned(), 1, true),
        (format!("POST /a HTTP/1.1\r\n{HOST}{HOST}\r\n"), 1, true),
        ("POST /a HTTP/2.0\r\nhost: a\r\n\r\n".to_owned(), 1, false),
        ("PO ST /a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 1, false),
        (
            "POST /\u{1} HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
            1,
            false,
        ),
        ("POST /a\r\nhost: a\r\n\r\n".to_owned(), 1, false),
        (post("/a", "x: a\r\n folded: b\r\n", ""), 1, false),
        (post("/a", "content-length : 5\r\n", "hello"), 1, false),
        (post("/a", " x: y\r\n", ""), 1, false),
        (post("/a", "no colon\r\n", ""), 1, false),
        (post("/a", "x: a\rb\r\n", ""), 1, false),
        (post("/a", "x: a\0b\r\n", ""), 1, false),
    ];
    for odd in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: -5",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length:",
        "content-length: 99999999999999999999",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
    ] {
        cases.push((post("/a", &format!("{odd}\r\n"), "hello"), 1, false));
    }
    cases
}

fn check(outcome: &Outcome, (request, count, keeps): &(String, usize, bool)) {
    assert_eq!(outcome.answers.len(), *count, "{request:?}: {outcome:?}");
    assert_eq!(outcome.is_closed, !keeps, "{request:?}: {outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn both_roads_answer_alike_and_keep_or_close_alike() {
    for case in same() {
        let request = case.0.as_bytes();
        let theirs = exchange(Road::Hypers, &[request]).await;
        check(&theirs, &case);
        let ours = exchange(Road::Ours, &[request]).await;
        let mut expected = theirs;
        // An answer that is the last says so; hyper's does not always.
        if ours.is_closed {
            for (theirs, ours) in expected.answers.iter_mut().zip(&ours.answers) {
                if ours.contains("connection: close") && !theirs.contains("connection: close") {
                    *theirs = ours.clone();
                }
            }
        }
        assert_eq!(ours, expected, "{:?}", case.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_means_the_same_wherever_it_is_cut() {
    for case in same() {
        let request = case.0.as_bytes();
        let whole = exchange(Road::Ours, &[request]).await;
        for at in 1..request.len() {
            let (first, second) = request.split_at(at);
            let cut = exchange(Road::Ours, &[first, second]).await;
            assert_eq!(cut.statuses(), whole.statuses(), "{:?} at {at}", case.0);
            assert_eq!(cut.is_closed, whole.is_closed, "{:?} at {at}", case.0);
            if whole.statuses() == [200] {
                assert_eq!(cut, whole, "{:?} at {at}", case.0);
            }
        }
        let bytes: Vec<&[u8]> = request.chunks(1).collect();
        let trickled = exchange(Road::Ours, &bytes).await;
        assert_eq!(
            trickled.statuses(),
            whole.statuses(),
            "{:?} by bytes",
            case.0
        );
    }
}

/// Bodies that are no chunks. hyper takes some of them; what is behind them
/// is never read as a request by us.
#[tokio::test(start_paused = true)]
async fn chunks_that_can_be_read_in_two_ways_end_the_connection() {
    let smuggled = "POST /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "\r\nhello",
        "g\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n",
        "fffffffffffffffff\r\nx",
        "ffffffffffffffff\r\nx",
        "5\r\nhello\r\n0\r\nbad\n\r\n",
        "5\r\nhello\r\n0\r\n\rx",
        "5\r\nhello\r\n0\r\nx\r\n\r\n",
        "5\r\nhello\r\n0\r\n: y\r\n\r\n",
        "5\r\nhello\r\n0\r\nx : y\r\n\r\n",
        "5\r\nhello\r\n0\r\n folded\r\n\r\n",
        "5\r\nhello\r\n0\r\nx: \u{1}\r\n\r\n",
    ] {
        let request = post("/a", "transfer-encoding: chunked\r\n", body);
        let outcome = exchange(Road::Ours, &[request.as_bytes(), smuggled.as_bytes()]).await;
        assert_eq!(outcome.statuses(), [400], "{body:?}");
        assert!(outcome.is_closed, "{body:?}");
        assert!(outcome.answers[0].contains("connection: close"), "{body:?}");
    }
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(1_025));
    let trailers = format!("0\r\nx: {}\r\n\r\n", "x".repeat(16 * 1_024));
    for body in [long, trailers] {
        let request = post("/a", "transfer-encoding: chunked\r\n", &body);
        let outcome = exchange(Road::Ours, &[request.as_bytes()]).await;
        assert_eq!((outcome.statuses(), outcome.is_closed), (vec![400], true));
    }
}

/// What is handed over, and what is not: only what is beyond doubt is read
/// here.
#[tokio::test(start_paused = true)]
async fn what_is_odd_is_hypers_from_there_on() {
    for (request, is_handed_over) in [
        (post("/a", "", ""), false),
        (post("/a", "content-length: 2\r\n", "ok"), false),
        (post("/a", "connection: Keep-Alive\r\n", ""), false),
        (post("/theirs", "", ""), true),
        ("GET /a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), true),
        (
            "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n".to_owned(),
            true,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), true),
        ("POST /a HTTP/1.0\r\nhost: a\r\n\r\n".to_owned(), true),
        ("POST /a HTTP/1.1\r\nhost: a\n\r\n".to_owned(), true),
        ("POST /a HTTP/1.1\r\n\r\n".to_owned(), true),
        (post("/a", HOST, ""), true),
        (
            post("/a", "expect: 100-continue\r\ncontent-length: 2\r\n", "ok"),
            true,
        ),
        (
            post("/a", "upgrade: websocket\r\nconnection: upgrade\r\n", ""),
            true,
        ),
        (post("/a", "connection: te\r\n", ""), true),
        (
            post("/a", "content-length: 2\r\ncontent-length: 2\r\n", "ok"),
            true,
        ),
        (
            post(
                "/a",
                "content-length: 2\r\ntransfer-encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            true,
        ),
        (
            post(
                "/a",
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            true,
        ),
        (post("/a", &"x: y\r\n".repeat(64), ""), true),
        (
            post("/a", &format!("x: {}\r\n", "y".repeat(17_000)), ""),
            true,
        ),
    ] {
        // Behind a good one, too.
        for before in ["", &post("/a", "content-length: 2\r\n", "ok")] {
            let server = Server::new();
            let mut client = Client::connect(&server, Road::Ours);
            client.send(format!("{before}{request}").as_bytes()).await;
            client.receive().await;
            let handed_over = server.seen.handed_over.load(SeqCst) == 1;
            assert_eq!(handed_over, is_handed_over, "{request:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_waits_for_leave_is_given_it() {
    let server = Server::new();
    let mut client = Client::connect(&server, Road::Ours);
    let head = post("/a", "expect: 100-continue\r\ncontent-length: 2\r\n", "");
    client.send(head.as_bytes()).await;
    let (said, _) = client.receive().await;
    assert_eq!(said, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"ok").await;
    let (said, is_closed) = client.receive().await;
    assert!(
        said.starts_with("HTTP/1.1 200 OK") && said.ends_with("ok"),
        "{said}"
    );
    assert!(!is_closed);
}

#[tokio::test(start_paused = true)]
async fn a_header_that_nobody_reads_is_checked_and_left_out() {
    let request = post("/a", "x-unread: 1\r\nX-Unread: 2\r\nx-read: 3\r\n", "");
    let outcome = exchange(Road::Ours, &[request.as_bytes()]).await;
    assert!(outcome.answers[0].contains("x-read"), "{outcome:?}");
    assert!(!outcome.answers[0].contains("x-unread"), "{outcome:?}");
    let request = post("/a", "x-unread : 1\r\n", "");
    let outcome = exchange(Road::Ours, &[request.as_bytes()]).await;
    assert_eq!((outcome.statuses(), outcome.is_closed), (vec![400], true));
}

/// A body that nobody reads is skipped if it is there; otherwise the answer
/// is the last, and says so.
#[tokio::test(start_paused = true)]
async fn behind_a_body_that_was_not_read_no_request_is_guessed_at() {
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    for (headers, body, keeps) in [
        ("content-length: 2\r\n", "ok", true),
        ("content-length: 3\r\n", "ok", false),
        ("content-length: 99999999999999\r\n", "ok", false),
        ("transfer-encoding: chunked\r\n", chunks, true),
        ("transfer-encoding: chunked\r\n", "2\r\nok\r\n", false),
        ("transfer-encoding: chunked\r\n", "nonsense", false),
    ] {
        let request = post("/unread", headers, body);
        let theirs = exchange(Road::Hypers, &[request.as_bytes()]).await;
        let ours = exchange(Road::Ours, &[request.as_bytes()]).await;
        assert_eq!(ours.statuses(), [401], "{headers}{body}");
        assert_eq!(ours.is_closed, !keeps, "{headers}{body}");
        assert_eq!(theirs.is_closed, !keeps, "{headers}{body}");
        assert_eq!(ours.answers[0].contains("connection: close"), !keeps);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_any_size_arrives_whole_however_it_comes() {
    let body: String = ('a'..='z').cycle().take(900_000).collect();
    for piece in [999, 64 * 1024, 900_000] {
        for is_chunked in [false, true] {
            let server = Server::new();
            let mut client = Client::connect(&server, Road::Ours);
            let headers = match is_chunked {
                true => "transfer-encoding: chunked\r\n".to_owned(),
                false => format!("content-length: {}\r\n", body.len()),
            };
            client.send(post("/a", &headers, "").as_bytes()).await;
            for piece in body.as_bytes().chunks(piece) {
                if is_chunked {
                    client
                        .send(format!("{:x}\r\n", piece.len()).as_bytes())
                        .await;
                }
                client.send(piece).await;
                if is_chunked {
                    client.send(b"\r\n").await;
                }
            }
            if is_chunked {
                client.send(b"0\r\n\r\n").await;
            }
            let (said, is_closed) = client.receive().await;
            assert!(said.ends_with(&body), "{piece} {is_chunked}");
            assert!(!is_closed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_cut_off_is_an_error_and_no_request() {
    for (headers, body) in [
        ("content-length: 9\r\n", "ok"),
        ("transfer-encoding: chunked\r\n", "9\r\nok"),
        ("transfer-encoding: chunked\r\n", "2\r\nok\r\n0\r\n"),
    ] {
        let server = Server::new();
        let mut client = Client::connect(&server, Road::Ours);
        client.send(post("/a", headers, body).as_bytes()).await;
        tokio::io::AsyncWriteExt::shutdown(&mut client.wire)
            .await
            .unwrap();
        let (said, is_closed) = client.receive().await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{headers}{body}: {said}");
        assert!(said.ends_with("broken"), "{headers}{body}: {said}");
        assert!(is_closed);
    }
}
