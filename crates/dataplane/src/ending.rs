//! The ways in which a call can end.

use bourse_vocab::Failure;

/// How a call ended, as whoever held it saw it.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// The answer is whole.
    Complete,
    /// The provider broke off, or reported an error, after content.
    Broke(&'a Failure),
    /// We stopped the answer ourselves: the money ran out.
    OutOfMoney(&'a Failure),
    /// The last attempt failed before any content, or none could be made.
    Failed(&'a Failure),
    /// The client left and the provider was cancelled.
    ClientLeft,
    /// The client left and the provider was read to its end.
    Drained,
    /// The client left and the provider was read until the drain's cap.
    DrainCapped,
    /// The server's time to stop was up.
    Stopped,
}
