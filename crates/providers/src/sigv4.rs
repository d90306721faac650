//! AWS Signature Version 4 in a header (docs.aws.amazon.com, IAM User Guide,
//! "Create a signed AWS API request", November 2026).
//!
//! What is signed: the method, path and query as they are sent, the named
//! headers, a digest of the body, and the time. Whoever checks it may be five
//! minutes off. Tested with the vectors of `aws-signing-test-suite/v4`
//! (awslabs/aws-c-auth, August 2026).

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;

/// How a signature is made.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// For which service and where a signature is good.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Such as `eu-west-1`.
    pub region: &'a str,
    /// Such as `bedrock`.
    pub service: &'a str,
}

/// A request to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query as they are sent.
    pub path: &'a str,
    /// Names in small letters and values, the host and the time among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, in pieces.
    pub body: &'a [Bytes],
}

/// A time as signatures have it: `20150830T123600Z`. `None` for a time that no
/// calendar has.
pub fn timestamp(now_ms: u64) -> Option<String> {
    let now = jiff::Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
    Some(now.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// The value of `authorization`, for a request at a [`timestamp`].
pub fn authorization(
    request: &Signable<'_>,
    (id, secret): (&str, &str),
    scope: Scope<'_>,
    time: &str,
) -> String {
    let date = time.get(..8).unwrap_or(time);
    let Scope { region, service } = scope;
    let place = format!("{date}/{region}/{service}/aws4_request");
    let headers = canonical_headers(request.headers);
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let canonical = canonical(request, &headers, &names);
    let canonical = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{time}\n{place}\n{canonical}");
    let steps = [date, region, service, "aws4_request", &text];
    let mut made = format!("AWS4{secret}").into_bytes();
    for step in steps {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &made);
        hmac::sign(&key, step.as_bytes())
            .as_ref()
            .clone_into(&mut made);
    }
    let signature = hex(&made);
    format!("{ALGORITHM} Credential={id}/{place}, SignedHeaders={names}, Signature={signature}")
}

/// The request in the one spelling that both sides agree on.
fn canonical(request: &Signable<'_>, headers: &[(&str, String)], names: &str) -> String {
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let mut text = format!("{}\n", request.method);
    // What is escaped already is escaped once more: only S3 does otherwise.
    escape(path, &mut text);
    text.push('\n');
    text.push_str(&canonical_query(query));
    text.push('\n');
    for (name, value) in headers {
        text.push_str(name);
        text.push(':');
        text.push_str(value);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(names);
    text.push('\n');
    let mut body = digest::Context::new(&digest::SHA256);
    for piece in request.body {
        body.update(piece);
    }
    text.push_str(&hex(body.finish().as_ref()));
    text
}

/// Parameters in the order of their names, and of their values. They come
/// escaped, and none of ours needs it.
fn canonical_query(query: &str) -> String {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut pairs: Vec<(&str, &str)> = parameters
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Headers in the order of their names, those of one name joined, with single
/// blanks.
fn canonical_headers<'a>(headers: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let mut sorted = headers.to_vec();
    sorted.sort_by_key(|(name, _)| *name);
    let mut joined: Vec<(&str, String)> = Vec::new();
    for (name, value) in sorted {
        let words: Vec<&str> = value.split_whitespace().collect();
        let value = words.join(" ");
        match joined.last_mut() {
            Some((last, all)) if *last == name => {
                all.push(',');
                all.push_str(&value);
            }
            _ => joined.push((name, value)),
        }
    }
    joined
}

/// Appends a path with all but letters, digits, `-._~` and `/` escaped.
fn escape(path: &str, out: &mut String) {
    for byte in path.bytes() {
        if byte == b'/' {
            out.push('/');
        } else {
            escape_byte(byte, out);
        }
    }
}

/// A text as one piece of a path: `/` is escaped too.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        escape_byte(byte, &mut out);
    }
    out
}

fn escape_byte(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        out.push(char::from(byte));
    } else {
        out.push('%');
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(
                HEX_LARGE.get(usize::from(digit)).copied().unwrap_or(b'0'),
            ));
        }
    }
}

const HEX_LARGE: &[u8; 16] = b"0123456789ABCDEF";

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            let digit = HEX_LARGE.get(usize::from(digit)).copied().unwrap_or(b'0');
            out.push(char::from(digit.to_ascii_lowercase()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "20150830T123600Z";
    const TOKEN: &str = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";

    /// A case of the suite: its name, method, path, headers besides host and
    /// time, body and signature.
    type Case = (
        &'static str,
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );

    const FORM: &str = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    const LETTERS: &str = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    const SUITE: &[Case] = &[
        (
            "get-vanilla",
            "GET",
            "/",
            &[],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-unreserved",
            "GET",
            LETTERS,
            &[],
            "",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "get-utf8",
            "GET",
            "/\u{1234}",
            &[],
            "",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "get-space-unnormalized",
            "GET",
            "/example space/",
            &[],
            "",
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
        ),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/?Param2=value2&Param1=value1",
            &[],
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-with-session-token",
            "GET",
            "/",
            &[("x-amz-security-token", TOKEN)],
            "",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            "post-vanilla",
            "POST",
            "/",
            &[],
            "",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "post-header-key-sort",
            "POST",
            "/",
            &[("my-header1", "value1")],
            "",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "post-header-value-case",
            "POST",
            "/",
            &[("my-header1", "VALUE1")],
            "",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
        (
            "get-header-value-trim",
            "GET",
            "/",
            &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
            "",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "get-header-key-duplicate",
            "GET",
            "/",
            &[
                ("my-header1", "value2"),
                ("my-header1", "value2"),
                ("my-header1", "value1"),
            ],
            "",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            "post-x-www-form-urlencoded",
            "POST",
            "/",
            &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("content-length", "13"),
                ("x-amz-content-sha256", FORM),
            ],
            "Param1=value1",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
        (
            "post-x-www-form-urlencoded-parameters",
            "POST",
            "/",
            &[
                (
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                ),
                ("content-length", "13"),
                ("x-amz-content-sha256", FORM),
            ],
            "Param1=value1",
            "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
        ),
    ];

    #[test]
    fn every_vector_of_the_official_suite_is_signed_as_it_says() {
        for (name, method, path, headers, body, signature) in SUITE {
            let mut all = vec![("host", "example.amazonaws.com"), ("x-amz-date", TIME)];
            all.extend_from_slice(headers);
            // The body in pieces is the body.
            let (head, tail) = body.split_at(body.len() / 2);
            let pieces = [
                Bytes::from_static(head.as_bytes()),
                Bytes::from_static(tail.as_bytes()),
            ];
            let request = Signable {
                method,
                path,
                headers: &all,
                body: &pieces,
            };
            let keys = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
            let scope = Scope {
                region: "us-east-1",
                service: "service",
            };
            let told = authorization(&request, keys, scope, TIME);
            assert!(
                told.ends_with(&format!("Signature={signature}")),
                "{name}: {told}"
            );
        }
    }

    #[test]
    fn a_time_is_told_as_signatures_have_it() {
        assert_eq!(timestamp(1_440_938_160_000).as_deref(), Some(TIME));
        assert_eq!(timestamp(0).as_deref(), Some("19700101T000000Z"));
        assert_eq!(timestamp(u64::MAX), None);
    }

    #[test]
    fn a_name_is_one_piece_of_a_path_whatever_is_in_it() {
        assert_eq!(
            segment("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.x-v1:0"),
            "arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.x-v1%3A0"
        );
        let mut twice = String::new();
        escape("/model/a%3A0/converse", &mut twice);
        assert_eq!(twice, "/model/a%253A0/converse");
    }
}
