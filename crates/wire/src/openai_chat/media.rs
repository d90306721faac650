//! Media in URLs: `https:` addresses and `data:` URLs (RFC 2397).

use bourse_vocab::chat::Media;

/// What a URL points to: a `data:` URL in base64 is taken apart, so that
/// formats which want the bytes find them.
pub fn read(url: String) -> Media {
    let Some((header, data)) = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(','))
    else {
        return Media::Url(url);
    };
    match header.strip_suffix(";base64") {
        // Parameters of the media type (`;charset=utf-8`) say nothing here.
        Some(header) => Media::Base64 {
            mime: header
                .split(';')
                .next()
                .filter(|mime| !mime.is_empty())
                .unwrap_or("text/plain")
                .to_ascii_lowercase(),
            data: data.to_owned(),
        },
        None => Media::Url(url),
    }
}

/// The URL of a medium, unless it is known only by the id of an upload.
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
    fn every_other_url_stays_as_it_is() {
        for text in ["https://a.example/b.png", "data:text/plain,hi", "data:", ""] {
            assert_eq!(read(text.into()), Media::Url(text.into()));
        }
    }
}
