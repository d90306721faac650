//! The life of a call, phase by phase: who and may they ([`admit`]), what do
//! they ask ([`read`]), is an answer kept ([`recall`]), who can answer
//! ([`plan`]), set money aside ([`hold`]), call until someone begins to answer
//! ([`attempt`]), pass the answer on ([`crate::relay`]), pay ([`settle`]).

pub mod admit;
pub mod attempt;
pub mod body;
pub mod exchange;
pub mod first_content;
pub mod hedge;
pub mod hold;
mod keep;
pub(crate) mod one;
mod options;
pub mod plan;
pub mod read;
pub mod recall;
pub mod resume;
pub mod settle;
pub mod silence;
pub mod write;
