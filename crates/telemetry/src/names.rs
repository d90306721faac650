//! Every name that a span carries, in one place: the conventions for
//! generative AI are still in development, and names move
//! ("Semantic conventions for generative AI client inference",
//! open-telemetry/semantic-conventions-genai, commit 024a4f9, November 2026).

/// What was done: `chat` or `text_completion`.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Who answered, or was asked last.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// The model that was asked for, as typed.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Whether a stream was asked for.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// The model that answered.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// The id of the answer, as the client has it.
pub const RESPONSE_ID: &str = "gen_ai.response.id";
/// Why it ended: a list.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Seconds to the first content.
pub const FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// The caller's session.
pub const CONVERSATION: &str = "gen_ai.conversation.id";
/// Input tokens, those from caches included.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Output tokens, those of thoughts included.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Input tokens read from a cache.
pub const CACHE_READ: &str = "gen_ai.usage.cache_read.input_tokens";
/// Input tokens written to a cache.
pub const CACHE_WRITE: &str = "gen_ai.usage.cache_write.input_tokens";
/// Output tokens spent on thinking.
pub const REASONING: &str = "gen_ai.usage.reasoning.output_tokens";
/// What went wrong: our stable name for it.
pub const ERROR_TYPE: &str = "error.type";
/// The status that an attempt was answered with.
pub const HTTP_STATUS: &str = "http.response.status_code";
/// The caller's program as it names itself.
pub const USER_AGENT: &str = "user_agent.original";

// What the conventions have no name for.

/// The number of the account that pays.
pub const ACCOUNT: &str = "bourse.account.id";
/// The number of the key that called.
pub const KEY: &str = "bourse.key.id";
/// What the customer paid, in nano-dollars: a whole number, and exact.
pub const COST: &str = "bourse.cost.nano_usd";
/// What the provider charges, in nano-dollars.
pub const UPSTREAM_COST: &str = "bourse.cost.upstream_nano_usd";
/// The endpoint's id.
pub const ENDPOINT: &str = "bourse.endpoint.id";
/// The place of an attempt among those of its call, from 1.
pub const ATTEMPT: &str = "bourse.attempt";
/// How many attempts there were.
pub const ATTEMPTS: &str = "bourse.attempts";
/// The provider's id for its answer.
pub const UPSTREAM_ID: &str = "bourse.upstream.response_id";
/// The provider's id for the request.
pub const UPSTREAM_REQUEST: &str = "bourse.upstream.request_id";
/// The caller's app: `X-Title`.
pub const APP: &str = "bourse.app";
/// The caller left before the end.
pub const CANCELLED: &str = "bourse.cancelled";
/// Some number was counted here.
pub const ESTIMATED: &str = "bourse.usage.estimated";
/// The call whose answer was kept and given once more.
pub const CACHE_SOURCE: &str = "bourse.cache.source_id";
/// Milliseconds before the first dispatch.
pub const QUEUE: &str = "bourse.queue_ms";
