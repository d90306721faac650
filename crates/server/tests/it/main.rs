//! The whole server, from outside: the real program on a free port, speaking
//! HTTP with its clients and with simulated providers.
//!
//! One binary, one file per topic. Every test starts a server of its own and
//! ends with [`exchange::Exchange::finish`]: a clean stop, books that
//! balance, no hold left open, exactly the expected money spent, and no
//! panic in the log.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::needless_pass_by_value
)]

mod client;
mod continuation;
mod exchange;
mod money_math;

mod admin;
mod admin_commands;
mod admission;
mod alarms;
mod audio;
mod bad_input;
mod batches;
mod batches_at_vendors;
mod bedrock;
mod bodies;
mod boot;
mod caching;
mod chaos;
mod clouds;
mod cohere;
mod config_commands;
mod disconnect;
mod disk;
mod embeddings;
mod failover;
mod first_try;
mod gemini_api;
mod good_input;
mod heads;
mod image_edits;
mod images;
mod incident;
mod media;
mod messages;
mod moderations;
mod money;
mod odd_answers;
mod ollama;
mod postgres;
mod proxies;
mod realtime;
mod records;
mod reload;
mod rerank;
mod responses;
mod route_command;
mod routing;
mod secrets;
mod seeing;
mod sent;
mod sim_command;
mod status_command;
mod stopping;
mod streams;
mod tls;
mod tools;
mod top_command;
mod traces;
mod verify_command;
mod videos;
mod ways;
