//! From two fixed answers of a server to what is on the screen.

use bourse_control::status::{
    Attempts, Breaker, Breakers, Calls, Credential, Endpoint, Journal, Quantiles, Status,
};
use bourse_vocab::Nanos;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::screen::{Next, Screen};
use super::table::{Column, Order, Shown, Tone, body, head};
use super::view::{State, View};

const CLOSED: Breakers = Breakers {
    endpoint: Breaker::Closed,
    credential: Breaker::Closed,
    provider: Breaker::Closed,
};

fn endpoint(id: &str, attempts: Attempts, credentials: Vec<Credential>) -> Endpoint {
    let (model, provider) = id.split_once('@').unwrap();
    Endpoint {
        endpoint: id.to_owned(),
        model: model.to_owned(),
        provider: provider.to_owned(),
        attempts,
        credentials,
        ..Endpoint::default()
    }
}

fn status(at_ms: u64, endpoints: Vec<Endpoint>) -> Status {
    Status {
        at_ms,
        targets: 12,
        endpoints,
        ..Status::default()
    }
}

/// One that rests with one of two keys.
fn limited(rate_limited: u64) -> Endpoint {
    let attempts = Attempts {
        rate_limited,
        ..Attempts::default()
    };
    let rests = Credential {
        credential: 1,
        rest_ms: Some(7_100),
        in_flight: 1,
        ..Credential::default()
    };
    let credentials = vec![Credential::default(), rests];
    endpoint("acme/chat@limited", attempts, credentials)
}

/// One whose provider is broken.
fn broken(failed: u64) -> Endpoint {
    let attempts = Attempts {
        failed,
        ..Attempts::default()
    };
    let breakers = Breakers {
        provider: Breaker::Open,
        ..CLOSED
    };
    let credential = Credential {
        breakers,
        probe_in_ms: Some(11_001),
        ..Credential::default()
    };
    endpoint("acme/chat@broken", attempts, vec![credential])
}

/// Two seconds of a server with one endpoint that is well, one that rests with
/// one of two keys, and one whose provider is broken.
fn sample() -> View {
    let well = |succeeded, completion_tokens, cost| Endpoint {
        completion_tokens,
        cost: Nanos(cost),
        charge: Nanos(cost * 2),
        ..endpoint(
            "acme/chat@well",
            Attempts {
                succeeded,
                cancelled: 1,
                ..Attempts::default()
            },
            vec![Credential {
                in_flight: 3,
                first_content_ms: Some(Quantiles { p50: 210, p99: 900 }),
                tokens_per_s: Some(Quantiles { p50: 80, p99: 120 }),
                ..Credential::default()
            }],
        )
    };
    let mut before = status(1_000, vec![broken(0), limited(5), well(10, 100, 1_000_000)]);
    let mut now = status(
        3_000,
        vec![broken(4), limited(6), well(31, 1_100, 41_000_000)],
    );
    before.calls = Calls {
        admitted: 20,
        shed: [("overload".to_owned(), 1)].into(),
        ..Calls::default()
    };
    now.calls = Calls {
        admitted: 45,
        failed: [("caller".to_owned(), 1), ("us".to_owned(), 2)].into(),
        shed: [("overload".to_owned(), 6)].into(),
        in_flight: 4,
        limit: Some(256),
        waiting: 2,
        delay_us: 1_250,
        drains: 1,
        hedges: [("first", 2), ("none", 0), ("second", 3)]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
        continuations: [("no".to_owned(), 0), ("yes".to_owned(), 0)].into(),
    };
    now.journal = Journal {
        unapplied_bytes: 4_096,
        holds_open: 4,
        database_behind_s: Some(9),
        ..Journal::default()
    };
    View::between("http://127.0.0.1:8787", &before, &now)
}

fn text(lines: &[Shown]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.text.trim_end()).collect();
    lines.join("\n")
}

fn by(column: Column, filter: &str) -> View {
    let mut view = sample();
    Order::by(column).apply(&mut view, filter);
    view
}

fn ids(view: &View) -> Vec<&str> {
    let ids = view.endpoints.iter().map(|line| &*line.endpoint);
    ids.map(|id| id.split_once('@').unwrap().1).collect()
}

