//! Writes a form.

use bytes::Bytes;

use super::Boundary;

/// One part of a form that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// The name of the file that it is, if it is one.
    pub file_name: Option<&'a str>,
    /// What it is, if that is said.
    pub media_type: Option<&'a str>,
    /// Its value, in pieces.
    pub value: Vec<Bytes>,
}

impl<'a> Field<'a> {
    /// A text.
    #[must_use]
    pub fn text(name: &'a str, value: impl Into<Bytes>) -> Self {
        Self {
            name,
            file_name: None,
            media_type: None,
            value: vec![value.into()],
        }
    }
}

/// Writes a form: values are not copied.
#[must_use]
pub fn write(fields: Vec<Field<'_>>, boundary: &Boundary) -> Vec<Bytes> {
    let mut out = Vec::with_capacity(fields.len().saturating_mul(2).saturating_add(1));
    let mut text = String::new();
    for field in fields {
        text.push_str("--");
        text.push_str(boundary.as_str());
        text.push_str("\r\nContent-Disposition: form-data; name=\"");
        push_escaped(field.name, &mut text);
        text.push('"');
        if let Some(name) = field.file_name {
            text.push_str("; filename=\"");
            push_escaped(name, &mut text);
            text.push('"');
        }
        if let Some(media_type) = field.media_type.filter(|text| is_media_type(text)) {
            text.push_str("\r\nContent-Type: ");
            text.push_str(media_type);
        }
        text.push_str("\r\n\r\n");
        out.push(std::mem::take(&mut text).into());
        out.extend(field.value);
        text.push_str("\r\n");
    }
    text.push_str("--");
    text.push_str(boundary.as_str());
    text.push_str("--\r\n");
    out.push(text.into());
    out
}

/// As browsers do (WHATWG HTML, multipart form data): what could end the
/// quotes or the line is written in percents.
fn push_escaped(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            '\\' => out.push_str("%5C"),
            c if c.is_control() => out.push('_'),
            c => out.push(c),
        }
    }
}

/// Whether it can stand in a header: tokens, a slash, parameters.
fn is_media_type(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}
