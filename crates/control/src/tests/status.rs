//! `/routing/status`.

use super::{FakeBackend, NOW, ask};
use crate::status::Status;
use crate::table::routes;
use crate::{calls, document};

#[tokio::test]
async fn the_status_is_told_with_its_money_exact_and_read_back_as_it_was() {
    let (backend, router) = FakeBackend::with_router().await;
    let reply = ask(&router, "GET /v1/routing/status", backend.management(), "").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(
        reply.text.contains(r#""cost":1.000000001"#),
        "{}",
        reply.text
    );
    let told = reply.json();
    assert_eq!(told["data"]["at_ms"], NOW);
    let credential = &told["data"]["endpoints"][0]["credentials"][0];
    assert_eq!(credential["breakers"]["provider"], "closed");
    assert_eq!(credential["first_content_ms"]["p99"], 9);
    assert!(credential["rest_ms"].is_null(), "{told}");

    #[derive(serde::Deserialize)]
    struct Envelope {
        data: Status,
    }
    let read: Envelope = serde_json::from_str(&reply.text).unwrap();
    assert_eq!(read.data, crate::Backend::status(&*backend));
}

#[test]
fn every_member_of_the_status_is_described_in_the_document() {
    let document = document::write(&routes(), &calls::operations());
    let schema = &document["paths"]["/routing/status"]["get"]["responses"]["200"]["content"]["application/json"]
        ["schema"];
    let data = &schema["properties"]["data"];
    assert_eq!(
        data["$ref"], "#/components/schemas/RoutingStatus",
        "{schema}"
    );
    for name in [
        "RoutingStatus",
        "RoutingAlarm",
        "RoutingEndpoint",
        "RoutingCredential",
    ] {
        let members = document["components"]["schemas"][name]["properties"].as_object();
        for (member, described) in members.unwrap() {
            assert!(
                described["description"].is_string(),
                "{name}.{member}: {described}"
            );
        }
    }
}