const HEAD: &str = "\
bourse at http://127.0.0.1:8787, over 2s
calls     12.5/s, failed 1.5/s, shed 2.5/s; 4 in flight (limit 256), 2 waiting, 1 drains, delay 1.250 ms
in all    shed 6 (overload 6); hedges 5 (first 2, second 3); continuations 0
money     cost 1.2000 $/min, charged 2.4000 $/min, 500 tokens/s, 4 holds open
journal   4096 bytes behind, database behind 9s
endpoints 3 asked of 12 targets: 1 broken, 0 resting";
const BODY: &str = "\
ENDPOINT          STATE                 REQ/S   ERR/S   429/S FLIGHT  P50 MS  P99 MS    TOK/S   EACH     $/MIN
acme/chat@well    ok                     10.5     0.0     0.0      3     210     900      500     80    1.2000
acme/chat@broken  provider open 12s       2.0     2.0     0.0      0       -       -        0      -    0.0000
acme/chat@limited ok 1/2                  0.5     0.0     0.5      1       -       -        0      -    0.0000";

#[test]
fn a_fixed_sample_is_this_table() {
    let view = by(Column::Requests, "");
    let (head, body) = (head(&view), body(&view, None));
    assert_eq!(text(&head), HEAD);
    assert_eq!(text(&body), BODY);
}

#[test]
fn what_needs_a_look_is_coloured_and_nothing_else() {
    let view = by(Column::Endpoint, "");
    let tones = |lines: Vec<Shown>| lines.iter().map(|line| line.tone).collect::<Vec<_>>();
    use Tone::{Bad, Heading, Plain, Uneasy};
    assert_eq!(
        tones(head(&view)),
        [Plain, Uneasy, Plain, Plain, Uneasy, Uneasy]
    );
    assert_eq!(tones(body(&view, None)), [Heading, Bad, Plain, Plain]);
}

#[test]
fn the_order_is_that_of_the_column_and_ties_go_by_id() {
    assert_eq!(
        ids(&by(Column::Endpoint, "")),
        ["broken", "limited", "well"]
    );
    assert_eq!(ids(&by(Column::State, "")), ["broken", "limited", "well"]);
    assert_eq!(
        ids(&by(Column::Requests, "")),
        ["well", "broken", "limited"]
    );
    assert_eq!(ids(&by(Column::Limited, "")), ["limited", "broken", "well"]);
    assert_eq!(ids(&by(Column::P99, "")), ["well", "broken", "limited"]);
    assert_eq!(ids(&by(Column::Cost, "")), ["well", "broken", "limited"]);
    let mut reversed = sample();
    Order::by(Column::P99).reversed().apply(&mut reversed, "");
    assert_eq!(ids(&reversed), ["limited", "broken", "well"]);
    let all = 11;
    let order = Order::by(Column::Cost);
    assert_eq!(order.moved(1), Order::by(Column::Endpoint), "round");
    assert_eq!(order.moved(all), order);
    assert_eq!(Order::by(Column::Endpoint).moved_back(), order);
}

#[test]
fn a_filter_looks_at_ids_and_states_and_leaves_the_totals() {
    assert_eq!(ids(&by(Column::Endpoint, "LIMITED")), ["limited"]);
    let open = by(Column::Endpoint, "open");
    assert_eq!(ids(&open), ["broken"]);
    assert_eq!(open.totals, sample().totals);
    assert!(ids(&by(Column::Endpoint, "nobody")).is_empty());
}

#[test]
fn an_endpoint_is_as_well_as_the_best_of_its_credentials() {
    let open = |breakers| Credential {
        breakers,
        probe_in_ms: Some(2_000),
        ..Credential::default()
    };
    let of = |credentials: Vec<Credential>| {
        let now = status(1, vec![endpoint("a/b@c", Attempts::default(), credentials)]);
        let view = View::between("", &Status::default(), &now);
        (
            view.endpoints[0].state,
            view.endpoints[0].state_text.clone(),
        )
    };
    let endpoint_open = open(Breakers {
        endpoint: Breaker::Open,
        ..CLOSED
    });
    let key_open = open(Breakers {
        endpoint: Breaker::Open,
        credential: Breaker::Open,
        ..CLOSED
    });
    let probe = Credential {
        breakers: Breakers {
            provider: Breaker::Probe,
            ..CLOSED
        },
        ..Credential::default()
    };
    let said = |state, text: &str| (state, text.to_owned());
    assert_eq!(of(vec![endpoint_open]), said(State::Open, "open 2s"));
    assert_eq!(of(vec![key_open.clone()]), said(State::Open, "key open 2s"));
    assert_eq!(
        of(vec![key_open.clone(), probe]),
        said(State::Probe, "probe")
    );
    let full = Credential {
        in_flight: 9,
        calls_max: Some(9),
        ..Credential::default()
    };
    let room = Credential {
        in_flight: 8,
        ..full
    };
    let all_full = vec![key_open.clone(), full.clone()];
    assert_eq!(of(all_full), said(State::Full, "full 9"));
    assert_eq!(of(vec![full, room]), said(State::Ok, "ok 1/2"));
    let one_of_two = vec![key_open, Credential::default()];
    assert_eq!(of(one_of_two), said(State::Ok, "ok 1/2"));
}

