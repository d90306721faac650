//! Requests made of parts that are right, odd and wrong, beside hyper.

use proptest::prelude::*;

use super::support::{Road, exchange};

fn part<const N: usize>(parts: [&'static str; N]) -> impl Strategy<Value = String> {
    prop::sample::select(parts.to_vec()).prop_map(str::to_owned)
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => part(["POST /a HTTP/1.1\r\n", "POST /a?b HTTP/1.1\r\n"]),
        1 => part([
            "GET /a HTTP/1.1\r\n", "POST /a HTTP/1.0\r\n", "POST /a\r\n", "POST  /a HTTP/1.1\r\n",
            "post /a HTTP/1.1\r\n", "\r\nPOST /a HTTP/1.1\r\n", "POST /a HTTP/1.1\n", "POST /theirs HTTP/1.1\r\n",
            "POST * HTTP/1.1\r\n", "POST http://b/a HTTP/1.1\r\n", "POST //a HTTP/1.1\r\n",
        ]),
    ]
}

fn header() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => part(["host: a\r\n", "x: y\r\n", "accept: */*\r\n", "x:\r\n"]),
        4 => part(["content-length: 5\r\n", "transfer-encoding: chunked\r\n", "content-length: 0\r\n"]),
        2 => part([
            "connection: close\r\n", "connection: keep-alive\r\n", "Connection: keep-alive, close\r\n",
            "connection: upgrade\r\n", "connection: x\r\n", "transfer-encoding: chunked, chunked\r\n",
            "Content-Length:5\r\n", "content-length: 6\r\n", "content-length: 05\r\n", "content-length: x\r\n",
            "Transfer-Encoding:\tchunked\r\n", "transfer-encoding: identity\r\n", "te: trailers\r\n",
        ]),
        1 => part([
            " x: y\r\n", "x : y\r\n", "x: y\n", "x y\r\n", "x: \u{1}\r\n", ": y\r\n", "x: y\r\r\n", "\u{fc}: y\r\n",
        ]),
        1 => "[ -~]{0,20}\r\n",
    ]
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => part(["hello", "5\r\nhello\r\n0\r\n\r\n", "", "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nx: y\r\n\r\n"]),
        1 => part([
            "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "005\r\nhello\r\n0\r\n\r\n",
            "0\r\n\r\n", "0\r\nx\r\n\r\n", "5\r\nhello\r\n0\r\n \r\n\r\n", "g\r\n", "-1\r\n",
        ]),
        1 => "[0-9a-f]{0,3}\r\n[ -~]{0,8}\r\n",
    ]
}

fn request() -> impl Strategy<Value = String> {
    let headers = prop::collection::vec(header(), 0..5).prop_map(|headers| headers.concat());
    (line(), any::<bool>(), headers, body()).prop_map(|(line, has_host, headers, body)| {
        let host = if has_host { "host: a\r\n" } else { "" };
        format!("{line}{host}{headers}\r\n{body}")
    })
}

/// What hyper serves and we refuse: chunks that are not quite chunks. Nothing
/// else, and never the other way round.
fn is_stricter(request: &str, ours: &[u16], theirs: &[u16]) -> bool {
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    // The first that differs is our refusal, and our last word.
    request.to_ascii_lowercase().contains("chunked")
        && ours.get(same).is_none_or(|status| *status == 400)
        && ours.len() <= same + 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// No panic, no hang, and hyper's verdict or a stricter one.
    #[test]
    fn any_bytes_are_answered_as_hyper_would_or_more_strictly(
        requests in prop::collection::vec(request(), 1..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let text = requests.concat();
        let bytes = text.as_bytes();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (ours, theirs, cut) = runtime.block_on(async {
            (
                exchange(Road::Ours, &pieces).await,
                exchange(Road::Hypers, &[bytes]).await,
                exchange(Road::Hypers, &pieces).await,
            )
        });
        // Where a head that is wrong is not all there, hyper may wait for its
        // end before it says so, as may we, but not at the same cuts.
        let is_same = [&theirs, &cut].iter().any(|theirs| {
            ours.statuses() == theirs.statuses() && ours.is_closed == theirs.is_closed
        });
        prop_assert!(
            is_same || is_stricter(&text, &ours.statuses(), &theirs.statuses()),
            "{text:?} in {pieces:?}\nours {ours:?}\nhyper's {theirs:?}"
        );
    }
}
