//! Simulated providers, fault scripts and load.
//!
//! One process plays many vendors in their documented shapes, truthfully
//! or not, as a [`Script`] says. What an answer truly says and costs is a
//! pure function of the script's seed and the request bytes ([`truth`]),
//! so a checker can compute it without asking. The log and the counters
//! say what arrived, what left, and when a client went away.
//!
//! HTTP is spoken by hand (`conn`): faults need to know which bytes leave
//! in which write.

pub mod anthropic;
pub mod ask;
pub mod audio;
mod batches;
pub mod bedrock;
mod cohere;
mod conn;
mod control;
pub mod crash;
pub mod embeddings;
mod fast;
mod faults;
mod film;
mod formats;
pub mod gemini;
mod handle;
pub mod images;
pub mod limits;
pub mod load;
mod log;
mod moderations;
mod ollama;
mod openai_chat;
pub mod openai_responses;
mod openai_text;
pub mod prefill;
mod realtime;
pub mod relay;
pub mod replay;
pub mod reply;
pub mod rerank;
mod schema;
mod script;
mod server;
mod sigv4;
mod state;
mod tokens;
pub mod truth;
pub mod videos;
mod voices;
pub mod words;

pub use ask::Format;
pub use fast::{FAST_CHUNK_BYTES, FAST_PROMPT_TOKENS, FAST_REPLY_TOKENS};
pub use log::{CountersNow, Entry, Outcome};
pub use script::{
    Down, Limits, Phase, Ramp, RetryAfter, Script, ScriptError, ScriptSet, ShowReasoning,
    TOKENS_MAX, TURNS_MAX, Turn, TurnCall, UsageFault, VectorFault,
};
pub use server::{Sim, SimBuilder, SimConfig, SimHandle, serve};
pub use truth::{Truth, truth};
