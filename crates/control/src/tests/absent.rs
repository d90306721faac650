//! What of OpenRouter's API is not here says so.

use std::collections::BTreeSet;

use super::{FakeBackend, ask};
use crate::absent::ABSENT;

/// Every operation of openrouter.ai's API document of 27 October 2026: paths,
/// each with its methods.
const DOCUMENT: &str = "
    /activity GET
    /analytics/meta GET
    /analytics/query POST
    /api/alpha/decisions POST
    /audio/speech POST
    /audio/transcriptions POST
    /auth/keys POST
    /auth/keys/code POST
    /batches GET POST
    /batches/{} DELETE GET
    /benchmarks GET
    /byok GET POST
    /byok/{} DELETE GET PATCH
    /chat/completions POST
    /classifications/task GET
    /containers/{}/files GET
    /containers/{}/files/{} GET
    /containers/{}/files/{}/content GET
    /containers/{}/files/{}/promote POST
    /credits GET
    /credits/coinbase POST
    /datasets/app-rankings GET
    /datasets/rankings-daily GET
    /datasets/session-cost GET
    /embeddings POST
    /embeddings/models GET
    /endpoints/zdr GET
    /external-users GET POST
    /external-users/{} DELETE GET PATCH
    /files GET POST
    /files/{} DELETE GET
    /files/{}/content GET
    /generation GET
    /generation/content GET
    /generation/feedback POST
    /guardrails GET POST
    /guardrails/assignments/keys GET
    /guardrails/assignments/members GET
    /guardrails/{} DELETE GET PATCH
    /guardrails/{}/assignments/keys GET POST
    /guardrails/{}/assignments/keys/remove POST
    /guardrails/{}/assignments/members GET POST
    /guardrails/{}/assignments/members/remove POST
    /images POST
    /images/models GET
    /images/models/{}/{}/endpoints GET
    /key GET
    /keys GET POST
    /keys/{} DELETE GET PATCH
    /messages POST
    /model/{}/{} GET
    /models GET
    /models/count GET
    /models/user GET
    /models/{}/{}/endpoints GET
    /oauth/jwks GET
    /oauth/token POST
    /observability/destinations GET POST
    /observability/destinations/{} DELETE GET PATCH
    /organization/members GET
    /organization/settings GET PATCH
    /presets GET
    /presets/{} GET
    /presets/{}/chat/completions POST
    /presets/{}/messages POST
    /presets/{}/responses POST
    /presets/{}/versions GET
    /presets/{}/versions/{} GET
    /private-endpoints GET POST
    /private-endpoints/{} DELETE GET PATCH
    /private-endpoints/{}/activate POST
    /private-endpoints/{}/disable POST
    /private-endpoints/{}/enable POST
    /private-endpoints/{}/pricing PUT
    /private-endpoints/{}/validate POST
    /providers GET
    /rerank POST
    /responses POST
    /scim/group-mappings GET POST
    /scim/group-mappings/{} DELETE GET PATCH
    /scim/groups GET
    /scim/sync-jobs POST
    /scim/sync-jobs/{} GET
    /systemone POST
    /tools GET
    /tools/{} GET
    /vault/interns/{}/connections GET
    /vault/interns/{}/effective-secrets GET
    /vault/interns/{}/secrets GET
    /vault/interns/{}/secrets/copy POST
    /vault/interns/{}/secrets/{} DELETE PUT
    /vault/secrets GET
    /vault/secrets/{} DELETE PUT
    /videos POST
    /videos/models GET
    /videos/{} GET
    /videos/{}/content GET
    /workspaces GET POST
    /workspaces/{} DELETE GET PATCH
    /workspaces/{}/budgets GET
    /workspaces/{}/budgets/{} DELETE GET PUT
    /workspaces/{}/members GET
    /workspaces/{}/members/add POST
    /workspaces/{}/members/remove POST
";

fn operations(
    rows: impl Iterator<Item = (&'static str, &'static str)>,
) -> BTreeSet<(String, String)> {
    rows.flat_map(|(path, methods)| {
        methods
            .split(' ')
            .map(|one| (path.to_owned(), one.to_owned()))
    })
    .collect()
}

#[tokio::test]
async fn every_operation_of_openrouters_document_is_here_or_says_that_it_is_not() {
    let rows = DOCUMENT
        .lines()
        .filter_map(|line| line.trim().split_once(' '));
    let documented = operations(rows);
    assert_eq!(documented.len(), 139);
    let absent = operations(ABSENT.iter().copied());
    assert!(absent.is_subset(&documented), "{absent:?}");
    let (backend, router) = FakeBackend::with_router().await;
    let document = ask(&router, "GET /openapi.json", "", "").await.json();
    let mut here = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let parts = path
            .split('/')
            .map(|part| if part.starts_with('{') { "{}" } else { part });
        let path: Vec<_> = parts.collect();
        for method in methods.as_object().unwrap().keys() {
            here.insert((path.join("/"), method.to_uppercase()));
        }
    }
    for operation in &documented {
        let is_here = here.contains(operation);
        assert_ne!(is_here, absent.contains(operation), "{operation:?}");
        if is_here {
            continue;
        }
        let (path, method) = operation;
        let asked = path.replace("{}", "x-1");
        for prefix in ["/v1", "/api/v1"] {
            let prefix = if path.starts_with("/api/") {
                ""
            } else {
                prefix
            };
            let line = format!("{method} {prefix}{asked}");
            for key in ["", backend.inference()] {
                let message = ask(&router, &line, key, "").await.failure(404);
                assert!(
                    message.contains("is not offered by this server yet"),
                    "{line}: {message}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_misspelt_path_is_still_one() {
    let (_, router) = FakeBackend::with_router().await;
    for line in [
        "GET /v1/embedding",
        "GET /v1/batches/a/b",
        "GET /v1/batches//",
        "PUT /v1/embeddings",
    ] {
        let message = ask(&router, line, "", "").await.failure(404);
        assert!(message.ends_with("does not exist"), "{line}: {message}");
    }
}
