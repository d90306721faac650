//! Is an answer one to keep for the next call that is the same.
//!
//! Only whole ones are: no error, nothing that broke off, nothing that others
//! went on with, nothing that our own limit cut short, which more money would
//! have made longer. One whose client has left is kept if it was read to its end:
//! it is paid for, and its caller may ask again.

use bourse_vocab::Nanos;

use crate::cache::record::Record;
use crate::cache::shelf::Answer;
use crate::cache::{Keeping, fingerprint::Owner};
use crate::limit::Limit;
use crate::relay::Report;
use crate::running::Running;

impl Running {
    /// Keeps what was sent of an answer that has ended as it should, if its
    /// caller asks for that and it is one to keep, and lets those look that
    /// wait for it.
    pub fn keep(&mut self, record: Option<Record>, report: &Report, charge: Nanos) {
        let Some(keeping) = self.call.keeping.take() else {
            return;
        };
        let Keeping {
            digest,
            asked,
            ttl_s,
            leader,
        } = *keeping;
        let answer = self.answer(record, report, charge);
        let owner = Owner::from(self.call.admitted.key.principal());
        let shelf = &self.call.gateway.cache.shelf;
        let is_outdated =
            answer.is_some_and(|answer| !shelf.keep((digest, owner), asked, answer, ttl_s));
        // Whoever waits for what was cleared meanwhile needs a new one, and
        // needs it once: dropped, the leader hands on.
        if let Some(leader) = leader.filter(|_| !is_outdated) {
            leader.answered();
        }
    }

    /// The answer, if it is one to keep.
    fn answer(&self, record: Option<Record>, report: &Report, charge: Nanos) -> Option<Answer> {
        let finish = report.finish.filter(|finish| *finish != "error")?;
        let is_cut = finish == "length" && matches!(self.limit, Limit::Set(_));
        let is_empty = report.content_bytes == 0 && report.content_pieces == 0;
        if is_cut || is_empty || self.is_continued() {
            return None;
        }
        let record = record?;
        Some(Answer {
            source: self.call.id,
            endpoint: (*self.target().id).into(),
            format: record.format,
            framing: record.framing,
            text: record.into_text()?,
            charge,
            finish,
            native_finish: report.native_finish.as_deref().unwrap_or("").into(),
            service_tier: self.told_tier(report).unwrap_or("").into(),
            made_ms: self.call.gateway.clock.now_ms(),
        })
    }
}
