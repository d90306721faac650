//! Reading what a vendor says it counted, in one pass over its text.

use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{ToldCost, UnitsReport, UsageReport};

use crate::json::{Kind, Reader, ScanError, text};

/// One count: a whole number, nothing, or nonsense.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    #[default]
    Absent,
    Tokens(u64),
    Nonsense,
}

impl Count {
    /// The first of two spellings that says anything.
    fn or(self, other: Self) -> Self {
        if self == Self::Absent { other } else { self }
    }

    fn take(self, nonsense: &mut bool) -> Option<u64> {
        match self {
            Self::Absent => None,
            Self::Tokens(count) => Some(count),
            Self::Nonsense => {
                *nonsense = true;
                None
            }
        }
    }
}

impl Count {
    /// Reads the value that comes next. Anything that is neither a whole
    /// number nor `null` is nonsense, and hides nothing but itself.
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        if let Some(count) = reader.plain_number() {
            return Ok(Self::tokens(count));
        }
        Self::read_odd(reader)
    }

    #[inline(never)]
    fn read_odd(reader: &mut Reader<'_>) -> Read<Self> {
        let value = reader.entry(b"")?;
        Ok(match value.kind {
            Kind::Null => Self::Absent,
            // Some servers print counts as floats: `10.0`.
            Kind::Number => text::whole(value.value)
                .and_then(|count| u64::try_from(count).ok())
                .map_or(Self::Nonsense, Self::tokens),
            _ => Self::Nonsense,
        })
    }

    const fn tokens(count: u64) -> Self {
        if count <= TOKENS_MAX {
            Self::Tokens(count)
        } else {
            Self::Nonsense
        }
    }
}

/// Every spelling of the members that matter; the rest is skipped.
#[derive(Debug, Default)]
struct WireUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    prompt: PromptDetails,
    completion: CompletionDetails,
    /// DeepSeek (api-docs.deepseek.com, chat completion, August 2026):
    /// part of `prompt_tokens`.
    prompt_cache_hit_tokens: Count,
    /// Moonshot and others that report it beside the totals.
    cached_tokens: Count,
    /// SGLang and Perplexity, beside the totals of which it is part
    /// (docs.sglang.ai, reasoning; docs.perplexity.ai, chat completions, 2026).
    reasoning_tokens: Count,
    /// Anthropic's names, which gateways in between leave beside the totals;
    /// in this format they are part of the prompt.
    cache_read_input_tokens: Count,
    cache_write: CacheWrites,
    /// OpenRouter's shape, for upstreams that are gateways themselves.
    web_search_requests: Count,
    /// Searches told elsewhere: Perplexity's `num_search_queries`, xAI's
    /// `num_sources_used`, each of which it bills like a search, Alibaba's
    /// `plugins.search.count` (docs.perplexity.ai; docs.x.ai, live search;
    /// alibabacloud.com, model-studio web search, 2026).
    searches_beside: Count,
    cost: Costs,
}

/// What the answer is said to cost, in each of the spellings.
#[derive(Debug, Default)]
struct Costs {
    /// OpenRouter's `cost`, in dollars, and Perplexity's, an object with
    /// `total_cost` in it (openrouter.ai/docs, usage accounting, and the
    /// schema of docs.perplexity.ai's chat completions, both October 2026).
    cost: ToldCost,
    /// xAI's `cost_in_usd_ticks`: the "exact cost" after discounts, tools
    /// included; 10^10 are a dollar (docs.x.ai, cost tracking, October 2026).
    ticks: ToldCost,
    /// What the maker charges to the gateway's customer, where the call was
    /// made with a key of their own.
    upstream: ToldCost,
    /// Whether it was. Elsewhere `upstream` is part of `cost`, or the same.
    is_byok: bool,
}

