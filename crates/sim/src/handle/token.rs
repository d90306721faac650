//! Answers of token services, faults included.

use std::time::Duration;

use super::Exchange;
use crate::ask::{Format, Refusal};
use crate::conn::Gone;
use crate::faults::STALL_MAX;
use crate::log::Outcome;
use crate::script::Script;
use crate::tokens::Service;

impl Exchange<'_> {
    /// Answers as a token service, by its own clock.
    pub(super) async fn token(&mut self, script: &Script, service: Service) -> Outcome {
        if script.is_silent(self.script_ordinal) {
            return match self.conn.wait(STALL_MAX).await {
                Ok(()) => Outcome::Stalled,
                Err(Gone) => Outcome::ClientGone,
            };
        }
        let latency = Duration::from_millis(script.latency_ms);
        if self.conn.wait(latency).await.is_err() {
            return Outcome::ClientGone;
        }
        let now = jiff::Timestamp::now()
            .checked_add(jiff::SignedDuration::from_secs(script.clock_ahead_s))
            .unwrap_or(jiff::Timestamp::MAX);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&now)
            .unwrap_or_default();
        self.standing = format!("date: {date}\r\n");
        let answered = if script.fails(self.script_ordinal) {
            Err(Refusal {
                status: script.error_status.unwrap_or(500),
                message: script
                    .error_message
                    .clone()
                    .unwrap_or_else(|| "Simulated refusal".to_owned()),
            })
        } else {
            service.answer(&self.arrived(), script, now.as_second())
        };
        let (status, (kind, mut body)) = match answered {
            Ok(told) => (200, told),
            Err(refusal) => {
                let usual = if refusal.status >= 500 {
                    "temporarily_unavailable"
                } else {
                    "invalid_grant"
                };
                let code = script.error_code.as_deref().unwrap_or(usual);
                let told = service.refusal(refusal.status, code, &refusal.message);
                (refusal.status, told)
            }
        };
        if script.html_error || script.malformed_after_tokens.is_some() {
            "<html>garbage".clone_into(&mut body);
        }
        let head = self.response_head(script, Format::OpenaiChat, status, kind, Some(body.len()));
        match self.send_plain(&head, status, &body).await {
            Err(Gone) => Outcome::ClientGone,
            Ok(()) if status == 200 => Outcome::Complete,
            Ok(()) => Outcome::Refused,
        }
    }
}
