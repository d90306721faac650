//! Checking the signature of a request, as Amazon does ("Create a signed AWS
//! API request", docs.aws.amazon.com, IAM User Guide, read 2026-11): of what
//! really arrived, and by its own reading of the document, so that it and
//! whoever signs do not share a mistake.

use aws_lc_rs::{digest, hmac};

use crate::ask::Refusal;

/// How far a signature's time may be from Amazon's, in seconds.
const SKEW_S_MAX: i64 = 300;

/// A request as it arrived.
pub struct Arrived<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Headers, names in any case.
    pub headers: &'a [(String, Vec<u8>)],
    /// The body.
    pub body: &'a [u8],
}

/// What the account is known by.
pub struct Account<'a> {
    /// The secret half of its pair of keys.
    pub secret: &'a str,
    /// The token of its session, if it is one.
    pub session: Option<&'a str>,
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal {
        status: 403,
        message: message.into(),
    }
}

impl Arrived<'_> {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The path without the prefix that only the simulator has.
    fn canonical_path(&self) -> String {
        let path = self.path.split('?').next().unwrap_or(self.path);
        let mut out = String::new();
        for byte in path.bytes() {
            match byte {
                b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                byte => out.push_str(&format!("%{byte:02X}")),
            }
        }
        out
    }

    /// Refuses what is not signed as the account signs at `now_s`.
    ///
    /// # Errors
    /// 403 with Amazon's sentence.
    pub fn check(&self, account: &Account<'_>, now_s: i64) -> Result<(), Refusal> {
        let proof = self
            .header("authorization")
            .and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 "))
            .ok_or_else(|| refused("Missing Authentication Token"))?;
        let part = |name: &str| {
            let mut parts = proof.split(", ");
            parts
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| {
                    refused(format!("Authorization header requires '{name}' parameter."))
                })
        };
        let (scope, names, told) = (
            part("Credential")?,
            part("SignedHeaders")?,
            part("Signature")?,
        );
        let scope = scope.split_once('/').map_or("", |(_, scope)| scope);
        let time = self.header("x-amz-date").unwrap_or_default();
        self.check_time(time, now_s)?;
        if self.header("x-amz-security-token") != account.session {
            return Err(refused(
                "The security token included in the request is invalid.",
            ));
        }
        if signature(&self.text(names, scope, time), account.secret, scope) == told {
            return Ok(());
        }
        Err(refused(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
        ))
    }

    fn check_time(&self, time: &str, now_s: i64) -> Result<(), Refusal> {
        let signed = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", time)
            .and_then(|parts| parts.to_datetime())
            .and_then(|when| when.to_zoned(jiff::tz::TimeZone::UTC))
            .map_err(|_| refused("Date must be in ISO-8601 'basic format'."))?
            .timestamp()
            .as_second();
        if now_s - signed > SKEW_S_MAX {
            return Err(refused(format!(
                "Signature expired: {time} is now earlier than it may be (5 min.)"
            )));
        }
        if signed - now_s > SKEW_S_MAX {
            return Err(refused(format!(
                "Signature not yet current: {time} is still later than it may be (5 min.)"
            )));
        }
        Ok(())
    }

    fn text(&self, names: &str, scope: &str, time: &str) -> String {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let headers: String = names
            .split(';')
            .map(|name| format!("{name}:{}\n", self.header(name).unwrap_or_default().trim()))
            .collect();
        let canonical = format!(
            "{}\n{}\n{query}\n{headers}\n{names}\n{}",
            self.method,
            self.canonical_path(),
            hex(digest::digest(&digest::SHA256, self.body).as_ref()),
        );
        let canonical = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}")
    }
}

fn signature(text: &str, secret: &str, scope: &str) -> String {
    let sign = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let first = format!("AWS4{secret}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| sign(&key, part));
    hex(&sign(&key, text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
