//! What a model may be called.

/// Longest slug, suffix and all. The longest known has 66 bytes; names come
/// from callers, so there must be an end.
pub const SLUG_BYTES_MAX: usize = 200;

/// Whether `text` is `author/model`: lower-case letters, digits, `.`, `_`
/// and `-`, and `:` before a variant.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    fn first(byte: u8) -> bool {
        byte.is_ascii_lowercase() || byte.is_ascii_digit()
    }
    fn later(byte: u8) -> bool {
        first(byte) || matches!(byte, b'.' | b'_' | b'-')
    }
    let Some((author, model)) = text.split_once('/') else {
        return false;
    };
    text.len() <= SLUG_BYTES_MAX
        && author.bytes().next().is_some_and(first)
        && author.bytes().all(later)
        && model.bytes().next().is_some_and(first)
        && model.bytes().all(|byte| later(byte) || byte == b':')
}

/// Whether `text` can name a provider: one path segment of a slug.
#[must_use]
pub(crate) fn is_provider_slug(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_told_from_other_names() {
        for good in [
            "openai/gpt-4o",
            "a/b",
            "qwen/qwen-plus:thinking",
            "01-ai/yi-1.5_x",
        ] {
            assert!(is_slug(good), "{good}");
        }
        for bad in [
            "", "gpt-4o", "/a", "a/", "A/b", "a/B", "a/b/c", "~a/b", "a/-b", "a b/c", "a:b/c",
        ] {
            assert!(!is_slug(bad), "{bad}");
        }
        assert!(!is_slug(&format!("a/{}", "b".repeat(SLUG_BYTES_MAX))));
    }
}