impl Costs {
    fn read(&mut self, name: &[u8], reader: &mut Reader<'_>) -> Read<()> {
        match name {
            b"cost_in_usd_ticks" => self.ticks = amount(reader, 10)?,
            b"is_byok" => self.is_byok = reader.entry(b"")?.kind == Kind::True,
            b"cost_details" => {
                let upstream = &mut self.upstream;
                details(reader, |name, reader| {
                    match name {
                        b"upstream_inference_cost" => *upstream = amount(reader, 0)?,
                        _ => reader.pass()?,
                    }
                    Ok(())
                })?;
            }
            _ if reader.kind()? == Kind::Object => {
                let cost = &mut self.cost;
                details(reader, |name, reader| {
                    match name {
                        b"total_cost" => *cost = amount(reader, 0)?,
                        _ => reader.pass()?,
                    }
                    Ok(())
                })?;
            }
            _ => self.cost = amount(reader, 0)?,
        }
        Ok(())
    }

    fn take(self) -> ToldCost {
        let own = if self.is_byok {
            self.upstream
        } else {
            ToldCost::Unsaid
        };
        self.ticks.or(self.cost).plus(own)
    }
}

/// Reads an amount of money, of which `10^places` are a dollar.
fn amount(reader: &mut Reader<'_>, places: u32) -> Read<ToldCost> {
    let entry = reader.entry(b"")?;
    Ok(match entry.kind {
        Kind::Null => ToldCost::Unsaid,
        Kind::Number => std::str::from_utf8(entry.value)
            .map_or(ToldCost::Nonsense, |text| ToldCost::read(text, places)),
        _ => ToldCost::Nonsense,
    })
}

/// What was written to a cache, by lifetime if that is told.
#[derive(Debug, Default)]
struct CacheWrites {
    all: Count,
    short: Count,
    long: Count,
}

impl CacheWrites {
    /// Reads one of the members that Anthropic and those who copied them
    /// have: Alibaba reports explicit caches so (alibabacloud.com,
    /// model-studio/context-cache, 2026).
    fn read(&mut self, name: &[u8], reader: &mut Reader<'_>) -> Read<Shape> {
        match name {
            b"cache_write_tokens" | b"cache_creation_input_tokens" => {
                self.all = Count::read(reader)?;
            }
            b"cache_creation" => {
                return details(reader, |name, reader| {
                    match name {
                        b"ephemeral_5m_input_tokens" => self.short = Count::read(reader)?,
                        b"ephemeral_1h_input_tokens" => self.long = Count::read(reader)?,
                        _ => reader.pass()?,
                    }
                    Ok(())
                });
            }
            _ => reader.pass()?,
        }
        Ok(Shape::Good)
    }

    /// Tokens written for five minutes, which is what everybody means who
    /// does not say, and for an hour.
    fn take(self, nonsense: &mut bool) -> (Option<u64>, Option<u64>) {
        let all = self.all.take(nonsense);
        let (short, long) = (self.short.take(nonsense), self.long.take(nonsense));
        match (all, long) {
            (Some(all), Some(long)) => (Some(all.saturating_sub(long)), Some(long.min(all))),
            (Some(all), None) => (Some(all), None),
            (None, long) => (short, long),
        }
    }
}

#[derive(Debug, Default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_write: CacheWrites,
    audio_tokens: Count,
}

#[derive(Debug, Default)]
struct CompletionDetails {
    reasoning_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
    accepted_prediction_tokens: Count,
    rejected_prediction_tokens: Count,
}

/// Whether a value is of the sort that its place calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Good,
    /// It is not, and what it was to say is unknown.
    Bad,
}

type Read<T> = Result<T, Box<ScanError>>;

impl WireUsage {
    /// Reads the members of the object that comes next.
    fn read(&mut self, reader: &mut Reader<'_>) -> Read<Shape> {
        let mut shape = Shape::Good;
        reader.enter_object()?;
        while let Some(name) = reader.next_member()? {
            if self.member(name, reader)? == Shape::Bad {
                shape = Shape::Bad;
            }
        }
        Ok(shape)
    }

