//! The server's side against clients that send raw bytes, and beside hyper.

mod answers;
mod deadlines;
mod fuzz;
mod requests;
mod support;
