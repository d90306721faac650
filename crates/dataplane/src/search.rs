//! What `web_search_options` asks for that has a price of its own.
//!
//! Perplexity's fee for a request follows `search_context_size`, low unless
//! asked (docs.perplexity.ai, getting-started/pricing and
//! guides/search-context-size-guide, read in November 2026). Its `search_type`
//! `pro` has another table of fees on the same page, which no list has.

use std::borrow::Cow;
use std::fmt;

use bourse_catalog::SearchSize;
use bourse_vocab::Failure;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::endpoints::Endpoint;
use crate::market::Target;

/// The member that says how much is to be read.
const SIZE: &str = "search_context_size";
/// The member that says how.
const TYPE: &str = "search_type";
/// The usual way, which has the usual price.
const FAST: &str = "fast";

/// Whether a target searches for every answer that an endpoint asks it for,
/// told to or not.
pub(crate) fn is_always(target: &Target, endpoint: &dyn Endpoint) -> bool {
    let way = target.way(|way| endpoint.rank(way));
    way.is_some_and(|way| way.dialect.always_searches)
}

/// The size that `web_search_options` asks for, as JSON; `None` if it asks for
/// none. Providers differ in what they make of a word that they do not know,
/// of a name in capitals and of one that comes twice, so the dearest of all
/// that could be meant counts.
///
/// # Errors
/// Something is asked for that has no price.
pub(crate) fn read(options: Option<&[u8]>) -> Result<Option<SearchSize>, Failure> {
    let Some(options) = options.filter(|options| *options != b"null") else {
        return Ok(None);
    };
    let asked = serde_json::from_slice(options);
    let Asked { size, is_fast } =
        asked.map_err(|_| Failure::invalid("web_search_options: must be an object"))?;
    if !is_fast {
        return Err(Failure::invalid(
            "web_search_options.search_type: only `fast` has a price here; leave it out",
        ));
    }
    Ok(size)
}

/// What was found.
struct Asked {
    size: Option<SearchSize>,
    is_fast: bool,
}

/// What may stand at either.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Null(()),
    Other(IgnoredAny),
}

impl Word<'_> {
    fn size(&self) -> Option<SearchSize> {
        match self {
            Self::Text(word) => SearchSize::by_name(word).or(Some(SearchSize::High)),
            Self::Null(()) => None,
            Self::Other(_) => Some(SearchSize::High),
        }
    }

    fn is_fast(&self) -> bool {
        matches!(self, Self::Null(())) || matches!(self, Self::Text(word) if word == FAST)
    }
}

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Asked;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Asked, A::Error> {
                let mut asked = Asked {
                    size: None,
                    is_fast: true,
                };
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    if name.eq_ignore_ascii_case(SIZE) {
                        asked.size = asked.size.max(map.next_value::<Word<'de>>()?.size());
                    } else if name.eq_ignore_ascii_case(TYPE) {
                        asked.is_fast &= map.next_value::<Word<'de>>()?.is_fast();
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(asked)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_that_could_be_meant_counts() {
        use SearchSize::{High, Low, Medium};
        for (options, expected) in [
            ("{}", None),
            ("null", None),
            (r#"{"user_location":{"search_context_size":"high"}}"#, None),
            (r#"{"search_context_size":null}"#, None),
            (r#"{"search_context_size":"low"}"#, Some(Low)),
            (r#"{"search_context_size":"medium"}"#, Some(Medium)),
            (r#"{"search_context_size":"high"}"#, Some(High)),
            (r#"{"search_context_size":"h\u0069gh"}"#, Some(High)),
            (r#"{"search_context_size":"enormous"}"#, Some(High)),
            (r#"{"search_context_size":3}"#, Some(High)),
            (r#"{"Search_Context_Size":"medium"}"#, Some(Medium)),
            (
                r#"{"search_context_size":"high","search_context_size":"low"}"#,
                Some(High),
            ),
            (r#"{"search\u005fcontext_size":"medium"}"#, Some(Medium)),
        ] {
            assert_eq!(
                read(Some(options.as_bytes())).unwrap(),
                expected,
                "{options}"
            );
        }
    }

    #[test]
    fn a_way_of_searching_that_has_no_price_is_refused() {
        for (options, is_priced) in [
            (r#"{"search_type":"fast"}"#, true),
            (r#"{"search_type":null}"#, true),
            (r#"{"search_type":"pro"}"#, false),
            (r#"{"search_type":"auto"}"#, false),
            (r#"{"SEARCH_TYPE":"pro"}"#, false),
            (r#"{"search_type":["pro"]}"#, false),
            (r#"{"search_type":"pro","search_type":"fast"}"#, false),
            (r#"[]"#, false),
        ] {
            assert_eq!(
                read(Some(options.as_bytes())).is_ok(),
                is_priced,
                "{options}"
            );
        }
    }
}
