//! The words everyone shares: ids, money, usage, the chat request, stream
//! events, failures.
//!
//! Every format reads into these types and writes out of them, so a new
//! wire format costs one folder and not one file for each pair. Nothing here
//! opens a socket, reads a clock or draws a random number: time and luck
//! are arguments.

pub mod chat;
pub mod embeddings;
pub mod facts;
pub mod failure;
pub mod format;
pub mod id;
pub mod images;
pub mod job_id;
pub mod json;
pub mod moderations;
pub mod money;
pub mod operation;
pub mod quality;
pub mod reason;
pub mod rerank;
pub mod service;
pub mod speech;
pub mod trace;
pub mod transcription;
pub mod usage;
pub mod videos;

pub use facts::PromptFacts;
pub use failure::{Blame, Failure, FailureKind, Next};
pub use format::Format;
pub use id::{AccountId, GenerationId, KeyId, NodeId, RowId, RowIds, StoreId};
pub use job_id::{BatchId, FileId};
pub use money::{Bill, Nanos, PicosPerUnit};
pub use operation::Operation;
pub use quality::Quality;
pub use reason::Reason;
pub use service::{Served, ServiceTier, TierWish};
pub use usage::{Count, Counts, ToldCost, Units, UnitsReport, Usage, UsageReport};
