//! The life of a model call.
//!
//! [`pipeline`] shows all of it on one screen; [`phases`] holds one file for
//! each step. Nothing between admission and settlement awaits a database, a
//! name server, a log or a lock.

pub mod admission;
pub mod alarms;
pub mod ask;
pub mod attempts;
pub mod batched;
pub mod begun;
pub mod bodies;
pub mod boxed;
pub mod cache;
pub mod call;
pub mod chance;
pub mod checkpoints;
pub mod clock;
pub mod counting;
pub mod deadlines;
pub mod drains;
pub mod ending;
pub mod endpoints;
pub mod explain;
pub mod exposition;
pub mod gateway;
pub mod http_date;
pub mod identity;
pub mod keyring;
mod limit;
pub mod line;
pub mod market;
pub mod metrics;
pub mod phases;
pub mod pipeline;
pub mod progress;
pub mod realtime;
pub mod refusal;
pub mod refusing;
pub mod relay;
pub mod replies;
pub mod respond;
pub mod rest;
pub mod running;
mod search;
pub mod service;
pub mod spans;
pub mod stickiness;
pub mod tab;
pub mod tariff;
pub mod tools;
pub mod unknown;
pub mod videos;
pub mod waiting;
pub mod way;

#[cfg(test)]
mod tests;
