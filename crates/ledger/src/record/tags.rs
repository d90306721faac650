//! The numbers of fields, kinds and items in records of version 2.
//!
//! Numbers are for ever: one that is no longer written is kept here as
//! reserved and never given away. `docs/journal.md` lists the same tables; a
//! test compares the two.

use bourse_catalog::PriceKey;

use crate::price::Item;

macro_rules! tags {
    ($list:ident: $( $(#[doc = $doc:literal])* $NAME:ident = $number:literal, $kind:literal; )+) => {
        $( $(#[doc = $doc])* #[allow(dead_code)] pub(in crate::record) const $NAME: u64 = $number; )+
        /// Number, name, kind of value and meaning of each, for the document.
        #[cfg(test)]
        pub(in crate::record) const $list: &[(u64, &str, &str, &str)] =
            &[ $( ($number, stringify!($NAME), $kind, concat!($($doc),*)), )+ ];
    };
}

/// Kinds of records: the second byte.
pub(super) mod kind {
    tags! { LIST:
        /// Money is set aside; the first dispatch follows.
        HOLD = 1, "kind";
        /// More money is set aside for a running call.
        EXTEND = 2, "kind";
        /// A later attempt goes to another endpoint.
        DISPATCH = 3, "kind";
        /// How much of a stream has been delivered so far.
        CHECKPOINT = 4, "kind";
        /// The call is paid for.
        SETTLE = 5, "kind";
        /// The call costs its customer nothing.
        VOID = 6, "kind";
        /// The call was refused before anything was set aside.
        REFUSED = 7, "kind";
        /// How much of several streams has been delivered so far.
        CHECKPOINTS = 8, "kind";
    }
}

/// Fields of a record.
pub(super) mod field {
    tags! { LIST:
        /// The node that wrote the record; absent means 1.
        NODE = 1, "number";
        /// Who pays: pairs of a payer's kind and its id, from the account downwards.
        PAYERS = 2, "pairs";
        /// When, in milliseconds since 1970.
        AT_MS = 3, "number";
        /// What is set aside, in nano-dollars: by a hold in all, by an extension more.
        AMOUNT = 4, "amount";
        /// Slug of the model that answered or was asked last.
        MODEL = 5, "text";
        /// Slug of the provider that answered or was asked last.
        PROVIDER = 6, "text";
        /// Id of the endpoint that answered or was asked last.
        ENDPOINT = 7, "text";
        /// What the call costs by the price list, markup included, in nano-dollars.
        CHARGE = 8, "amount";
        /// In a checkpoint: what the provider would charge, in nano-dollars.
        UPSTREAM = 9, "amount";
        /// What was on hold in the end, in nano-dollars.
        HELD = 10, "amount";
        /// What the customer paid of the charge, in nano-dollars.
        PAID = 11, "amount";
        /// Why a call was voided; absent means 0.
        REASON = 12, "number";
        /// What a provider charges for one attempt; as often as there are some.
        COST = 13, "cost";
        /// What a provider may have charged; as often as there are some.
        POSSIBLE = 14, "cost";
        /// What was counted: pairs of a count's kind and how many.
        COUNTS = 15, "pairs";
        /// Display name of the provider.
        PROVIDER_NAME = 16, "text";
        /// The model asked for, as typed, where it differs from the model.
        REQUESTED = 17, "text";
        /// The provider's id for its answer.
        UPSTREAM_ID = 18, "text";
        /// The caller's session.
        SESSION = 19, "text";
        /// The caller's own user.
        USER = 20, "text";
        /// Why it ended, in the public API's words.
        FINISH = 21, "text";
        /// Why it ended, in the provider's words.
        NATIVE_FINISH = 22, "text";
        /// Where the caller comes from.
        REFERER = 23, "text";
        /// The caller's program.
        APP = 24, "text";
        /// The caller's user agent.
        USER_AGENT = 25, "text";
        /// Which router chose the model.
        ROUTER = 26, "text";
        /// The service tier, as the provider reported it, in public words.
        SERVICE_TIER = 27, "text";
        /// What kind of model call; absent means completions.
        API_TYPE = 28, "number";
        /// Yes-or-no facts, one bit each.
        FLAGS = 29, "number";
        /// What went wrong: the number of a kind of failure.
        FAILURE = 30, "number";
        /// What the provider charges for the input, in nano-dollars.
        UPSTREAM_PROMPT = 31, "amount";
        /// What the provider charges for the output, in nano-dollars.
        UPSTREAM_COMPLETION = 32, "amount";
        /// What caching saved, or cost if negative, in nano-dollars.
        CACHE_DISCOUNT = 33, "amount";
        /// Milliseconds from the call's beginning to the first dispatch.
        QUEUE_MS = 34, "number";
        /// Milliseconds from the first dispatch to the first content.
        LATENCY_MS = 35, "number";
        /// Milliseconds from the first content to the end.
        GENERATION_MS = 36, "number";
        /// One try at one endpoint; as often as there were some, in order.
        ATTEMPT = 37, "attempt";
        /// Version of the prices: a hash of the catalog with its overlays.
        PRICE_BOOK = 38, "number";
        /// One line of the charge: item, units, price of one in pico-dollars; as often as there are some.
        LINE = 39, "line";
        /// More members for the generation record, as a JSON object.
        EXTRA = 40, "text";
        /// Refused calls before this one that left no record.
        UNRECORDED = 41, "number";
        /// Reserved: fingerprint of the workload.
        WORKLOAD = 42, "number";
        /// Reserved: which step of its session the call is.
        STEP = 43, "number";
        /// Reserved: the policy that chose the model.
        POLICY = 44, "text";
        /// Reserved: how probable that choice was, in parts per million.
        PROPENSITY = 45, "number";
        /// Reserved: whether the choice was an exploration.
        EXPLORED = 46, "number";
        /// What was wrong with tool calls, one bit each: 1 no JSON, 2 no such tool, 4 not as its schema has it.
        TOOL_ERRORS = 47, "number";
        /// Reserved: whether the answer fits the schema that was asked for.
        SCHEMA_OK = 48, "number";
        /// Reserved: the reasoning effort asked for.
        EFFORT = 49, "number";
        /// How much of one of several streams has been delivered; as often as there are some.
        STREAM = 50, "stream";
        /// What the provider says that it charges, in nano-dollars, where that is booked in place of what its prices make.
        TOLD_COST = 51, "amount";
        /// The id of the call whose answer was kept and given once more, 16 bytes, little-endian; no provider was asked.
        CACHE_SOURCE = 52, "bytes";
        /// How good the endpoint was held to be for calls with tools when one ended: 1 good, 2 not known well enough, 3 slow, 4 careless, 5 both.
        QUALITY = 53, "number";
    }
}

/// Fields of a stream, within [`field::STREAM`].
pub(super) mod stream {
    tags! { LIST:
        /// The call's id, 16 bytes, little-endian.
        ID = 1, "bytes";
        /// What the customer would pay, markup included, in nano-dollars.
        CHARGE = 2, "amount";
        /// What the provider would charge, in nano-dollars.
        UPSTREAM = 3, "amount";
        /// Input tokens, estimated.
        PROMPT = 4, "number";
        /// Output tokens delivered, estimated.
        COMPLETION = 5, "number";
    }
}

/// Fields of an attempt, within [`field::ATTEMPT`]. A text that is absent is
/// that of the record.
pub(super) mod attempt {
    tags! { LIST:
        /// Slug of the provider.
        PROVIDER = 1, "text";
        /// The endpoint's id.
        ENDPOINT = 2, "text";
        /// Slug of the model.
        MODEL = 3, "text";
        /// The provider's id for its answer.
        UPSTREAM_ID = 4, "text";
        /// The provider's id for the request, where it gave one with an error.
        REQUEST_ID = 5, "text";
        /// HTTP status, 0 without an answer; absent means 200.
        STATUS = 6, "number";
        /// What went wrong: the number of a kind of failure.
        FAILURE = 7, "number";
        /// Milliseconds from the call's first dispatch to this one.
        DISPATCH_MS = 8, "number";
        /// Milliseconds from its dispatch to the head of the answer.
        HEAD_MS = 9, "number";
        /// Milliseconds from its dispatch to the first content, or to giving up.
        LATENCY_MS = 10, "number";
        /// Milliseconds from its dispatch to its end.
        END_MS = 11, "number";
        /// What the provider charges for it, in nano-dollars.
        BILLED = 12, "amount";
        /// Who bears that; absent means the customer, 1 the house.
        PAYER = 13, "number";
        /// Why it failed: the number of a reason.
        REASON = 14, "number";
    }
}

/// Fields of a cost, within [`field::COST`] and [`field::POSSIBLE`].
pub(super) mod cost {
    tags! { LIST:
        /// Slug of the provider.
        PROVIDER = 1, "text";
        /// How much, or at most how much, in nano-dollars.
        AMOUNT = 2, "amount";
        /// Who bears it; absent means the customer, 1 the house.
        PAYER = 3, "number";
    }
}

/// Kinds of payers, in [`field::PAYERS`].
pub(super) mod payer {
    tags! { LIST:
        /// An account.
        ACCOUNT = 1, "id";
        /// An API key.
        KEY = 2, "id";
        /// Reserved: an organization.
        ORGANIZATION = 3, "id";
        /// Reserved: a workspace.
        WORKSPACE = 4, "id";
        /// Reserved: a member.
        MEMBER = 5, "id";
        /// Reserved: a session.
        SESSION = 6, "id";
    }
}

/// What lines are for, by their numbers.
pub(super) const ITEMS: [(u64, Item); 24] = [
    (1, Item::Markup),
    (2, Item::Checkpoint),
    (16, Item::Price(PriceKey::Prompt)),
    (17, Item::Price(PriceKey::Completion)),
    (18, Item::Price(PriceKey::CacheRead)),
    (19, Item::Price(PriceKey::CacheWrite5m)),
    (20, Item::Price(PriceKey::CacheWrite1h)),
    (21, Item::Price(PriceKey::Reasoning)),
    (22, Item::Price(PriceKey::Image)),
    (23, Item::Price(PriceKey::ImageOutput)),
    (24, Item::Price(PriceKey::Audio)),
    (25, Item::Price(PriceKey::AudioOutput)),
    (26, Item::Price(PriceKey::Request)),
    (27, Item::Price(PriceKey::WebSearch)),
    (28, Item::Price(PriceKey::Picture)),
    (29, Item::Price(PriceKey::SearchUnit)),
    (30, Item::Price(PriceKey::AudioSecond)),
    (31, Item::Price(PriceKey::Character)),
    (32, Item::Price(PriceKey::ImageInput)),
    (33, Item::Price(PriceKey::CacheReadAudio)),
    (34, Item::Price(PriceKey::VideoSecond)),
    (35, Item::Price(PriceKey::VideoSecond480p)),
    (36, Item::Price(PriceKey::VideoSecond1080p)),
    (37, Item::Price(PriceKey::VideoSecond4k)),
];

/// The number of an item.
pub(super) fn item_number(item: Item) -> u64 {
    match item {
        Item::Other(number) => number,
        item => ITEMS
            .iter()
            .find(|(_, known)| *known == item)
            .map_or(0, |(number, _)| *number),
    }
}

/// The item of a number. One that is not known is kept as it is: its line
/// still counts in the sum.
pub(super) fn item(number: u64) -> Item {
    ITEMS
        .iter()
        .find(|(known, _)| *known == number)
        .map_or(Item::Other(number), |(_, item)| *item)
}
