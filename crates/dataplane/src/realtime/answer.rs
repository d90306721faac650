//! One answer of a session, from its beginning to its end: a call of its own.

use bourse_vocab::{Bill, Failure, FailureKind};
use bourse_wire::realtime::End;

use crate::attempts::Attempt;
use crate::checkpoints::Checkpoints;
use crate::ending::Ending;
use crate::phases::plan::bucket;
use crate::relay::Report;
use crate::running::Running;

/// Characters of base64 in a token of sound that comes out: a token is 50 ms
/// (platform.openai.com/docs, guides/realtime-costs, 2026), 2,400 bytes at
/// 24 kHz. Only answers without a usage are counted by it.
const SOUND_CHARS: u64 = 3_200;
/// Bytes of text that count as a token where nobody tells.
const TEXT_BYTES: u64 = 4;

/// An answer under way.
pub struct Answer {
    /// The provider's name for it.
    pub id: String,
    running: Running,
    report: Report,
    sound: u64,
    checkpoints: Checkpoints,
}

impl Answer {
    /// An answer that begins, with the money that was set aside for it.
    ///
    /// # Errors
    /// The journal does not take it.
    pub fn begin(id: String, mut running: Running) -> Result<Self, Failure> {
        let target = std::sync::Arc::clone(running.target());
        let call = &*running.call;
        let now_ms = call.gateway.clock.now_ms();
        let sort = bucket(&call.market, &target, &call.ask);
        let market = std::sync::Arc::clone(&call.market);
        running.tab.dispatch(&market, &target)?;
        // Whoever began to answer is sent to in any case.
        let ticket = target.health.enter(sort, now_ms, true);
        let ticket = ticket.ok_or_else(|| Failure::server("the last target gave no leave"))?;
        let mut attempt = Attempt::begin(&target, ticket, now_ms);
        attempt.head_ms = Some(now_ms);
        attempt.status = 200;
        running.attempts.push(attempt);
        let report = Report {
            upstream_id: Some(id.clone()),
            ..Report::default()
        };
        Ok(Self {
            id,
            running,
            report,
            sound: 0,
            checkpoints: Checkpoints::begin(),
        })
    }

    /// More of it has come: bytes of text, and characters of sound.
    ///
    /// # Errors
    /// It has outgrown the money.
    pub fn more(&mut self, text: u64, sound: u64) -> Result<(), Failure> {
        let gateway = std::sync::Arc::clone(&self.running.call.gateway);
        if let Some(attempt) = self.running.attempts.last_mut()
            && attempt.first_content_ms.is_none()
        {
            let now_ms = gateway.clock.now_ms();
            attempt.answered(now_ms, &gateway.alarms);
            attempt.stops_thinking(now_ms);
        }
        self.sound = self.sound.saturating_add(sound);
        let heard = self.sound.div_ceil(SOUND_CHARS);
        let report = &mut self.report;
        report.usage.completion_audio = Some(heard);
        // A token of sound counts as one of text does, by its bytes.
        let before = report.content_bytes;
        let text = before
            .saturating_add(text)
            .saturating_add(sound.saturating_mul(TEXT_BYTES).div_ceil(SOUND_CHARS));
        report.content_bytes = text;
        self.checkpoints
            .look(&mut self.running, text, || report.clone())
            .map(|_| ())
    }

    /// Ends it as its provider says.
    pub fn end(mut self, end: &End, is_alone: bool) -> (String, Bill) {
        let report = &mut self.report;
        report.usage = end.usage;
        report.native_finish = Some(match &*end.reason {
            "" => end.status.clone(),
            reason => format!("{}: {reason}", end.status),
        });
        report.finish = Some(finish(end));
        let ending = if is_alone {
            Ending::Drained
        } else {
            Ending::Complete
        };
        let (_, bill) = self.running.end(&self.report, ending);
        (self.running.call.id_text.to_string(), bill)
    }

    /// Ends it in another way.
    pub fn break_off(mut self, ending: Ending<'_>) {
        self.running.end(&self.report, ending);
    }
}

/// Why an answer ended, in the public API's words.
fn finish(end: &End) -> &'static str {
    let has_usage = end.usage.completion.is_some_and(|tokens| tokens > 0);
    match (&*end.status, &*end.reason) {
        ("failed", _) if !has_usage => "error",
        ("incomplete", "max_output_tokens") => "length",
        ("incomplete", "content_filter") => "content_filter",
        _ => "stop",
    }
}

/// A provider that is gone in the middle of an answer.
#[must_use]
pub fn broken(inside: &str) -> Failure {
    Failure::new(
        FailureKind::Unavailable,
        "The provider closed the connection in the middle of its answer",
    )
    .inside(inside.to_owned())
}
