//! What vendors call the tiers of service, where they have any.

use bourse_vocab::{ServiceTier, TierWish};

use super::Dialect;

/// The member that names the tier, in every format that has one: Google's REST
/// examples write it so too (ai.google.dev/gemini-api/docs/priority-inference,
/// June 2026).
pub const MEMBER: &str = "service_tier";

/// What a vendor is told in `service_tier`; `None` is nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierWords {
    /// For the caller who leaves it to the vendor.
    pub auto: Option<&'static str>,
    /// For the usual service.
    pub standard: Option<&'static str>,
    /// For [`ServiceTier::Flex`].
    pub flex: Option<&'static str>,
    /// For [`ServiceTier::Priority`].
    pub priority: Option<&'static str>,
    /// For [`ServiceTier::Ultrafast`].
    pub ultrafast: Option<&'static str>,
}

impl TierWords {
    /// The vendor has no tiers, or no document names them.
    pub const NONE: Self = Self {
        auto: None,
        standard: None,
        flex: None,
        priority: None,
        ultrafast: None,
    };

    /// OpenAI's (developers.openai.com/api/docs, flex processing, fast mode,
    /// ultrafast mode, November 2026). `default` has to be said: a project can
    /// be set to serve whatever says nothing faster and dearer. `priority` and
    /// `fast` are one tier, and older models know the former only.
    pub const OPENAI: Self = Self {
        auto: Some("auto"),
        standard: Some("default"),
        flex: Some("flex"),
        priority: Some("priority"),
        ultrafast: Some("ultrafast"),
    };

    /// Groq's (console.groq.com/docs/service-tiers, 2026). Its `flex` and
    /// `performance` have no price of their own.
    pub const GROQ: Self = Self {
        auto: Some("auto"),
        standard: Some("on_demand"),
        ..Self::NONE
    };

    /// Fireworks' (docs.fireworks.ai/serverless/serverless-modes, 2026): the
    /// usual service is what is said nothing of.
    pub const FIREWORKS: Self = Self {
        priority: Some("priority"),
        ..Self::NONE
    };

    /// Google's (ai.google.dev/gemini-api/docs, flex and priority inference,
    /// June 2026): the usual service is what is said nothing of.
    pub const GOOGLE: Self = Self {
        flex: Some("flex"),
        priority: Some("priority"),
        ..Self::NONE
    };

    /// Amazon Bedrock's (`ServiceTierType` of `bedrock-runtime` in botocore
    /// 1.44.8, November 2026): the usual service is what is said nothing of.
    pub const AMAZON: Self = Self {
        flex: Some("flex"),
        priority: Some("priority"),
        ..Self::NONE
    };

    /// Anthropic's (platform.claude.com/docs/en/api/service-tiers, 2026): what
    /// comes first of capacity that was bought in advance cannot be asked for,
    /// only declined.
    pub const ANTHROPIC: Self = Self {
        auto: Some("auto"),
        standard: Some("standard_only"),
        ..Self::NONE
    };
}

impl Dialect {
    /// What the vendor is told in [`MEMBER`], if anything.
    #[must_use]
    pub fn tier_word(&self, tier: TierWish) -> Option<&'static str> {
        let words = &self.tiers;
        let word = match tier {
            TierWish::None => None,
            TierWish::Auto => words.auto,
            TierWish::Standard => words.standard,
            // Said by the way it is sent.
            TierWish::Tier(ServiceTier::Batch) => None,
            TierWish::Tier(ServiceTier::Flex) => words.flex,
            TierWish::Tier(ServiceTier::Priority) => words.priority,
            TierWish::Tier(ServiceTier::Ultrafast) => words.ultrafast,
        };
        word.filter(|_| !self.rejects.contains(&MEMBER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_is_told_a_tier_in_its_own_words_or_nothing() {
        const STRICT: Dialect = Dialect {
            rejects: &["service_tier"],
            ..Dialect::PLAIN
        };
        let of = |words| Dialect {
            tiers: words,
            ..Dialect::PLAIN
        };
        let priority = TierWish::Tier(ServiceTier::Priority);
        for (dialect, [auto, standard, fast]) in [
            (
                Dialect::PLAIN,
                [Some("auto"), Some("default"), Some("priority")],
            ),
            (of(TierWords::GROQ), [Some("auto"), Some("on_demand"), None]),
            (of(TierWords::FIREWORKS), [None, None, Some("priority")]),
            (of(TierWords::GOOGLE), [None, None, Some("priority")]),
            (
                of(TierWords::ANTHROPIC),
                [Some("auto"), Some("standard_only"), None],
            ),
            (of(TierWords::NONE), [None, None, None]),
            (STRICT, [None, None, None]),
        ] {
            assert_eq!(dialect.tier_word(TierWish::None), None);
            assert_eq!(dialect.tier_word(TierWish::Auto), auto);
            assert_eq!(dialect.tier_word(TierWish::Standard), standard);
            assert_eq!(dialect.tier_word(priority), fast);
        }
    }
}
