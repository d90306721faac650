use std::sync::atomic::AtomicBool;

use super::*;

/// Answers with 192.0.2.n at the n-th question, or fails.
#[derive(Default)]
struct Scripted {
    questions: AtomicUsize,
    fails: AtomicBool,
    delay_ms: AtomicUsize,
}

impl Resolve for Arc<Scripted> {
    fn resolve(&self, _: Arc<str>) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let count = this.questions.fetch_add(1, Ordering::SeqCst) + 1;
            let delay = this.delay_ms.load(Ordering::SeqCst) as u64;
            tokio::time::sleep(Duration::from_millis(delay)).await;
            if this.fails.load(Ordering::SeqCst) {
                return Err(io::Error::other("the resolver is ill"));
            }
            Ok(vec![IpAddr::from([
                192,
                0,
                2,
                u8::try_from(count % 250).unwrap(),
            ])])
        })
    }
}

fn scripted() -> (Dns, Arc<Scripted>) {
    let script = Arc::new(Scripted::default());
    (Dns::new(Arc::new(script.clone())), script)
}

async fn ask_for(dns: &Dns, host: &str) -> Result<String, NetErrorKind> {
    dns.lookup(&Arc::from(host))
        .await
        .map(|found| {
            found
                .iter()
                .map(IpAddr::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .map_err(|error| error.kind)
}

async fn let_pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[tokio::test(start_paused = true)]
async fn concurrent_callers_share_one_question() {
    let (dns, script) = scripted();
    script.delay_ms.store(100, Ordering::SeqCst);
    let answers = futures_util::future::join_all((0..50).map(|_| ask_for(&dns, "a"))).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_deref() == Ok("192.0.2.1"))
    );
    assert_eq!(script.questions.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_does_not_take_the_answer_away() {
    let (dns, script) = scripted();
    script.delay_ms.store(100, Ordering::SeqCst);
    let leaves = tokio::time::timeout(Duration::from_millis(50), ask_for(&dns, "a"));
    let (left, stays) = futures_util::future::join(leaves, ask_for(&dns, "a")).await;
    assert!(left.is_err());
    assert_eq!(stays.unwrap(), "192.0.2.1");
    assert_eq!(script.questions.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_used_name_is_refreshed_behind_its_users_back() {
    let (dns, script) = scripted();
    assert_eq!(ask_for(&dns, "a").await.unwrap(), "192.0.2.1");
    let_pass(Duration::from_secs(29)).await;
    assert_eq!(ask_for(&dns, "a").await.unwrap(), "192.0.2.1");
    assert_eq!(script.questions.load(Ordering::SeqCst), 1);
    let_pass(Duration::from_secs(2)).await;
    script.delay_ms.store(1000, Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(
            ask_for(&dns, "a").await.unwrap(),
            "192.0.2.1",
            "known, and at once"
        );
    }
    let_pass(Duration::from_secs(2)).await;
    assert_eq!(ask_for(&dns, "a").await.unwrap(), "192.0.2.2");
    assert_eq!(script.questions.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_the_last_good_answer_and_is_not_asked_about_all_the_time() {
    let (dns, script) = scripted();
    assert_eq!(ask_for(&dns, "a").await.unwrap(), "192.0.2.1");
    script.fails.store(true, Ordering::SeqCst);
    for _ in 0..600 {
        let_pass(Duration::from_millis(500)).await;
        assert_eq!(ask_for(&dns, "a").await.unwrap(), "192.0.2.1");
    }
    let questions = script.questions.load(Ordering::SeqCst);
    assert!(questions < 300, "{questions} in five minutes");
    script.fails.store(false, Ordering::SeqCst);
    let_pass(Duration::from_secs(2)).await;
    ask_for(&dns, "a").await.unwrap();
    let_pass(Duration::from_secs(1)).await;
    assert_ne!(ask_for(&dns, "a").await.unwrap(), "192.0.2.1");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_fails_and_may_be_asked_again_after_a_second() {
    let (dns, script) = scripted();
    script.fails.store(true, Ordering::SeqCst);
    assert_eq!(ask_for(&dns, "a").await, Err(NetErrorKind::Resolve));
    for _ in 0..10 {
        assert_eq!(ask_for(&dns, "a").await, Err(NetErrorKind::Resolve));
    }
    assert_eq!(script.questions.load(Ordering::SeqCst), 1);
    script.fails.store(false, Ordering::SeqCst);
    let_pass(Duration::from_millis(1100)).await;
    assert_eq!(ask_for(&dns, "a").await.unwrap(), "192.0.2.2");
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_is_given_up() {
    let (dns, script) = scripted();
    script.delay_ms.store(60_000, Ordering::SeqCst);
    assert_eq!(ask_for(&dns, "a").await, Err(NetErrorKind::Resolve));
}

struct Several;

impl Resolve for Several {
    fn resolve(&self, _: Arc<str>) -> Resolving {
        Box::pin(async { Ok((1..=3_u8).map(|n| IpAddr::from([192, 0, 2, n])).collect()) })
    }
}

#[tokio::test]
async fn addresses_take_turns() {
    let dns = Dns::new(Arc::new(Several));
    let mut firsts = Vec::new();
    for _ in 0..7 {
        firsts.push(dns.lookup(&Arc::from("a")).await.unwrap()[0].to_string());
    }
    for n in 1..=3 {
        assert!(firsts.contains(&format!("192.0.2.{n}")), "{firsts:?}");
    }
}

struct Panics;

impl Resolve for Panics {
    fn resolve(&self, _: Arc<str>) -> Resolving {
        Box::pin(async { panic!("a resolver with a bug") })
    }
}

#[tokio::test]
async fn a_lookup_that_dies_does_not_block_the_name_for_ever() {
    let dns = Dns::new(Arc::new(Panics));
    for _ in 0..3 {
        let outcome = tokio::time::timeout(Duration::from_secs(1), ask_for(&dns, "a")).await;
        assert_eq!(outcome.unwrap(), Err(NetErrorKind::Resolve));
    }
}

#[tokio::test(start_paused = true)]
async fn the_table_of_names_is_bounded() {
    let (dns, script) = scripted();
    script.fails.store(true, Ordering::SeqCst);
    for n in 0..NAMES_MAX + 50 {
        let _ = ask_for(&dns, &format!("host-{n}")).await;
    }
    assert!(dns.shared.entries.lock().unwrap().len() <= NAMES_MAX);
}
