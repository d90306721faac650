//! The simulator over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod client;
mod faults;
mod limits;
mod load;
mod relay;
mod replay;
mod responses;
mod shapes;
mod watching;
