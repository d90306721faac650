//! Operations of OpenRouter's API that are not here.
//!
//! A client that was written for OpenRouter calls them, and an answer as to a
//! misspelt path would send its author to look for a mistake that is not there.

use axum::http::Method;

/// Paths and their methods, of openrouter.ai's API document of 27 October 2026;
/// `{}` stands for one part of a path. Whoever adds one of them here takes its
/// row away: a test compares them with the routes.
pub(crate) const ABSENT: &[(&str, &str)] = &[
    ("/analytics/meta", "GET"),
    ("/analytics/query", "POST"),
    ("/api/alpha/decisions", "POST"),
    ("/auth/keys", "POST"),
    ("/auth/keys/code", "POST"),
    ("/benchmarks", "GET"),
    ("/byok", "GET POST"),
    ("/byok/{}", "DELETE GET PATCH"),
    ("/classifications/task", "GET"),
    ("/containers/{}/files", "GET"),
    ("/containers/{}/files/{}", "GET"),
    ("/containers/{}/files/{}/content", "GET"),
    ("/containers/{}/files/{}/promote", "POST"),
    ("/credits/coinbase", "POST"),
    ("/datasets/app-rankings", "GET"),
    ("/datasets/rankings-daily", "GET"),
    ("/datasets/session-cost", "GET"),
    ("/external-users", "GET POST"),
    ("/external-users/{}", "DELETE GET PATCH"),
    ("/generation/content", "GET"),
    ("/generation/feedback", "POST"),
    ("/guardrails", "GET POST"),
    ("/guardrails/assignments/keys", "GET"),
    ("/guardrails/assignments/members", "GET"),
    ("/guardrails/{}", "DELETE GET PATCH"),
    ("/guardrails/{}/assignments/keys", "GET POST"),
    ("/guardrails/{}/assignments/keys/remove", "POST"),
    ("/guardrails/{}/assignments/members", "GET POST"),
    ("/guardrails/{}/assignments/members/remove", "POST"),
    ("/oauth/jwks", "GET"),
    ("/oauth/token", "POST"),
    ("/observability/destinations", "GET POST"),
    ("/observability/destinations/{}", "DELETE GET PATCH"),
    ("/organization/members", "GET"),
    ("/organization/settings", "GET PATCH"),
    ("/presets", "GET"),
    ("/presets/{}", "GET"),
    ("/presets/{}/chat/completions", "POST"),
    ("/presets/{}/messages", "POST"),
    ("/presets/{}/responses", "POST"),
    ("/presets/{}/versions", "GET"),
    ("/presets/{}/versions/{}", "GET"),
    ("/private-endpoints", "GET POST"),
    ("/private-endpoints/{}", "DELETE GET PATCH"),
    ("/private-endpoints/{}/activate", "POST"),
    ("/private-endpoints/{}/disable", "POST"),
    ("/private-endpoints/{}/enable", "POST"),
    ("/private-endpoints/{}/pricing", "PUT"),
    ("/private-endpoints/{}/validate", "POST"),
    ("/scim/group-mappings", "GET POST"),
    ("/scim/group-mappings/{}", "DELETE GET PATCH"),
    ("/scim/groups", "GET"),
    ("/scim/sync-jobs", "POST"),
    ("/scim/sync-jobs/{}", "GET"),
    ("/systemone", "POST"),
    ("/tools", "GET"),
    ("/tools/{}", "GET"),
    ("/vault/interns/{}/connections", "GET"),
    ("/vault/interns/{}/effective-secrets", "GET"),
    ("/vault/interns/{}/secrets", "GET"),
    ("/vault/interns/{}/secrets/copy", "POST"),
    ("/vault/interns/{}/secrets/{}", "DELETE PUT"),
    ("/vault/secrets", "GET"),
    ("/vault/secrets/{}", "DELETE PUT"),
    ("/workspaces", "GET POST"),
    ("/workspaces/{}", "DELETE GET PATCH"),
    ("/workspaces/{}/budgets", "GET"),
    ("/workspaces/{}/budgets/{}", "DELETE GET PUT"),
    ("/workspaces/{}/members", "GET"),
    ("/workspaces/{}/members/add", "POST"),
    ("/workspaces/{}/members/remove", "POST"),
];

/// Whether this is one of them. `path` is as it was asked for, with `/api/v1`
/// or `/v1` in front.
pub(crate) fn is_absent(method: &Method, path: &str) -> bool {
    let within = path.strip_prefix("/api").unwrap_or(path);
    let within = within.strip_prefix("/v1").unwrap_or(path);
    ABSENT.iter().any(|(known, methods)| {
        matches(known, within) && methods.split(' ').any(|one| one == method.as_str())
    })
}

fn matches(known: &str, path: &str) -> bool {
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
    let is_so = known.split('/').all(|known| {
        let part = parts.next();
        part.is_some_and(|part| part == known || (known == "{}" && !part.is_empty()))
    });
    is_so && parts.next().is_none()
}
