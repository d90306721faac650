//! Pictures, documents, sound and films: the words that Converse has for
//! their types (`ImageFormat`, `DocumentFormat`, `AudioFormat`, `VideoFormat`).

use bourse_vocab::chat::Media;
use bourse_vocab::json;
use bourse_vocab::json::Value;

use super::text;
use crate::dialect::media;

/// Words for types, and the media types that they stand for; the first of
/// those that share a word is what is read.
type Words = &'static [(&'static str, &'static str)];

pub const IMAGES: Words = &[
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];

pub const DOCUMENTS: Words = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("html", "text/html"),
    ("md", "text/markdown"),
    ("txt", "text/plain"),
    ("txt", "application/json"),
];

pub const VIDEOS: Words = &[
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mkv", "video/x-matroska"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
];

/// Sounds that clients send, by the word that they use for them.
pub const AUDIO: &[&str] = &[
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "m4a", "mpeg", "mpga", "pcm",
    "webm",
];

/// The word for a media type.
pub fn word(words: Words, mime: &str) -> Option<&'static str> {
    let mime = media::mime_type(mime);
    let found = words.iter().find(|(_, known)| *known == mime);
    found.map(|(word, _)| *word)
}

/// The media type of a word.
pub fn mime(words: Words, word: &str) -> Option<&'static str> {
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, mime)| *mime)
}

/// What can be said of where the bytes are.
pub enum Source<'a> {
    /// Here: their type and base64 text.
    Bytes(&'a str, &'a str),
    /// In a bucket of Amazon's: the address.
    Bucket(&'a str),
    /// Where Bedrock does not look.
    Elsewhere,
}

/// Where a medium is, for Bedrock: it fetches from its own buckets only.
pub fn source(media: &Media) -> Source<'_> {
    match media {
        Media::Base64 { mime, data } => Source::Bytes(mime, data),
        Media::Url(url) if url.starts_with("s3://") => Source::Bucket(url),
        Media::Url(url) => match media::data_url(url) {
            Some((mime, data)) => Source::Bytes(mime, data),
            None => Source::Elsewhere,
        },
        Media::FileId(_) => Source::Elsewhere,
    }
}

/// A `source` with bytes.
pub fn bytes(data: &str) -> Value {
    json!({"bytes": data})
}

/// A `source` in a bucket.
pub fn bucket(uri: &str) -> Value {
    json!({"s3Location": {"uri": uri}})
}

/// Reads a block with `format` and `source`.
pub fn read(words: Words, block: &Value) -> Option<Media> {
    let source = block.get("source")?;
    if let Some(uri) = source
        .get("s3Location")
        .and_then(|place| text(place, "uri"))
    {
        return Some(Media::Url(uri.to_owned()));
    }
    Some(Media::Base64 {
        mime: mime(words, text(block, "format")?)?.to_owned(),
        data: text(source, "bytes")?.to_owned(),
    })
}

/// The word for the type of what has an address only: by how that ends.
pub fn word_by_name(words: Words, uri: &str) -> Option<&'static str> {
    let ending = uri.rsplit_once('.')?.1.to_ascii_lowercase();
    let ending = if ending == "jpg" { "jpeg" } else { &ending };
    let found = words.iter().find(|(word, _)| *word == ending);
    found.map(|(word, _)| *word)
}
