//! `/`: what somebody finds who opens the address in a browser.
//!
//! A stranger learns where the documents are, and nothing of the server. With
//! a management key it says how the server and its providers are doing. Where
//! a request comes from counts for nothing: behind a proxy on the same
//! machine everybody comes from there.

use std::fmt::Write as _;

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use crate::access::Overseer;
use crate::content::Wishes;
use crate::error::Result;
use crate::reply::Reply;
use crate::route::{Operation, Route};
use crate::schema::Schemas;
use crate::state::Shared;
use crate::status::Status;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let operation = Operation::new("Documents", "Says what this is and where to read on")
        .about("With a management key it shows how the server and its providers are doing.");
    vec![Route::get("/", operation, page).at_root()]
}

/// It may look as it does, and nothing more: no script, no picture, no request.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
const HEAD: &str = include_str!("home/head.html");

struct Page(String);

impl Reply for Page {
    const MEDIA: &'static str = "text/html";

    fn schema(_: &mut Schemas) -> Value {
        json!({"type": "string"})
    }

    fn send(self, _: &Wishes) -> Response {
        // What a key shows is not for whoever asks next without one.
        let varies = (header::VARY, HeaderValue::from_static("authorization"));
        let policy = (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        );
        ([policy, varies], Html(self.0)).into_response()
    }
}

async fn page(state: Shared, caller: Overseer) -> Result<Page> {
    let mut out = HEAD.to_owned();
    if caller.may_oversee {
        let trouble = state.backend.ready().err();
        health(&mut out, &state.backend.status(), trouble.as_deref());
    }
    out.push_str("</main>\n</body>\n</html>\n");
    Ok(Page(out))
}

/// Text that is no markup.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn health(out: &mut String, status: &Status, trouble: Option<&str>) {
    let serves = match (trouble, status.simulated) {
        (Some(why), _) => format!("No call can be served: {}", plain(why)),
        (None, true) => "Calls are served, by simulated providers".to_owned(),
        (None, false) => "Calls are served".to_owned(),
    };
    let database = match (
        status.journal.database_away_s,
        status.journal.database_behind_s,
    ) {
        (Some(s), _) => format!("does not answer since {s} s; what calls cost waits"),
        (None, Some(s)) => format!("takes nothing over since {s} s; what calls cost waits"),
        (None, None) => "well".to_owned(),
    };
    let failed: u64 = status.calls.failed.values().sum();
    let _ = write!(
        out,
        "<h2>Health</h2>\n<p>{serves}.</p>\n<dl>\n\
         <dt>Version</dt><dd>{}</dd>\n\
         <dt>Calls under way</dt><dd>{}</dd>\n\
         <dt>Calls since the start</dt><dd>{}, of which {failed} failed</dd>\n\
         <dt>Database</dt><dd>{database}</dd>\n\
         <dt>Journal not in it yet</dt><dd>{} bytes</dd>\n\
         <dt>Holds that are open</dt><dd>{}</dd>\n</dl>\n",
        env!("CARGO_PKG_VERSION"),
        status.calls.in_flight,
        status.calls.admitted,
        status.journal.unapplied_bytes,
        status.journal.holds_open,
    );
    providers(out, status);
}

fn providers(out: &mut String, status: &Status) {
    let known = status.providers();
    out.push_str("<h2>Providers</h2>\n");
    if known.is_empty() {
        out.push_str("<p>None was asked since the start.</p>\n");
        return;
    }
    out.push_str(
        "<div class=\"wide\"><table>\n<caption>Those that were asked since the start</caption>\n\
         <thead><tr><th scope=\"col\">Provider</th><th scope=\"col\">State</th>\
         <th scope=\"col\">Answered</th><th scope=\"col\">Failed</th></tr></thead>\n<tbody>\n",
    );
    for (slug, provider) in known {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            plain(slug),
            provider.state(),
            provider.succeeded,
            provider.failed
        );
    }
    out.push_str("</tbody>\n</table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Breaker, Breakers, Credential, Endpoint};

    fn endpoint(provider: &str, breaker: Breaker) -> Endpoint {
        let credential = Credential {
            breakers: Breakers {
                credential: breaker,
                ..Breakers::default()
            },
            ..Credential::default()
        };
        Endpoint {
            provider: provider.to_owned(),
            credentials: vec![credential],
            ..Endpoint::default()
        }
    }

    #[test]
    fn a_provider_is_as_well_as_its_endpoints_are() {
        let mut out = String::new();
        let (up, down) = (Breaker::Closed, Breaker::Open);
        let endpoints = vec![
            endpoint("acme", up),
            endpoint("acme", down),
            endpoint("b<script>", up),
            endpoint("dead", down),
        ];
        let status = Status {
            endpoints,
            ..Status::default()
        };
        providers(&mut out, &status);
        assert!(
            out.contains("acme</th><td>1 of 2 endpoints are well"),
            "{out}"
        );
        assert!(out.contains("b&lt;script&gt;</th><td>well"), "{out}");
        assert!(out.contains("dead</th><td>down"), "{out}");
    }

    #[test]
    fn trouble_is_said_first_and_is_no_markup() {
        let mut out = String::new();
        health(&mut out, &Status::default(), Some("a <b>"));
        assert!(out.contains("No call can be served: a &lt;b&gt;."), "{out}");
    }
}