    fn member(&mut self, name: &[u8], reader: &mut Reader<'_>) -> Read<Shape> {
        let slot = match name {
            b"prompt_tokens" => &mut self.prompt_tokens,
            b"completion_tokens" => &mut self.completion_tokens,
            // The names of OpenAI's other interface, which servers that
            // speak both mix up.
            b"input_tokens" => &mut self.input_tokens,
            b"output_tokens" => &mut self.output_tokens,
            b"total_tokens" => &mut self.total_tokens,
            b"prompt_cache_hit_tokens" => &mut self.prompt_cache_hit_tokens,
            b"cached_tokens" => &mut self.cached_tokens,
            b"reasoning_tokens" => &mut self.reasoning_tokens,
            b"cache_read_input_tokens" => &mut self.cache_read_input_tokens,
            b"cache_creation_input_tokens" | b"cache_creation" => {
                return self.cache_write.read(name, reader);
            }
            b"prompt_tokens_details" | b"input_tokens_details" => {
                return self.prompt.read(reader);
            }
            b"completion_tokens_details" | b"output_tokens_details" => {
                return self.completion.read(reader);
            }
            b"num_search_queries" | b"num_sources_used" | b"web_search_requests" => {
                self.searches_beside = self.searches_beside.max(Count::read(reader)?);
                return Ok(Shape::Good);
            }
            b"plugins" => return self.plugins(reader),
            b"cost" | b"cost_details" | b"is_byok" | b"cost_in_usd_ticks" => {
                self.cost.read(name, reader)?;
                return Ok(Shape::Good);
            }
            b"server_tool_use" | b"server_tool_use_details" => {
                let searches = &mut self.web_search_requests;
                return details(reader, |name, reader| {
                    match name {
                        b"web_search_requests" => *searches = Count::read(reader)?,
                        _ => reader.pass()?,
                    }
                    Ok(())
                });
            }
            _ => {
                reader.pass()?;
                return Ok(Shape::Good);
            }
        };
        *slot = Count::read(reader)?;
        Ok(Shape::Good)
    }
}

impl WireUsage {
    /// Reads what plugins of the provider did; what is in there hides nothing
    /// but itself.
    fn plugins(&mut self, reader: &mut Reader<'_>) -> Read<Shape> {
        let searches = &mut self.searches_beside;
        details(reader, |name, reader| {
            if name != b"search" {
                return reader.pass();
            }
            let within = details(reader, |name, reader| {
                match name {
                    b"count" => *searches = (*searches).max(Count::read(reader)?),
                    _ => reader.pass()?,
                }
                Ok(())
            });
            within.map(|_| ())
        })
        .map(|_| Shape::Good)
    }
}

impl PromptDetails {
    fn read(&mut self, reader: &mut Reader<'_>) -> Read<Shape> {
        details(reader, |name, reader| {
            match name {
                b"cached_tokens" => self.cached_tokens = Count::read(reader)?,
                b"audio_tokens" => self.audio_tokens = Count::read(reader)?,
                // Nonsense in there hides nothing but itself.
                name => {
                    self.cache_write.read(name, reader)?;
                }
            }
            Ok(())
        })
    }
}

impl CompletionDetails {
    fn read(&mut self, reader: &mut Reader<'_>) -> Read<Shape> {
        details(reader, |name, reader| {
            match name {
                b"reasoning_tokens" => self.reasoning_tokens = Count::read(reader)?,
                b"audio_tokens" => self.audio_tokens = Count::read(reader)?,
                b"image_tokens" => self.image_tokens = Count::read(reader)?,
                b"accepted_prediction_tokens" => {
                    self.accepted_prediction_tokens = Count::read(reader)?;
                }
                b"rejected_prediction_tokens" => {
                    self.rejected_prediction_tokens = Count::read(reader)?;
                }
                _ => reader.pass()?,
            }
            Ok(())
        })
    }
}

/// Calls `each` for the members of an object of details, whose values it must
/// read. `null` has none, and neither has an empty list, which is how PHP
/// prints an empty map.
fn details<'a>(
    reader: &mut Reader<'a>,
    mut each: impl FnMut(&'a [u8], &mut Reader<'a>) -> Read<()>,
) -> Read<Shape> {
    match reader.kind()? {
        Kind::Object => {
            reader.enter_object()?;
            while let Some(name) = reader.next_member()? {
                each(name, reader)?;
            }
            Ok(Shape::Good)
        }
        Kind::Null => reader.pass().map(|()| Shape::Good),
        Kind::Array => {
            reader.enter_array()?;
            let mut shape = Shape::Good;
            while reader.next_element()? {
                shape = Shape::Bad;
                reader.pass()?;
            }
            Ok(shape)
        }
        _ => reader.pass().map(|()| Shape::Bad),
    }
}

