//! Reading records of version 1, as the first release wrote them: fields in
//! a fixed order, without room for others.

use bourse_vocab::{AccountId, Count, Counts, GenerationId, KeyId, Nanos, Usage};

use super::DecodeError;
use super::bytes::{Reader, Value};
use crate::record::{
    ApiType, AttemptFact, Checkpoint, Cost, Dispatch, EXTRA_BYTES_MAX, Extend, Facts, Flags, Hold,
    LIST_MAX, Payer, Record, Settle, Settlement, TEXT_BYTES_MAX, Void, VoidReason, Voiding,
};

pub(super) fn record<'a>(
    kind: u8,
    id: GenerationId,
    reader: Reader<'a>,
) -> Result<Record<'a>, DecodeError> {
    let mut reader = Fixed(reader);
    let record = match kind {
        1 => Record::Hold(Hold {
            id,
            account: AccountId(reader.number("account")?),
            key: KeyId(reader.number("key")?),
            amount: reader.amount("amount")?,
            at_ms: reader.number("at")?,
            model: reader.text("model")?,
            provider: reader.text("provider")?,
            endpoint: reader.text("endpoint")?,
        }),
        2 => Record::Extend(Extend {
            id,
            extra: reader.amount("extra")?,
        }),
        3 => Record::Dispatch(Dispatch {
            id,
            model: reader.text("model")?,
            provider: reader.text("provider")?,
            endpoint: reader.text("endpoint")?,
        }),
        4 => Record::Checkpoint(Checkpoint {
            id,
            charge: reader.amount("charge")?,
            upstream: reader.amount("upstream")?,
            prompt: reader.number("prompt")?,
            completion: reader.number("completion")?,
        }),
        5 => Record::Settle(reader.settle(id)?),
        6 => Record::Void(reader.void(id)?),
        kind => return Err(DecodeError::Kind(kind)),
    };
    if reader.0.is_empty() {
        Ok(record)
    } else {
        Err(DecodeError::Field("bytes after the last field"))
    }
}

struct Fixed<'a>(Reader<'a>);

impl<'a> Fixed<'a> {
    fn number(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.0.number(field)
    }

    fn narrow<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, DecodeError> {
        T::try_from(self.number(field)?).map_err(|_| DecodeError::Field(field))
    }

    fn amount(&mut self, field: &'static str) -> Result<Nanos, DecodeError> {
        Value::Number(self.number(field)?).amount(field)
    }

    fn text_of(&mut self, max: usize, field: &'static str) -> Result<&'a str, DecodeError> {
        let length: usize = self.narrow(field)?;
        if length > max {
            return Err(DecodeError::Field(field));
        }
        Value::Bytes(self.0.take(length, field)?).text_of(max, field)
    }

    fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.text_of(TEXT_BYTES_MAX, field)
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
                payer: match reader.0.byte(field)? {
                    0 => Payer::Customer,
                    1 => Payer::House,
                    _ => return Err(DecodeError::Field(field)),
                },
            })
        })
    }

    fn settle(&mut self, id: GenerationId) -> Result<Settle<'a>, DecodeError> {
        let account = AccountId(self.number("account")?);
        let key = KeyId(self.number("key")?);
        let at_ms = self.number("at")?;
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
        let account = AccountId(self.number("account")?);
        let key = KeyId(self.number("key")?);
        let at_ms = self.number("at")?;
        let held = self.amount("held")?;
        let reason = match self.0.byte("reason")? {
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
                facts: Facts::default(),
            },
        })
    }

    fn facts(&mut self) -> Result<Facts<'a>, DecodeError> {
        // Fields are read in the order in which they are written here.
        let mut facts = Facts {
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
            api_type: match self.0.byte("api type")? {
                0 => ApiType::Completions,
                1 => ApiType::Embeddings,
                _ => return Err(DecodeError::Field("api type")),
            },
            flags: self.flags()?,
            counts: Counts::from(self.usage()?),
            upstream_prompt: self.amount("upstream prompt")?,
            upstream_completion: self.amount("upstream completion")?,
            cache_discount: self.amount("cache discount")?,
            ..Facts::default()
        };
        facts
            .counts
            .set(Count::MediaIn, self.narrow::<u32>("media")?.into());
        facts.latency_ms = self.narrow("latency")?;
        facts.generation_ms = self.narrow("generation time")?;
        facts.attempts = self.list("attempts", |reader| {
            Ok(AttemptFact {
                provider: reader.text("attempt")?,
                endpoint: reader.text("attempt")?,
                model: reader.text("attempt")?,
                upstream_id: reader.text("attempt")?,
                status: reader.narrow("attempt")?,
                latency_ms: reader.narrow("attempt")?,
                ..AttemptFact::default()
            })
        })?;
        facts.extra = self.text_of(EXTRA_BYTES_MAX, "extra")?;
        Ok(facts)
    }

    fn flags(&mut self) -> Result<Flags, DecodeError> {
        let bits = self.0.byte("flags")?;
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
            prompt: self.number("usage")?,
            cache_read: self.number("usage")?,
            cache_write_5m: self.number("usage")?,
            cache_write_1h: self.number("usage")?,
            prompt_audio: self.number("usage")?,
            completion: self.number("usage")?,
            reasoning: self.number("usage")?,
            completion_audio: self.number("usage")?,
            completion_image: self.number("usage")?,
            web_searches: self.number("usage")?,
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests;
