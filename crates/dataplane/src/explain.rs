//! How a call would be routed, without making it.
//!
//! The request is read and planned like any other, with the health of this
//! moment, and then dropped: no money is set aside, nothing is sent. What a
//! call whose money is short leaves out is therefore not seen here. Whoever is
//! broken counts it as one more call that would have liked to use it.

use std::sync::Arc;

use bourse_vocab::{AccountId, Failure};
use http::Request;
use serde_json::{Value, json};

use crate::bodies::{Bodies, Room};
use crate::endpoints;
use crate::gateway::CallLimits;
use crate::identity::{Caller, Identity};
use crate::market::Market;
use crate::phases::plan::{self, Decision, Wanted};
use crate::phases::read::{self, Read};

/// What a call would choose from, and on whose behalf.
pub struct Asked<'a> {
    /// The path at which the call would be made.
    pub path: &'a str,
    /// The market, with the health of its targets.
    pub market: &'a Market,
    /// Where the lots of sessions fall.
    pub identity: &'a Identity,
    /// Who would call.
    pub account: AccountId,
    /// How long a body may be.
    pub limits: &'a CallLimits,
    /// Where it takes its room from.
    pub bodies: &'a Arc<Bodies>,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Plans a request and says how: `order` and `candidates` as in the
/// `bourse` member of `openrouter_metadata`, the models that were asked for,
/// and in `refused` what a caller would be told if nobody may be asked.
///
/// # Errors
/// The request cannot be read.
pub async fn explain(asked: &Asked<'_>, request: String) -> Result<Value, Failure> {
    let Some(endpoint) = endpoints::at(asked.path) else {
        return Err(Failure::server("no model call is made at this path"));
    };
    let (head, body) = Request::post(asked.path)
        .body(request)
        .map_err(|error| Failure::server(format!("a request: {error}")))?
        .into_parts();
    let room = Room::begin(asked.bodies);
    let caller = Caller::new(asked.identity, asked.account);
    let read = read::read(endpoint, &head, body, asked.limits, room, caller, None).await?;
    let Read {
        ask, private_url, ..
    } = read;
    let lot = caller.draw(ask.attribution.conversation());
    let wanted = Wanted::of(&ask, endpoint, private_url, lot, asked.now_ms);
    let mut decision = Decision::default();
    let planned = plan::plan(asked.market, &wanted, Some(&mut decision));
    let refused = planned.err().map(|failure| {
        json!({
            "status": failure.status(),
            "error_type": failure.kind.error_type(),
            "message": failure.message,
        })
    });
    let mut told = decision.told(asked.market, |_| true);
    if let Some(members) = told.as_object_mut() {
        members.insert("requested".to_owned(), json!(ask.models));
        members.insert("refused".to_owned(), json!(refused));
    }
    Ok(told)
}
