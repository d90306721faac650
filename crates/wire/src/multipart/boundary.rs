//! What separates the parts of a form.

use super::FormError;

/// Longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// What separates the parts of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// A boundary of our own: whoever writes the values must not be able to
    /// guess it, so the number is drawn by chance.
    #[must_use]
    pub fn drawn(number: u128) -> Self {
        Self(format!("bourse-{number:032x}"))
    }

    /// Reads a `Content-Type`; `None` if it is not that of a form.
    ///
    /// # Errors
    /// It is that of a form, and has no boundary that can be used.
    pub fn of_content_type(content_type: &str) -> Result<Option<Self>, FormError> {
        let (media_type, rest) = match content_type.split_once(';') {
            Some((media_type, rest)) => (media_type, rest),
            None => (content_type, ""),
        };
        if !media_type
            .trim()
            .eq_ignore_ascii_case("multipart/form-data")
        {
            return Ok(None);
        }
        let mut found = None;
        for (name, value) in Parameters(rest) {
            if name.eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
                return Err(FormError::Boundary);
            }
        }
        let boundary = found.ok_or(FormError::Boundary)?;
        let is_good = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len())
            && boundary.bytes().all(is_boundary_byte)
            && !boundary.ends_with(' ');
        match is_good {
            true => Ok(Some(Self(boundary.to_owned()))),
            false => Err(FormError::Boundary),
        }
    }

    /// The boundary itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `Content-Type` of a form that it separates.
    #[must_use]
    pub fn content_type(&self) -> String {
        // Quoted where it is no token (RFC 2045, section 5.1).
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"'+_-.".contains(&byte);
        if self.0.bytes().all(is_token) {
            format!("multipart/form-data; boundary={}", self.0)
        } else {
            format!("multipart/form-data; boundary=\"{}\"", self.0)
        }
    }
}

/// `bchars` of RFC 2046, section 5.1.1.
fn is_boundary_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte)
}

/// The parameters of a media type, without the quotes around their values. No
/// boundary has anything that would have to be escaped.
struct Parameters<'a>(&'a str);

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = self.0.trim_start_matches([' ', '\t', ';']);
            if text.is_empty() {
                return None;
            }
            let end = text.find([';', '=']).unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            let Some(rest) = rest.strip_prefix('=') else {
                // A parameter without a value.
                self.0 = rest;
                continue;
            };
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => {
                    let end = rest.find(';').unwrap_or(rest.len());
                    let (value, rest) = rest.split_at_checked(end)?;
                    (value.trim(), rest)
                }
            };
            self.0 = rest;
            return Some((name.trim(), value));
        }
    }
}
