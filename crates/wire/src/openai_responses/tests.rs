//! Tests of the format's own ways; what it shares with the others is in
//! `tests/golden.rs`.

mod requests;
mod streams;
