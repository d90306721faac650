//! Error replies of providers, read by every provider and told to clients in
//! every format.

use std::time::Duration;

use bourse_vocab::Format;
use bourse_wire::{ErrorReply, codec};

use super::{Target, fixtures, is_json, tagged, untagged};
use crate::sign::{Sign, of_bytes};

/// Error bodies and what becomes of them.
pub struct Errors;

/// Statuses with rules of their own, and some that no provider should send.
const STATUSES: [u16; 16] = [
    200, 400, 401, 402, 403, 404, 408, 413, 422, 429, 451, 500, 502, 503, 529, 999,
];

impl Target for Errors {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn held_to(&self) -> &'static str {
        "an error body of a provider gives a failure with an error status, and JSON in every format"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let mut seeds = Vec::new();
        for ending in [".error.json", ".reply.json"] {
            seeds.extend(
                fixtures(ending)?
                    .iter()
                    .map(|(format, body)| tagged(*format, body)),
            );
        }
        seeds.push(tagged(
            Format::OpenAiChat,
            b"<html><title>502</title></html>",
        ));
        Ok(seeds)
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let (format, body) = untagged(input);
        let drawn = usize::try_from(of_bytes(input) >> 8).unwrap_or(0);
        let reply = ErrorReply {
            status: STATUSES.get(drawn % STATUSES.len()).copied().unwrap_or(500),
            body,
            retry_after: (drawn % 3 == 0).then_some(Duration::from_secs(7)),
        };
        let mut sign = Sign::default();
        let providers: Vec<_> = bourse_providers::all().collect();
        let vendor = providers.get(drawn % providers.len().max(1));
        let by_vendor = vendor.map(|vendor| vendor.read_failure(format, &reply));
        for failure in [Some(codec(format).read_failure(&reply)), by_vendor]
            .into_iter()
            .flatten()
        {
            sign.failure(&failure);
            if !(400..600).contains(&failure.status()) {
                return Err(format!(
                    "a failure has the status of a success\n{failure:?}"
                ));
            }
            for format in Format::ALL {
                is_json(
                    "an error for a client",
                    &codec(format).write_failure(&failure),
                )?;
            }
        }
        Ok(sign.get())
    }
}
