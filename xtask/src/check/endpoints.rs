//! Every path that calls a model is described in the published document,
//! which the crate that serves it cannot see to.

use super::Problem;
use super::rust::production;
use super::tree::Tree;

const RULE: &str = "endpoints";
const ENDPOINTS: &str = "crates/dataplane/src/endpoints/";
const DESCRIBED: &str = "crates/control/src/calls.rs";
/// And below it.
const DESCRIBED_IN: &str = "crates/control/src/calls/";
/// The document's paths stand below this prefix.
const PREFIX: &str = "/v1";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let described: String = tree
        .files
        .iter()
        .filter(|(path, _)| *path == DESCRIBED || path.starts_with(DESCRIBED_IN))
        .map(|(_, text)| text.as_str())
        .collect();
    let sources = tree.crates.iter().flat_map(|one| &one.sources);
    sources
        .filter(|source| source.path.starts_with(ENDPOINTS) && !source.path.contains("/tests"))
        .filter_map(|source| Some((source, path(&production(&source.tokens).to_string())?)))
        .filter(|(_, path)| !described.contains(&format!("\"{path}\"")))
        .map(|(source, path)| {
            let message = format!("serves {path}, which {DESCRIBED} does not describe");
            Problem::new(RULE, &source.path, message)
        })
        .collect()
}

/// What `fn path` of an endpoint returns, without the prefix.
fn path(source: &str) -> Option<String> {
    let compact: String = source.split_whitespace().collect();
    let body = compact.split("fnpath(&self)->&'staticstr{\"").nth(1)?;
    let path = body.split('"').next()?;
    Some(path.strip_prefix(PREFIX).unwrap_or(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tree::planted;
    use super::*;

    const CHAT: &str = "impl Endpoint for Chat { fn path(&self) -> &'static str { \"/v1/chat\" } }";

    fn found(calls: &str) -> Vec<String> {
        found_in(DESCRIBED, calls)
    }

    fn found_in(path: &str, calls: &str) -> Vec<String> {
        let files = [
            ("crates/dataplane/Cargo.toml", ""),
            ("crates/dataplane/src/endpoints/chat.rs", CHAT),
            ("crates/dataplane/src/endpoints/native.rs", "fn other() {}"),
            (path, calls),
        ];
        let problems = check(&planted(&files)).into_iter();
        problems.map(|problem| problem.message).collect()
    }

    #[test]
    fn an_endpoint_that_is_described_is_let_pass() {
        assert_eq!(found("Call { path: \"/chat\" }"), [""; 0]);
        let below = "crates/control/src/calls/chat.rs";
        assert_eq!(found_in(below, "Call { path: \"/chat\" }"), [""; 0]);
    }

    #[test]
    fn an_endpoint_that_is_not_described_is_found() {
        let missing = "serves /chat, which crates/control/src/calls.rs does not describe";
        assert_eq!(found("Call { path: \"/chats\" }"), [missing]);
    }
}
