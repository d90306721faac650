//! Pages of a list.

use axum::http::Uri;

use crate::args::Args;
use crate::error::{Result, invalid};

/// Entries on a page unless the caller says otherwise: OpenRouter's
/// default (API document, October 2026).
pub(crate) const LIMIT_DEFAULT: u64 = 500;
/// Most entries on a page.
pub(crate) const LIMIT_MAX: u64 = 1_000;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many entries come before it.
    pub(crate) offset: usize,
    /// How many it has.
    pub(crate) limit: usize,
}

impl Page {
    /// Everything.
    const ALL: Self = Self {
        offset: 0,
        limit: usize::MAX,
    };

    /// Reads `offset` and `limit`. Without either the whole list is meant.
    pub(crate) fn read(args: &Args) -> Result<Self> {
        let (offset, limit) = (args.number("offset")?, args.number("limit")?);
        if offset.is_none() && limit.is_none() {
            return Ok(Self::ALL);
        }
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(invalid(format!("limit: must be from 1 to {LIMIT_MAX}")));
        }
        let size = |n| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(Self {
            offset: size(offset.unwrap_or(0)),
            limit: size(limit),
        })
    }

    /// Where the page ends.
    const fn end(self) -> usize {
        self.offset.saturating_add(self.limit)
    }

    /// The path of the next page, with the caller's other arguments; nothing
    /// after the last.
    pub(crate) fn next(self, uri: &Uri, args: &Args, total: usize) -> Option<String> {
        if self.end() >= total {
            return None;
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in args.iter() {
            if name != "offset" && name != "limit" {
                query.append_pair(name, value);
            }
        }
        query.append_pair("offset", &self.end().to_string());
        query.append_pair("limit", &self.limit.to_string());
        Some(format!("{}?{}", uri.path(), query.finish()))
    }
}
