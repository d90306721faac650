//! Anthropic's Message Batches: orders that have their requests
//! (platform.claude.com/docs, "Batch processing" and the reference of
//! `/v1/messages/batches`, November 2026).

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, KEPT_MAX, Told, object, refused};
use crate::ask::Refusal;

/// The endpoint whose requests they have.
const ENDPOINT: &str = "/v1/messages";
/// Moments of which only the shape matters.
const BEGUN: &str = "2026-11-30T08:00:00Z";
const ENDS: &str = "2026-12-01T08:00:00Z";

/// What is kept of them.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    all: Vec<Order>,
    lost: u64,
    throttled: u64,
}

#[derive(Debug)]
struct Order {
    id: String,
    requests: Vec<(String, Bytes)>,
    began: Instant,
    cancelled: bool,
    ended: Option<Ended>,
}

/// Results, and how many of each kind: succeeded, errored, canceled, expired.
#[derive(Debug)]
struct Ended {
    results: Bytes,
    counts: [u64; 4],
}

#[derive(Deserialize)]
struct Wanted {
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    custom_id: String,
    params: Value,
}

fn missing() -> Refusal {
    refused(404, "Not found")
}

fn is_custom_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

impl Asked<'_> {
    /// Answers what is below `/v1/messages/batches`.
    pub(super) fn messages(
        &self,
        orders: &mut Orders,
        rest: &[&str],
    ) -> Option<Result<Told, Refusal>> {
        let answered = match (self.method, rest) {
            (b"POST", []) => self.order(orders),
            (b"GET", []) => {
                for order in &mut orders.all {
                    self.end_if_due(order);
                }
                let all: Vec<Value> = orders.all.iter().rev().map(Order::told).collect();
                Ok(object(&json!({"data": all, "has_more": false,
                    "first_id": null, "last_id": null})))
            }
            (b"GET", [id]) => self.follow(orders, id, false),
            (b"POST", [id, "cancel"]) => self.follow(orders, id, true),
            (b"GET", [id, "results"]) => {
                let order = orders.all.iter().find(|order| order.id == *id);
                let ended = order.and_then(|order| order.ended.as_ref());
                ended
                    .ok_or_else(missing)
                    .map(|ended| Told::Body("application/x-jsonl", ended.results.to_vec()))
            }
            _ => return None,
        };
        Some(answered)
    }

    fn order(&self, orders: &mut Orders) -> Result<Told, Refusal> {
        let script = &self.script.batches;
        if script.refuses {
            return Err(refused(400, "Batches are not offered to this workspace"));
        }
        if orders.throttled < script.throttled_orders {
            orders.throttled += 1;
            return Err(refused(429, "Too many batches"));
        }
        let wanted: Wanted =
            serde_json::from_slice(self.body).map_err(|error| refused(400, &error.to_string()))?;
        let names: BTreeSet<&str> = wanted.requests.iter().map(|one| &*one.custom_id).collect();
        let is_right = names.len() == wanted.requests.len()
            && names.iter().all(|name| is_custom_id(name))
            && wanted.requests.iter().all(|one| {
                one.params
                    .get("stream")
                    .is_none_or(|stream| *stream == false)
            });
        if !is_right || orders.all.len() >= KEPT_MAX {
            return Err(refused(
                400,
                "requests: a custom_id is wrong, or one is streamed",
            ));
        }
        let requests = wanted.requests.into_iter();
        let order = Order {
            id: format!("msgbatch_sim{}", orders.all.len()),
            requests: requests
                .map(|one| (one.custom_id, Bytes::from(one.params.to_string())))
                .collect(),
            began: Instant::now(),
            cancelled: false,
            ended: None,
        };
        let told = order.told();
        orders.all.push(order);
        if orders.lost < script.lost_orders {
            orders.lost += 1;
            return Ok(Told::Cut);
        }
        Ok(object(&told))
    }

    fn follow(&self, orders: &mut Orders, id: &str, cancels: bool) -> Result<Told, Refusal> {
        let mut all = orders.all.iter_mut();
        let order = all.find(|order| order.id == id).ok_or_else(missing)?;
        if cancels && order.ended.is_some() {
            return Err(refused(400, "A batch that has ended cannot be canceled"));
        }
        order.cancelled |= cancels;
        if !cancels {
            self.end_if_due(order);
        }
        Ok(object(&order.told()))
    }

    fn end_if_due(&self, order: &mut Order) {
        let takes = u128::from(self.script.batches.takes_ms);
        let is_due = order.cancelled || order.began.elapsed().as_millis() >= takes;
        if order.ended.is_none() && is_due {
            order.ended = Some(self.results(order));
        }
    }

    /// Answers the requests of an order, the last one first: results come in any
    /// order.
    fn results(&self, order: &Order) -> Ended {
        let script = &self.script.batches;
        let most = match script.fails {
            true => 0,
            false => script.answers.unwrap_or(u64::MAX),
        };
        let (mut results, mut counts) = (String::new(), [0_u64; 4]);
        let [succeeded, errored, canceled, expired] = &mut counts;
        for (name, body) in order.requests.iter().rev() {
            let result = if *succeeded >= most {
                let (count, kind) = match order.cancelled {
                    true => (&mut *canceled, "canceled"),
                    false => (&mut *expired, "expired"),
                };
                *count += 1;
                json!({"type": kind})
            } else {
                match self.line(ENDPOINT, body) {
                    (200, message) => {
                        *succeeded += 1;
                        json!({"type": "succeeded", "message": message})
                    }
                    (_, told) => {
                        *errored += 1;
                        let error = json!({"type": "invalid_request_error",
                            "message": told.pointer("/error/message")});
                        json!({"type": "errored", "error": {"type": "error", "error": error}})
                    }
                }
            };
            let line = json!({"custom_id": name, "result": result});
            results.push_str(&format!("{line}\n"));
        }
        Ended {
            results: results.into(),
            counts,
        }
    }
}

impl Order {
    fn told(&self) -> Value {
        let (status, processing, [succeeded, errored, canceled, expired]) = match &self.ended {
            Some(ended) => ("ended", 0, ended.counts),
            None if self.cancelled => ("canceling", self.requests.len(), [0; 4]),
            None => ("in_progress", self.requests.len(), [0; 4]),
        };
        let results = format!(
            "https://api.anthropic.com/v1/messages/batches/{}/results",
            self.id
        );
        json!({"id": self.id, "type": "message_batch", "processing_status": status,
            "request_counts": {"processing": processing, "succeeded": succeeded,
                "errored": errored, "canceled": canceled, "expired": expired},
            "created_at": BEGUN, "expires_at": ENDS, "ended_at": self.ended.as_ref().map(|_| BEGUN),
            "cancel_initiated_at": self.cancelled.then_some(BEGUN), "archived_at": null,
            "results_url": self.ended.as_ref().map(|_| results)})
    }
}
