//! The headers of a part.

use std::ops::Range;

use super::{FILE_NAME_BYTES_MAX, FormError, NAME_BYTES_MAX, Part};

/// What the headers of a part say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartHead {
    pub name: String,
    pub file_name: Option<String>,
    pub media_type: Option<String>,
}

impl PartHead {
    /// The part, once its end is known.
    pub fn part(self, value: Range<usize>) -> Part {
        Part {
            name: self.name,
            file_name: self.file_name,
            media_type: self.media_type,
            value,
        }
    }
}

const fn wrong(why: &'static str) -> FormError {
    FormError::Head(why)
}

/// Reads the lines of a head, without what ends it.
pub(super) fn read(head: &[u8]) -> Result<PartHead, FormError> {
    let text = std::str::from_utf8(head).map_err(|_| wrong("they are not UTF-8"))?;
    let mut read = None;
    let mut media_type = None;
    for line in text.split("\r\n") {
        // A line that is folded, or ends in half of a line's end, is another
        // header for others.
        if line.starts_with([' ', '\t']) || line.contains(['\r', '\n', '\0']) {
            return Err(wrong("a line is broken"));
        }
        let (name, value) = line.split_once(':').ok_or(wrong("a line has no colon"))?;
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-disposition") {
            if read.replace(disposition(value)?).is_some() {
                return Err(wrong("Content-Disposition is there twice"));
            }
        } else if name.eq_ignore_ascii_case("content-type") {
            if value.len() > NAME_BYTES_MAX {
                return Err(wrong("Content-Type is too long"));
            }
            if media_type.replace(value.to_owned()).is_some() {
                return Err(wrong("Content-Type is there twice"));
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            // RFC 7578, section 4.7: it is deprecated, and what is left of it
            // changes nothing.
            let plain = ["binary", "7bit", "8bit"];
            if !plain.iter().any(|word| value.eq_ignore_ascii_case(word)) {
                return Err(wrong("Content-Transfer-Encoding is not understood"));
            }
        } else if name.is_empty() || name.contains([' ', '\t']) {
            return Err(wrong("a line has no name"));
        }
    }
    let (name, file_name) = read.ok_or(wrong("Content-Disposition is missing"))?;
    Ok(PartHead {
        name,
        file_name,
        media_type,
    })
}

/// Reads `form-data; name="…"; filename="…"`.
fn disposition(value: &str) -> Result<(String, Option<String>), FormError> {
    let (kind, mut rest) = match value.find(';') {
        Some(at) => value.split_at_checked(at).unwrap_or((value, "")),
        None => (value, ""),
    };
    if !kind.trim_end().eq_ignore_ascii_case("form-data") {
        return Err(wrong("Content-Disposition is not form-data"));
    }
    let (mut name, mut file_name) = (None, None);
    while let Some(more) = rest.trim_start().strip_prefix(';') {
        let more = more.trim_start();
        if more.is_empty() {
            break;
        }
        let (key, value) = more
            .split_once('=')
            .ok_or(wrong("a parameter has no value"))?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                let (token, after) = value.split_at_checked(end).unwrap_or((value, ""));
                (token.trim_end().to_owned(), after)
            }
        };
        rest = after;
        let slot = match key.trim_end() {
            key if key.eq_ignore_ascii_case("name") => &mut name,
            key if key.eq_ignore_ascii_case("filename") => &mut file_name,
            // RFC 7578, section 4.2: `filename*` is not used here; the plain
            // one counts.
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return Err(wrong("a parameter is there twice"));
        }
    }
    if !rest.trim_start().is_empty() {
        return Err(wrong("something follows a parameter"));
    }
    let name = name.ok_or(wrong("a part has no name"))?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(wrong("a name has 1 to 128 bytes"));
    }
    if file_name
        .as_ref()
        .is_some_and(|name| name.len() > FILE_NAME_BYTES_MAX)
    {
        return Err(wrong("the name of a file has at most 255 bytes"));
    }
    Ok((name, file_name))
}

/// The text up to the closing quote, and what follows. Only quotes and
/// backslashes are escaped: browsers once sent whole paths.
fn unquote(text: &str) -> Result<(String, &str), FormError> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, text.get(at.saturating_add(1)..).unwrap_or_default())),
            '\\' if matches!(chars.as_str().chars().next(), Some('"' | '\\')) => {
                value.extend(chars.next().map(|(_, escaped)| escaped));
            }
            c => value.push(c),
        }
    }
    Err(wrong("a quote is not closed"))
}
