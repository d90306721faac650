//! Whole answers of providers.

use bourse_vocab::{Format, Usage};
use bourse_wire::codec;
use bourse_wire::openai_chat::passthrough::splice_reply;

use super::{BILL, STAMP, Target, fixtures, is_json, tagged, untagged};
use crate::sign::Sign;

/// Whole answers, on both roads and to every client.
pub struct Replies;

impl Target for Replies {
    fn name(&self) -> &'static str {
        "replies"
    }

    fn held_to(&self) -> &'static str {
        "a whole answer is refused, or told as JSON in every format that reads back; both roads count the same usage"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let files = fixtures(".reply.json")?;
        Ok(files
            .iter()
            .map(|(format, body)| tagged(*format, body))
            .collect())
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let (format, body) = untagged(input);
        let mut sign = Sign::default();
        sign.text(format.slug());
        let read = codec(format).read_reply(body);
        if format == Format::OpenAiChat {
            let usage = read.as_ref().ok().map(|reply| reply.usage);
            by_bytes(body, usage, &mut sign)?;
        }
        match read {
            Err(failure) => sign.failure(&failure),
            Ok(mut reply) => {
                for choice in &reply.choices {
                    sign.count(choice.parts.len());
                    sign.text(choice.finish.map_or("", |finish| finish.name()));
                }
                let usage = reply.usage.unwrap_or_default().resolve(&Usage::default()).0;
                reply.settled = Some((usage, BILL));
                for client in Format::ALL {
                    let told = codec(client).write_reply(&reply, &STAMP);
                    is_json("a reply for a client", &told)?;
                    if client == Format::OpenAiChat {
                        codec(client).read_reply(&told).map_err(|failure| {
                            format!(
                                "our own reply is not read: {failure:?}\n{}",
                                String::from_utf8_lossy(&told)
                            )
                        })?;
                    }
                }
            }
        }
        Ok(sign.get())
    }
}

/// The road on which bytes pass.
fn by_bytes(
    body: &[u8],
    counted: Option<Option<bourse_vocab::UsageReport>>,
    sign: &mut Sign,
) -> Result<(), String> {
    let hide = body.len().is_multiple_of(2);
    match splice_reply(body, &STAMP, hide) {
        Err(failure) => sign.failure(&failure),
        Ok(parts) => {
            let usage = parts.usage;
            if let Some(counted) = counted
                && settled(counted) != settled(usage)
            {
                return Err(format!(
                    "the roads count otherwise\nbytes {usage:?}\nwords {counted:?}"
                ));
            }
            let told = parts.render(&settled(usage), &BILL);
            // What is wrong with an escape is left to whoever reads the text.
            if bourse_vocab::json::parse(body).is_ok() {
                is_json("a reply that was passed on", &told)?;
            }
        }
    }
    Ok(())
}

fn settled(report: Option<bourse_vocab::UsageReport>) -> Usage {
    report.unwrap_or_default().resolve(&Usage::default()).0
}
