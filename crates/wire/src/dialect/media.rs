//! Media in URLs: `https:` addresses and `data:` URLs (RFC 2397), and how
//! their types are spelled.
//!
//! Types and the words around them are case-insensitive (RFC 2397, RFC 2045),
//! and vendors read them as if they were not. `image/jpg` is no type at all,
//! but what half the world writes for `image/jpeg`, which is what readers of
//! pictures insist on (docs.claude.com, vision, 2026).

use bourse_vocab::chat::Media;

/// What a URL points to: a `data:` URL in base64 is taken apart, so that
/// formats which want the bytes find them.
#[must_use]
pub fn read(url: String) -> Media {
    match data_url(&url) {
        Some((mime, data)) => Media::Base64 {
            mime: mime_type(mime),
            data: data.to_owned(),
        },
        None => Media::Url(url),
    }
}

/// The type and the base64 text of a `data:` URL, as they are written.
#[must_use]
pub fn data_url(url: &str) -> Option<(&str, &str)> {
    let rest = strip_word(url, "data:")?;
    let (header, data) = rest.split_once(',')?;
    let (parameters, last) = header.rsplit_once(';')?;
    // Some put a space behind the semicolon, as media types have it.
    if !last.trim().eq_ignore_ascii_case("base64") {
        return None;
    }
    // Parameters of the media type (`;charset=utf-8`) say nothing here.
    let mime = parameters.split(';').next().unwrap_or_default();
    Some((mime, data))
}

fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

/// A media type in its usual spelling.
#[must_use]
pub fn mime_type(mime: &str) -> String {
    match mime.trim().to_ascii_lowercase().as_str() {
        "" => "text/plain".to_owned(),
        "image/jpg" => "image/jpeg".to_owned(),
        mime => mime.to_owned(),
    }
}

/// The URL of a medium, unless it is known only by the id of an upload.
#[must_use]
pub fn url(media: &Media) -> Option<std::borrow::Cow<'_, str>> {
    match media {
        Media::Url(url) => Some(url.into()),
        Media::Base64 { mime, data } => Some(format!("data:{mime};base64,{data}").into()),
        Media::FileId(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_in_base64_are_taken_apart_and_put_together() {
        let media = read("data:image/PNG;charset=utf-8;base64,AAAA".into());
        assert_eq!(
            media,
            Media::Base64 {
                mime: "image/png".into(),
                data: "AAAA".into()
            }
        );
        assert_eq!(url(&media).unwrap(), "data:image/png;base64,AAAA");
    }

    #[test]
    fn types_and_schemes_are_read_in_any_case() {
        for (url, mime) in [
            ("data:IMAGE/PNG;BASE64,AA", "image/png"),
            ("DATA:image/jpg;base64,AA", "image/jpeg"),
            ("data:;base64,AA", "text/plain"),
        ] {
            let expected = Media::Base64 {
                mime: mime.into(),
                data: "AA".into(),
            };
            assert_eq!(read(url.into()), expected, "{url}");
        }
    }

    #[test]
    fn every_other_url_stays_as_it_is() {
        for text in [
            "https://a.example/b.png",
            "data:text/plain,hi",
            "data:",
            "",
            "é",
        ] {
            assert_eq!(read(text.into()), Media::Url(text.into()));
        }
    }
}
