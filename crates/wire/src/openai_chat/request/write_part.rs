//! Writing what a message says: one part of `content` after the other.

use std::borrow::Cow;

use bourse_vocab::chat::{CacheControl, Media, Part};

use super::leftovers::Leftovers;
use crate::dialect::{CacheMarks, media};
use crate::object::{self, Object, object};

/// Why a cache breakpoint is lost.
pub const NO_CACHE: &str = "the provider takes no cache breakpoints";

/// One part of `content`, known to be expressible.
pub struct Content<'a> {
    pub part: &'a Part,
    pub cache: Mark<'a>,
    /// Where the reader filed members of the part that it does not know, if
    /// there are any.
    pub origin: Option<String>,
}

impl<'a> Content<'a> {
    /// A part without a breakpoint and without unknown members.
    pub fn plain(part: &'a Part) -> Self {
        Self {
            part,
            cache: None,
            origin: None,
        }
    }

    /// The same without its breakpoint.
    pub fn unmarked(self) -> Self {
        Self {
            cache: None,
            ..self
        }
    }

    /// Writes the unknown members of the part, or of the object at `inner`.
    fn leftovers(&self, object: &mut Object<'_>, leftovers: &Leftovers<'_>, inner: &str) {
        if let Some(origin) = &self.origin {
            leftovers.write(object, format_args!("{origin}{inner}"));
        }
    }
}

/// A breakpoint, and how the vendor knows it.
pub type Mark<'a> = Option<(CacheMarks, &'a CacheControl)>;

fn write_cache(object: &mut Object<'_>, mark: Mark<'_>) {
    if let Some((marks, cache)) = mark {
        write_mark(object, marks, cache);
    }
}

/// Writes a cache breakpoint.
pub fn cache_control(out: &mut Vec<u8>, cache: &CacheControl) {
    object(out, |object| {
        object
            .put("type", "ephemeral")
            .put_some("ttl", cache.ttl.as_ref());
    });
}

/// Writes a cache breakpoint as the vendor knows it.
pub fn write_mark(object: &mut Object<'_>, marks: CacheMarks, cache: &CacheControl) {
    match marks {
        CacheMarks::None => {}
        CacheMarks::CacheControl => {
            object.nested("cache_control", |out| cache_control(out, cache));
        }
        // Lifetimes are not translated (openrouter.ai/docs, prompt caching,
        // October 2026).
        CacheMarks::Breakpoint => {
            object.raw("prompt_cache_breakpoint", r#"{"mode":"explicit"}"#);
        }
    }
}

/// Writes `content`: as a text where it is one, because many vendors know
/// nothing else, and as parts otherwise.
pub fn write_content(
    out: &mut Vec<u8>,
    content: &[Content<'_>],
    prefix: Option<&str>,
    leftovers: &Leftovers<'_>,
) {
    match content {
        [] => object::write(out, ""),
        [
            Content {
                part: Part::Text { text, .. },
                cache: None,
                origin: None,
            },
        ] => object::write(out, &prefixed(prefix, text)),
        parts => {
            let mut prefix = prefix;
            object::array(out, parts, |out, content| match content.part {
                Part::Text { text, .. } => {
                    let text = prefixed(prefix.take(), text);
                    object(out, |object| {
                        object.put("type", "text").put("text", &text);
                        write_cache(object, content.cache);
                        content.leftovers(object, leftovers, "");
                    });
                }
                _ => write_part(out, content, leftovers),
            });
        }
    }
}

fn prefixed<'t>(prefix: Option<&str>, text: &'t str) -> Cow<'t, str> {
    prefix.map_or(Cow::Borrowed(text), |prefix| {
        Cow::Owned(format!("{prefix}{text}"))
    })
}

/// Writes one part of `content`.
pub fn write_part(out: &mut Vec<u8>, content: &Content<'_>, leftovers: &Leftovers<'_>) {
    let more = |object: &mut Object<'_>, inner: &str| content.leftovers(object, leftovers, inner);
    object(out, |object| {
        write_known(object, content.part, &more);
        write_cache(object, content.cache);
        more(object, "");
    });
}

/// Writes what the format knows of a part; `more` adds what is left of the
/// object inside it.
fn write_known(object: &mut Object<'_>, part: &Part, more: &dyn Fn(&mut Object<'_>, &str)) {
    match part {
        Part::Text { text, .. } => {
            object.put("type", "text").put("text", text);
        }
        Part::Image { media, detail, .. } => {
            object.put("type", "image_url").nested("image_url", |out| {
                object::object(out, |inner| {
                    inner
                        .put("url", media::url(media).as_deref().unwrap_or_default())
                        .put_some("detail", detail.as_ref());
                    more(inner, ".image_url");
                });
            });
        }
        Part::Audio { data, format } => {
            object
                .put("type", "input_audio")
                .nested("input_audio", |out| {
                    object::object(out, |inner| {
                        inner.put("data", data).put("format", format);
                        more(inner, ".input_audio");
                    });
                });
        }
        Part::File {
            filename, media, ..
        } => {
            object.put("type", "file").nested("file", |out| {
                object::object(out, |inner| {
                    inner.put_some("filename", filename.as_ref());
                    match media {
                        Media::FileId(id) => inner.put("file_id", id),
                        other => inner.put(
                            "file_data",
                            media::url(other).as_deref().unwrap_or_default(),
                        ),
                    };
                    more(inner, ".file");
                });
            });
        }
        Part::Video { media } => {
            object.put("type", "video_url").nested("video_url", |out| {
                object::object(out, |inner| {
                    inner.put("url", media::url(media).as_deref().unwrap_or_default());
                    more(inner, ".video_url");
                });
            });
        }
        Part::Opaque { value, .. } => {
            for (name, value) in value.as_object().into_iter().flatten() {
                object.put(name, value);
            }
        }
        Part::Reasoning(_) | Part::ToolCall { .. } | Part::ToolResult { .. } | Part::Refusal(_) => {
        }
    }
}
