//! Answers that are errors: failures that a script wants, requests that the
//! vendor would refuse, and those beyond a provider's limits.

use serde_json::{Value, json};

use super::Exchange;
use crate::ask::{Format, Refusal};
use crate::conn::{Gone, phrase};
use crate::faults::error_body;
use crate::limits::TurnedAway;
use crate::log::Outcome;
use crate::script::{RetryAfter, Script};
use crate::state::Playing;

/// A request that was let in; leaves when dropped, aborts included.
pub(super) struct Place<'a>(Option<&'a Playing>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(playing) = self.0 {
            playing.meter().leave();
        }
    }
}

impl Exchange<'_> {
    /// Lets the request in, as far as the provider's limits go, and notes
    /// what is left of them for the response's head.
    pub(super) fn enter<'p>(
        &mut self,
        playing: &'p Playing,
        script: &Script,
        format: Format,
        tokens: u64,
    ) -> Result<Place<'p>, TurnedAway> {
        if !script.limits.any() {
            return Ok(Place(None));
        }
        let now_ms = playing.elapsed_ms();
        let mut meter = playing.meter();
        let entered = meter.enter(&script.limits, tokens, now_ms);
        let standing = meter.standing(&script.limits);
        self.standing = standing.lines(format, jiff::Timestamp::now());
        entered.map(|()| Place(Some(playing)))
    }

    /// Answers a request beyond the limits as the vendor does.
    pub(super) async fn turn_away(
        &mut self,
        away: &TurnedAway,
        script: &Script,
        format: Format,
    ) -> Outcome {
        let script = away.script(format, &script.limits);
        let status = script.error_status.unwrap_or(429);
        let mut body = error_body(format, status, &script, self.open.ordinal);
        if let Some(kind) = body.pointer_mut("/error/type")
            && format.is_openais()
        {
            *kind = json!(away.openai_type());
        }
        // Gemini says it in the body alone, and Bedrock nowhere.
        let header = script.retry_after.filter(|_| {
            !matches!(
                format,
                Format::Gemini
                    | Format::GeminiEmbeddings
                    | Format::Imagen
                    | Format::Veo
                    | Format::Bedrock
            )
        });
        self.fail_with(&script, format, header, &body).await
    }

    pub(super) async fn fail(&mut self, script: &Script, format: Format) -> Outcome {
        let status = script.error_status.unwrap_or(500);
        let body = error_body(format, status, script, self.open.ordinal);
        self.fail_with(script, format, script.retry_after, &body)
            .await
    }

    async fn fail_with(
        &mut self,
        script: &Script,
        format: Format,
        retry_after: Option<RetryAfter>,
        body: &Value,
    ) -> Outcome {
        let status = script.error_status.unwrap_or(500);
        let body = if script.html_error {
            format!(
                "<html>\r\n<head><title>{status} {0}</title></head>\r\n<body>\r\n<center><h1>{status} {0}</h1></center>\r\n</body>\r\n</html>\r\n",
                phrase(status)
            )
        } else {
            body.to_string()
        };
        let kind = if script.html_error {
            "text/html"
        } else {
            "application/json"
        };
        let mut head = self.response_head(script, format, status, kind, Some(body.len()));
        if let Some(line) = retry_after.map(retry_line) {
            // Before the empty line that ends the head.
            head.truncate(head.len() - 2);
            head.push_str(&line);
            head.push_str("\r\n");
        }
        match self.send_plain(&head, status, &body).await {
            Ok(()) => Outcome::Failed,
            Err(Gone) => Outcome::ClientGone,
        }
    }

    pub(super) async fn refuse(&mut self, format: Option<Format>, refusal: &Refusal) -> Outcome {
        let format = format.unwrap_or(Format::OpenaiChat);
        let script = Script {
            error_message: Some(refusal.message.clone()),
            ..Script::default()
        };
        let body = error_body(format, refusal.status, &script, self.open.ordinal).to_string();
        let head = self.response_head(
            &script,
            format,
            refusal.status,
            "application/json",
            Some(body.len()),
        );
        match self.send_plain(&head, refusal.status, &body).await {
            Ok(()) => Outcome::Refused,
            Err(Gone) => Outcome::ClientGone,
        }
    }
}

fn retry_line(after: RetryAfter) -> String {
    match after {
        RetryAfter::Seconds(seconds) => format!("retry-after: {seconds}\r\n"),
        RetryAfter::Ms(ms) => format!("retry-after-ms: {ms}\r\n"),
        RetryAfter::HttpDateIn(seconds) => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            let when = jiff::Timestamp::now()
                .checked_add(jiff::SignedDuration::from_secs(seconds))
                .unwrap_or(jiff::Timestamp::MAX);
            let date = jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&when)
                .unwrap_or_default();
            format!("retry-after: {date}\r\n")
        }
    }
}