#[test]
fn counters_that_went_back_and_looks_at_the_same_moment_make_no_rate() {
    let of = |succeeded| {
        let attempts = Attempts {
            succeeded,
            ..Attempts::default()
        };
        vec![endpoint("a/b@c", attempts, Vec::new())]
    };
    let restarted = View::between("", &status(1_000, of(50)), &status(2_000, of(3)));
    assert_eq!(restarted.endpoints[0].requests_per_s, 0.0);
    let same = View::between("", &status(1_000, of(3)), &status(1_000, of(3)));
    assert_eq!(same.endpoints[0].requests_per_s, 0.0);
}

#[test]
fn what_comes_from_elsewhere_cannot_steer_the_terminal() {
    let mut view = sample();
    view.totals.trouble = Some("full\u{1b}[2J\r\n".to_owned());
    view.endpoints[0].endpoint = "acme/\u{9b}31m@x".to_owned();
    let shown = [head(&view), body(&view, None)].concat();
    assert!(text(&shown).contains("no call is served: full?[2J??"));
    for line in shown {
        assert!(!line.text.contains(char::is_control), "{line:?}");
    }
}

fn press(screen: &mut Screen, keys: &str) -> Next {
    let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
    let pressed = keys.chars().map(|letter| match letter {
        '\n' => key(KeyCode::Enter),
        '\u{1b}' => key(KeyCode::Esc),
        '<' => key(KeyCode::Backspace),
        'v' => key(KeyCode::Down),
        letter => key(KeyCode::Char(letter)),
    });
    pressed.map(|key| screen.press(key)).last().unwrap()
}

#[test]
fn keys_sort_filter_move_and_end() {
    let mut screen = Screen::new(Order::by(Column::Endpoint), String::new(), (120, 30));
    assert_eq!(screen.lines()[0].text, "asking the server ...");
    screen.see(Ok(sample()));
    let rows = |screen: &mut Screen| {
        let lines = screen.lines();
        let rows = lines
            .iter()
            .filter(|line| line.text.starts_with("acme/chat@"));
        let ids = rows.map(|line| line.text[10..].split(' ').next().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(rows(&mut screen), ["broken", "limited", "well"]);
    press(&mut screen, "ss");
    assert_eq!(rows(&mut screen), ["well", "broken", "limited"]);
    assert!(text(&screen.lines()).contains("sorted by REQ/S"));
    press(&mut screen, "r");
    assert_eq!(rows(&mut screen), ["limited", "broken", "well"]);
    // While a filter is typed, letters are letters.
    press(&mut screen, "/qr<");
    assert!(text(&screen.lines()).contains("/q_"), "not ended");
    assert!(rows(&mut screen).is_empty());
    press(&mut screen, "<well\n");
    assert!(text(&screen.lines()).contains("filtered by \"well\""));
    assert_eq!(rows(&mut screen), ["well"]);
    press(&mut screen, "\u{1b}");
    assert_eq!(rows(&mut screen).len(), 3);
    assert_eq!(press(&mut screen, "q"), Next::End);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    press(&mut screen, "/");
    assert_eq!(screen.press(control_c), Next::End, "also while typing");
}

#[test]
fn no_line_is_longer_than_the_terminal_and_no_screen_higher_whatever_its_size() {
    let mut screen = Screen::new(Order::by(Column::Endpoint), String::new(), (120, 30));
    screen.see(Ok(sample()));
    screen.see(Err("no server answers there".to_owned()));
    let told = text(&screen.lines());
    assert!(told.contains("no server answers there"), "{told}");
    assert!(
        told.contains("acme/chat@well"),
        "what was seen stays: {told}"
    );
    for (width, height) in [(120, 10), (40, 30), (1, 1), (0, 0), (120, 2)] {
        screen.resize(width, height);
        let lines = screen.lines();
        assert!(
            lines.len() <= usize::from(height.max(1)),
            "{width}x{height}"
        );
        for line in &lines {
            assert!(line.text.chars().count() <= usize::from(width), "{line:?}");
        }
    }
    // Of three endpoints one has room, and the last one is the furthest.
    screen.resize(120, 10);
    press(&mut screen, "vvvvvv");
    assert!(text(&screen.lines()).contains("acme/chat@well"));
    assert!(!text(&screen.lines()).contains("acme/chat@broken"));
    screen.see(Ok(sample()));
    assert!(!text(&screen.lines()).contains("no server answers"));
}
