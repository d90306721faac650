//! Records as bytes: a version, a kind, then the fields in a fixed order.
//!
//! Integers are little-endian base-128 (signed ones zigzag), texts are
//! preceded by their length, ids are 16 bytes. A record has no room for
//! fields that this version does not know: a new field is a new version,
//! and old ones stay readable because the version comes first. Frames
//! around records carry the checksum (see the spool), so this reader guards
//! against mistakes rather than bad disks; it still refuses any byte that
//! does not fit, and never reads past the end.

use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos, Usage};

use super::{
    ApiType, AttemptFact, Checkpoint, Cost, Dispatch, EXTRA_BYTES_MAX, Extend, Facts, Flags, Hold,
    LIST_MAX, Payer, Record, Settle, Settlement, TEXT_BYTES_MAX, Void, VoidReason, Voiding,
};

const VERSION: u8 = 1;
const HOLD: u8 = 1;
const EXTEND: u8 = 2;
const DISPATCH: u8 = 3;
const CHECKPOINT: u8 = 4;
const SETTLE: u8 = 5;
const VOID: u8 = 6;

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer (or broken) server.
    #[error("journal record of unknown version {0}")]
    Version(u8),
    /// No such kind in this version.
    #[error("journal record of unknown kind {0}")]
    Kind(u8),
    /// A field is cut, too long or out of range.
    #[error("malformed journal record: {0}")]
    Field(&'static str),
}

/// Appends a record to `out`.
pub fn encode(record: &Record<'_>, out: &mut Vec<u8>) {
    match record {
        Record::Hold(hold) => {
            begin(out, HOLD, hold.id);
            unsigned(out, hold.account.0);
            unsigned(out, hold.key.0);
            signed(out, hold.amount);
            unsigned(out, hold.at_ms);
            text(out, hold.model);
            text(out, hold.provider);
            text(out, hold.endpoint);
        }
        Record::Extend(extend) => {
            begin(out, EXTEND, extend.id);
            signed(out, extend.extra);
        }
        Record::Dispatch(dispatch) => {
            begin(out, DISPATCH, dispatch.id);
            text(out, dispatch.model);
            text(out, dispatch.provider);
            text(out, dispatch.endpoint);
        }
        Record::Checkpoint(checkpoint) => {
            begin(out, CHECKPOINT, checkpoint.id);
            signed(out, checkpoint.charge);
            signed(out, checkpoint.upstream);
            unsigned(out, checkpoint.prompt);
            unsigned(out, checkpoint.completion);
        }
        Record::Settle(settle) => {
            encode_settle(
                settle.key,
                settle.held,
                settle.paid,
                &settle.settlement,
                out,
            );
        }
        Record::Void(void) => encode_void(void.key, void.held, &void.voiding, out),
    }
}

/// Appends a [`Settle`] made of a settlement and what the books say of it.
pub fn encode_settle(
    key: KeyId,
    held: Nanos,
    paid: Nanos,
    settlement: &Settlement<'_>,
    out: &mut Vec<u8>,
) {
    begin(out, SETTLE, settlement.id);
    unsigned(out, settlement.account.0);
    unsigned(out, key.0);
    unsigned(out, settlement.at_ms);
    signed(out, held);
    signed(out, settlement.charge);
    signed(out, paid);
    costs(out, &settlement.costs);
    costs(out, &settlement.possible);
    facts(out, &settlement.facts);
}

/// Appends a [`Void`] made of a voiding and what the books say of it.
pub fn encode_void(key: KeyId, held: Nanos, voiding: &Voiding<'_>, out: &mut Vec<u8>) {
    begin(out, VOID, voiding.id);
    unsigned(out, voiding.account.0);
    unsigned(out, key.0);
    unsigned(out, voiding.at_ms);
    signed(out, held);
    out.push(match voiding.reason {
        VoidReason::AttemptsFailed => 0,
        VoidReason::CallerLeft => 1,
        VoidReason::NothingDelivered => 2,
        VoidReason::Restart => 3,
        VoidReason::NotDispatched => 4,
    });
    costs(out, &voiding.costs);
    costs(out, &voiding.possible);
}

fn begin(out: &mut Vec<u8>, kind: u8, id: GenerationId) {
    out.push(VERSION);
    out.push(kind);
    out.extend_from_slice(&id.to_bits().to_le_bytes());
}

#[allow(clippy::cast_possible_truncation)] // The low seven bits are wanted.
fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[allow(clippy::cast_sign_loss)] // Zigzag: the sign becomes the lowest bit.
fn signed(out: &mut Vec<u8>, value: Nanos) {
    unsigned(out, ((value.0 << 1) ^ (value.0 >> 63)) as u64);
}

fn text(out: &mut Vec<u8>, value: &str) {
    let mut end = value.len().min(TEXT_BYTES_MAX);
    while !value.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    unsigned(out, end as u64);
    out.extend_from_slice(value.as_bytes().get(..end).unwrap_or_default());
}

