//! The page at `/`.

use super::{FakeBackend, ask};

#[tokio::test]
async fn a_stranger_reads_where_the_documents_are_and_nothing_of_the_server() {
    let (backend, router) = FakeBackend::with_router().await;
    for key in ["", "sk-wrong", backend.inference()] {
        let page = ask(&router, "GET /", key, "").await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("href=\"/docs\""), "{}", page.text);
        for known in ["Health<", "Version", env!("CARGO_PKG_VERSION"), "<script"] {
            assert!(!page.text.contains(known), "{known}: {}", page.text);
        }
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"));
    }
    let page = ask(&router, "GET /", backend.management(), "").await;
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["vary"], "authorization");
    assert!(page.text.contains("<h2>Health</h2>") && page.text.contains("<h2>Providers</h2>"));
    assert_eq!(page.text.matches("<h1>").count(), 1);
    assert!(page.text.ends_with("</html>\n"));
}