/// Reads a `usage` object. What cannot be read is noted as nonsense, never
/// taken for zero.
#[must_use]
pub fn read_usage(value: &bourse_vocab::json::Value) -> UsageReport {
    read_usage_text(&value.to_string())
}

/// Reads a `usage` object from its JSON text; `null` reports nothing.
#[must_use]
pub fn read_usage_text(text: &str) -> UsageReport {
    let mut reader = Reader::new(text);
    let report = read_next_usage(&mut reader);
    match report.and_then(|report| reader.finish().map(|()| report)) {
        Ok(report) => report.unwrap_or_default(),
        Err(_) => NONSENSE,
    }
}

/// A report of which nothing is to be believed.
const NONSENSE: UsageReport = UsageReport {
    prompt: None,
    cache_read: None,
    cache_read_audio: None,
    cache_write_5m: None,
    cache_write_1h: None,
    prompt_audio: None,
    prompt_image: None,
    completion: None,
    reasoning: None,
    completion_audio: None,
    completion_image: None,
    web_searches: None,
    accepted_prediction: None,
    rejected_prediction: None,
    units: UnitsReport::NONE,
    cost: ToldCost::Unsaid,
    nonsense: true,
};

/// Reads a `usage` object where the reader stands; `None` if it is `null`.
///
/// # Errors
/// The text is not JSON.
pub fn read_next_usage(reader: &mut Reader<'_>) -> Read<Option<UsageReport>> {
    let mut wire = WireUsage::default();
    let shape = match reader.kind()? {
        Kind::Object => wire.read(reader)?,
        Kind::Null => return reader.pass().map(|()| None),
        _ => reader.pass().map(|()| Shape::Bad)?,
    };
    Ok(Some(match shape {
        Shape::Good => wire.report(),
        Shape::Bad => NONSENSE,
    }))
}

impl WireUsage {
    /// What the spellings say together.
    fn report(self) -> UsageReport {
        let wire = self;
        let (prompt, output) = (wire.prompt, wire.completion);
        let mut nonsense = false;
        let written = match prompt.cache_write.take(&mut nonsense) {
            (None, None) => wire.cache_write.take(&mut nonsense),
            written => written,
        };
        let mut report = UsageReport {
            prompt: wire.prompt_tokens.or(wire.input_tokens).take(&mut nonsense),
            cache_read: prompt
                .cached_tokens
                .or(wire.prompt_cache_hit_tokens)
                .or(wire.cached_tokens)
                .or(wire.cache_read_input_tokens)
                .take(&mut nonsense),
            // What of it was heard is told in Realtime alone.
            cache_read_audio: None,
            cache_write_5m: written.0,
            cache_write_1h: written.1,
            // Pictures cost what texts do wherever they are seen in chat.
            prompt_image: None,
            prompt_audio: prompt.audio_tokens.take(&mut nonsense),
            completion: wire
                .completion_tokens
                .or(wire.output_tokens)
                .take(&mut nonsense),
            reasoning: output
                .reasoning_tokens
                .or(wire.reasoning_tokens)
                .take(&mut nonsense),
            completion_audio: output.audio_tokens.take(&mut nonsense),
            completion_image: output.image_tokens.take(&mut nonsense),
            web_searches: wire
                .web_search_requests
                .max(wire.searches_beside)
                .take(&mut nonsense),
            accepted_prediction: output.accepted_prediction_tokens.take(&mut nonsense),
            rejected_prediction: output.rejected_prediction_tokens.take(&mut nonsense),
            units: UnitsReport::NONE,
            cost: wire.cost.take(),
            nonsense,
        };
        // xAI counts reasoning beside `completion_tokens`, and only its total
        // gives that away (docs.x.ai, consumption and rate limits: "counted
        // separately", seen August 2026: 10120 + 1499 + 2809 = 14428). The sum
        // can only come out so if reasoning is not part of the completion.
        let mut ignored = false;
        if let (Some(prompt), Some(completion), Some(reasoning), Some(total)) = (
            report.prompt,
            report.completion,
            report.reasoning,
            wire.total_tokens.take(&mut ignored),
        ) {
            let apart = completion.saturating_add(reasoning);
            if reasoning > 0 && prompt.saturating_add(apart) == total {
                report.completion = Some(apart);
            }
        }
        report
    }
}
