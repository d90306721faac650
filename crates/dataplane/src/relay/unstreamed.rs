//! The stream of an operation that has none.

use bourse_vocab::{Bill, Failure, Usage};
use bytes::Bytes;

use super::{Delivered, Feed, Report};

/// Takes nothing for an answer. No call comes this far, because whoever asks
/// for vectors cannot ask for a stream; if one did, it would fail and cost
/// nothing.
pub struct Unstreamed;

fn fault() -> Failure {
    Failure::server("a stream was begun of an operation that has none")
}

impl Feed for Unstreamed {
    fn feed(&mut self, _: &Bytes, _: &mut Vec<u8>) -> Result<(), Failure> {
        Err(fault())
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), Failure> {
        Err(fault())
    }

    fn has_content(&self) -> bool {
        false
    }

    fn has_answered(&self) -> bool {
        false
    }

    fn is_complete(&self) -> bool {
        false
    }

    fn content_bytes(&self) -> u64 {
        0
    }

    fn content_pieces(&self) -> u64 {
        0
    }

    fn delivered(&self) -> Delivered {
        Delivered::default()
    }

    fn report(&self) -> Report {
        Report::default()
    }

    fn finish(&mut self, _: &Usage, _: &Bill, _: &mut Vec<u8>) {}

    fn fail(&mut self, _: &Failure, _: &mut Vec<u8>) {}
}