fn costs(out: &mut Vec<u8>, costs: &[Cost<'_>]) {
    unsigned(out, costs.len().min(LIST_MAX) as u64);
    for cost in costs.iter().take(LIST_MAX) {
        text(out, cost.provider);
        signed(out, cost.amount);
        out.push(u8::from(cost.payer == Payer::House));
    }
}

fn facts(out: &mut Vec<u8>, facts: &Facts<'_>) {
    for value in [
        facts.model,
        facts.provider,
        facts.provider_name,
        facts.endpoint,
        facts.upstream_id,
        facts.session_id,
        facts.user,
        facts.finish,
        facts.native_finish,
        facts.referer,
        facts.app,
        facts.user_agent,
        facts.router,
        facts.service_tier,
    ] {
        text(out, value);
    }
    out.push(match facts.api_type {
        ApiType::Completions => 0,
        ApiType::Embeddings => 1,
    });
    let flags = facts.flags;
    out.push(
        u8::from(flags.streamed)
            | u8::from(flags.cancelled) << 1
            | u8::from(flags.estimated) << 2
            | u8::from(flags.byok) << 3
            | u8::from(flags.nonsense) << 4,
    );
    let usage = &facts.usage;
    for value in [
        usage.prompt,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.prompt_audio,
        usage.completion,
        usage.reasoning,
        usage.completion_audio,
        usage.completion_image,
        usage.web_searches,
    ] {
        unsigned(out, value);
    }
    signed(out, facts.upstream_prompt);
    signed(out, facts.upstream_completion);
    signed(out, facts.cache_discount);
    unsigned(out, facts.media_prompt.into());
    unsigned(out, facts.latency_ms.into());
    unsigned(out, facts.generation_ms.into());
    unsigned(out, facts.attempts.len().min(LIST_MAX) as u64);
    for attempt in facts.attempts.iter().take(LIST_MAX) {
        text(out, attempt.provider);
        text(out, attempt.endpoint);
        text(out, attempt.model);
        text(out, attempt.upstream_id);
        unsigned(out, attempt.status.into());
        unsigned(out, attempt.latency_ms.into());
    }
    let extra = if facts.extra.len() > EXTRA_BYTES_MAX {
        ""
    } else {
        facts.extra
    };
    unsigned(out, extra.len() as u64);
    out.extend_from_slice(extra.as_bytes());
}

/// Reads one record, which must fill `bytes` exactly.
///
/// # Errors
/// Says which version, kind or field does not fit.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let mut reader = Reader { rest: bytes };
    let version = reader.byte("version")?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = reader.byte("kind")?;
    let id = reader.id()?;
    let record = match kind {
        HOLD => Record::Hold(Hold {
            id,
            account: AccountId(reader.unsigned("account")?),
            key: KeyId(reader.unsigned("key")?),
            amount: reader.amount("amount")?,
            at_ms: reader.unsigned("at")?,
            model: reader.text("model")?,
            provider: reader.text("provider")?,
            endpoint: reader.text("endpoint")?,
        }),
        EXTEND => Record::Extend(Extend {
            id,
            extra: reader.amount("extra")?,
        }),
        DISPATCH => Record::Dispatch(Dispatch {
            id,
            model: reader.text("model")?,
            provider: reader.text("provider")?,
            endpoint: reader.text("endpoint")?,
        }),
        CHECKPOINT => Record::Checkpoint(Checkpoint {
            id,
            charge: reader.amount("charge")?,
            upstream: reader.amount("upstream")?,
            prompt: reader.unsigned("prompt")?,
            completion: reader.unsigned("completion")?,
        }),
        SETTLE => Record::Settle(reader.settle(id)?),
        VOID => Record::Void(reader.void(id)?),
        kind => return Err(DecodeError::Kind(kind)),
    };
    if reader.rest.is_empty() {
        Ok(record)
    } else {
        Err(DecodeError::Field("bytes after the last field"))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Field(field))?;
        self.rest = rest;
        Ok(byte)
    }

    fn id(&mut self) -> Result<GenerationId, DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk::<16>()
            .ok_or(DecodeError::Field("id"))?;
        self.rest = rest;
        Ok(GenerationId::from_bits(u128::from_le_bytes(*bytes)))
    }

    fn unsigned(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(field)?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte holds one bit; more would be lost.
            if shift == 63 && byte > 1 {
                return Err(DecodeError::Field(field));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Field(field))
    }

    fn narrow<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, DecodeError> {
        T::try_from(self.unsigned(field)?).map_err(|_| DecodeError::Field(field))
    }

    fn amount(&mut self, field: &'static str) -> Result<Nanos, DecodeError> {
        let value = self.unsigned(field)?;
        let magnitude = i64::try_from(value >> 1).map_err(|_| DecodeError::Field(field))?;
        Ok(Nanos(if value & 1 == 0 {
            magnitude
        } else {
            !magnitude
        }))
    }

    fn bytes_of_text(&mut self, max: usize, field: &'static str) -> Result<&'a str, DecodeError> {
        let length: usize = self.narrow(field)?;
        if length > max {
            return Err(DecodeError::Field(field));
        }
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Field(field))?;
        self.rest = rest;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Field(field))
    }

    fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.bytes_of_text(TEXT_BYTES_MAX, field)
    }

    fn list<T>(
        &mut self,
        field: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let length: usize = self.narrow(field)?;
        if length > LIST_MAX {
            return Err(DecodeError::Field(field));
        }
        (0..length).map(|_| read(self)).collect()
    }

    fn costs(&mut self, field: &'static str) -> Result<Vec<Cost<'a>>, DecodeError> {
        self.list(field, |reader| {
            Ok(Cost {
                provider: reader.text(field)?,
                amount: reader.amount(field)?,
                payer: match reader.byte(field)? {
                    0 => Payer::Customer,
                    1 => Payer::House,
                    _ => return Err(DecodeError::Field(field)),
                },
            })
        })
    }

    fn settle(&mut self, id: GenerationId) -> Result<Settle<'a>, DecodeError> {
        let account = AccountId(self.unsigned("account")?);
        let key = KeyId(self.unsigned("key")?);
        let at_ms = self.unsigned("at")?;
        let held = self.amount("held")?;
        let charge = self.amount("charge")?;
        let paid = self.amount("paid")?;
        Ok(Settle {
            key,
            held,
            paid,
            settlement: Settlement {
                id,
                account,
                at_ms,
                charge,
                costs: self.costs("costs")?,
                possible: self.costs("possible costs")?,
                facts: self.facts()?,
            },
        })
    }

    fn void(&mut self, id: GenerationId) -> Result<Void<'a>, DecodeError> {
        let account = AccountId(self.unsigned("account")?);
        let key = KeyId(self.unsigned("key")?);
        let at_ms = self.unsigned("at")?;
        let held = self.amount("held")?;
        let reason = match self.byte("reason")? {
            0 => VoidReason::AttemptsFailed,
            1 => VoidReason::CallerLeft,
            2 => VoidReason::NothingDelivered,
            3 => VoidReason::Restart,
            4 => VoidReason::NotDispatched,
            _ => return Err(DecodeError::Field("reason")),
        };
        Ok(Void {
            key,
            held,
            voiding: Voiding {
                id,
                account,
                at_ms,
                reason,
                costs: self.costs("costs")?,
                possible: self.costs("possible costs")?,
            },
        })
    }

    fn facts(&mut self) -> Result<Facts<'a>, DecodeError> {
        // Fields are read in the order in which they are written here.
        Ok(Facts {
            model: self.text("model")?,
            provider: self.text("provider")?,
            provider_name: self.text("provider name")?,
            endpoint: self.text("endpoint")?,
            upstream_id: self.text("upstream id")?,
            session_id: self.text("session")?,
            user: self.text("user")?,
            finish: self.text("finish")?,
            native_finish: self.text("native finish")?,
            referer: self.text("referer")?,
            app: self.text("app")?,
            user_agent: self.text("user agent")?,
            router: self.text("router")?,
            service_tier: self.text("service tier")?,
            api_type: match self.byte("api type")? {
                0 => ApiType::Completions,
                1 => ApiType::Embeddings,
                _ => return Err(DecodeError::Field("api type")),
            },
            flags: self.flags()?,
            usage: self.usage()?,
            upstream_prompt: self.amount("upstream prompt")?,
            upstream_completion: self.amount("upstream completion")?,
            cache_discount: self.amount("cache discount")?,
            media_prompt: self.narrow("media")?,
            latency_ms: self.narrow("latency")?,
            generation_ms: self.narrow("generation time")?,
            attempts: self.list("attempts", |reader| {
                Ok(AttemptFact {
                    provider: reader.text("attempt")?,
                    endpoint: reader.text("attempt")?,
                    model: reader.text("attempt")?,
                    upstream_id: reader.text("attempt")?,
                    status: reader.narrow("attempt")?,
                    latency_ms: reader.narrow("attempt")?,
                })
            })?,
            extra: self.bytes_of_text(EXTRA_BYTES_MAX, "extra")?,
        })
    }

    fn flags(&mut self) -> Result<Flags, DecodeError> {
        let bits = self.byte("flags")?;
        if bits >> 5 != 0 {
            return Err(DecodeError::Field("flags"));
        }
        let is_set = |bit: u8| bits & (1 << bit) != 0;
        Ok(Flags {
            streamed: is_set(0),
            cancelled: is_set(1),
            estimated: is_set(2),
            byok: is_set(3),
            nonsense: is_set(4),
        })
    }

    fn usage(&mut self) -> Result<Usage, DecodeError> {
        Ok(Usage {
            prompt: self.unsigned("usage")?,
            cache_read: self.unsigned("usage")?,
            cache_write_5m: self.unsigned("usage")?,
            cache_write_1h: self.unsigned("usage")?,
            prompt_audio: self.unsigned("usage")?,
            completion: self.unsigned("usage")?,
            reasoning: self.unsigned("usage")?,
            completion_audio: self.unsigned("usage")?,
            completion_image: self.unsigned("usage")?,
            web_searches: self.unsigned("usage")?,
        })
    }
}

#[cfg(test)]
mod tests;
