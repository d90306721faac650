//! Tiers of service: the same model, sooner or later, at another price.
//!
//! What a request asks for, what vendors call it, and what an answer says that
//! it was: each in the public API's words (its `PublicServiceTier` and
//! `ChatRequestServiceTier`, October 2026; "Service Tiers",
//! openrouter.ai/docs, November 2026).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What is sold beside the usual service, by OpenRouter's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// Within a day, and cheaper for it: the vendor's own batches. No request
    /// asks for it; lines of batches are sent so.
    Batch,
    /// Cheaper, when there is room.
    Flex,
    /// Dearer, before others.
    Priority,
    /// Dearer still, on faster machines.
    Ultrafast,
}

impl ServiceTier {
    /// Every tier, cheapest first.
    pub const ALL: [Self; 4] = [Self::Batch, Self::Flex, Self::Priority, Self::Ultrafast];

    /// The public name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// Finds a tier that requests can ask for by its public name. `fast` is how requests, and OpenAI
    /// since July 2026, also call `priority`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "flex" => Some(Self::Flex),
            "priority" | "fast" => Some(Self::Priority),
            "ultrafast" => Some(Self::Ultrafast),
            _ => None,
        }
    }
}

/// What a request says of the tier that is to serve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TierWish {
    /// Nothing.
    #[default]
    None,
    /// Whichever the provider thinks best.
    Auto,
    /// The usual service.
    Standard,
    /// This tier.
    Tier(ServiceTier),
}

impl TierWish {
    /// Reads `service_tier` of a request.
    ///
    /// # Errors
    /// No such tier, or one that has no price; names the member and what helps.
    pub fn read(text: &str) -> Result<Self, Failure> {
        Ok(match text {
            "auto" => Self::Auto,
            // What Anthropic, Google and Groq call the usual service.
            "default" | "standard" | "standard_only" | "on_demand" => Self::Standard,
            "scale" => {
                return Err(Failure::invalid(
                    "service_tier: `scale` is capacity that is bought in advance and has no price \
                     for a call; leave it out, or ask for default, flex, priority or ultrafast",
                ));
            }
            name => match ServiceTier::by_name(name) {
                Some(tier) => Self::Tier(tier),
                None => {
                    return Err(Failure::invalid(format!(
                        "service_tier: `{}` is not one of auto, default, flex, priority (or fast), \
                         ultrafast",
                        name.chars().take(64).collect::<String>()
                    )));
                }
            },
        })
    }
}

/// What an answer says of the tier that served it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// The usual one.
    Standard,
    /// This one.
    Tier(ServiceTier),
    /// One that nothing is known of.
    Unknown,
}

impl Served {
    /// Understands a vendor's word. `auto` as an answer says that nothing in
    /// particular was asked for.
    #[must_use]
    pub fn by_word(word: &str) -> Self {
        match public_name(word).as_ref() {
            "default" | "auto" => Self::Standard,
            name => ServiceTier::by_name(name).map_or(Self::Unknown, Self::Tier),
        }
    }
}

/// A vendor's word for a tier as the public API says it: `default` for the
/// usual service, whatever the vendor calls it, and `priority` for `fast`.
/// Other words stay as they are.
#[must_use]
pub fn public_name(word: &str) -> Cow<'_, str> {
    match word {
        "default" | "auto" | "flex" | "priority" | "ultrafast" => Cow::Borrowed(word),
        // Anthropic's, Google's and Groq's.
        "standard" | "standard_only" | "on_demand" => Cow::Borrowed("default"),
        "fast" => Cow::Borrowed("priority"),
        // Google's enumeration is in capitals where it is printed as such
        // (ServiceTier, Gemini API reference, 2026).
        other if other.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            let lower = other.to_ascii_lowercase();
            let bare = lower.strip_prefix("service_tier_").unwrap_or(&lower);
            Cow::Owned(public_name(bare).into_owned())
        }
        other => Cow::Borrowed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_of_service_are_found_by_their_names() {
        // No request asks for it.
        let [batch, asked @ ..] = ServiceTier::ALL;
        assert_eq!(batch, ServiceTier::Batch);
        assert!(TierWish::read(batch.name()).is_err());
        for tier in asked {
            assert_eq!(ServiceTier::by_name(tier.name()), Some(tier));
            assert_eq!(TierWish::read(tier.name()).unwrap(), TierWish::Tier(tier));
            assert_eq!(Served::by_word(tier.name()), Served::Tier(tier));
        }
        assert_eq!(ServiceTier::by_name("fast"), Some(ServiceTier::Priority));
        assert_eq!(ServiceTier::by_name("default"), None);
    }

    #[test]
    fn a_tier_without_a_price_is_refused_by_name_and_with_what_helps() {
        for (word, says) in [
            ("scale", "bought in advance"),
            ("nonsense", "not one of auto, default, flex, priority"),
            ("", "not one of auto"),
        ] {
            let failure = TierWish::read(word).unwrap_err();
            assert!(failure.message.starts_with("service_tier: "), "{failure:?}");
            assert!(failure.message.contains(says), "{failure:?}");
        }
        for word in ["default", "standard", "standard_only", "on_demand"] {
            assert_eq!(TierWish::read(word).unwrap(), TierWish::Standard, "{word}");
        }
        assert_eq!(TierWish::read("auto").unwrap(), TierWish::Auto);
    }

    #[test]
    fn vendors_words_for_a_tier_become_ours() {
        for (word, public, served) in [
            ("default", "default", Served::Standard),
            ("standard", "default", Served::Standard),
            ("on_demand", "default", Served::Standard),
            ("auto", "auto", Served::Standard),
            ("fast", "priority", Served::Tier(ServiceTier::Priority)),
            ("PRIORITY", "priority", Served::Tier(ServiceTier::Priority)),
            ("SERVICE_TIER_FLEX", "flex", Served::Tier(ServiceTier::Flex)),
            ("STANDARD", "default", Served::Standard),
            ("scale", "scale", Served::Unknown),
            ("batch", "batch", Served::Unknown),
        ] {
            assert_eq!(public_name(word), public, "{word}");
            assert_eq!(Served::by_word(word), served, "{word}");
        }
    }
}
