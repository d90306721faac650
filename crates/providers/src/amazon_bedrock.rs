//! Amazon Bedrock: Converse (docs.aws.amazon.com/bedrock, API reference and
//! user guide, November 2026).
//!
//! Two ways to be known: an API key of Bedrock's, which is sent as it is, or a
//! pair of keys of Amazon's with which each request is signed. Models are
//! called by their own names where they are sold on demand, and else by an
//! inference profile, whose name begins with a part of the world.

use std::borrow::Cow;
use std::sync::Arc;

use bourse_vocab::{Failure, Format};
use bourse_wire::dialect::TierWords;
use bourse_wire::{Dialect, anthropic};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use crate::identity::{self, Found, Surroundings, Wanted};
use crate::place::is_region;
use crate::provider::{Address, Attempt, Disconnect, Interface, Provider, Signing, ToSign};
use crate::sigv4::{self, Scope, Signable, segment};
use crate::{Credential, Headers, Key, Place};

/// Where nothing else is said: the region that has most models.
const REGION: &str = "us-east-1";
const BASE_URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";

const DATE: &str = "x-amz-date";
const SESSION: &str = "x-amz-security-token";

/// Amazon Bedrock, in one of its regions.
#[derive(Debug, Clone)]
pub struct AmazonBedrock {
    region: Cow<'static, str>,
    base_url: Cow<'static, str>,
}

/// Its format, with the tiers of service that have prices of their own.
pub(crate) static DIALECT: Dialect = Dialect {
    tiers: TierWords::AMAZON,
    ..Dialect::PLAIN
};

/// What whoever speaks Bedrock's format can be asked.
pub(crate) const INTERFACES: &[Interface] = &[Interface::chat(Format::Bedrock)];

impl AmazonBedrock {
    /// Where nothing else is said.
    pub const DEFAULT: Self = Self {
        region: Cow::Borrowed(REGION),
        base_url: Cow::Borrowed(BASE_URL),
    };

    fn in_region(region: &str) -> Self {
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        Self {
            base_url: format!("https://bedrock-runtime.{region}.{domain}").into(),
            region: region.to_owned().into(),
        }
    }

    /// The headers of a signature with a pair of keys.
    fn signature(
        &self,
        request: &ToSign<'_>,
        (id, secret, session): (&Key, &Key, Option<&Key>),
    ) -> Result<Headers, Failure> {
        let time = sigv4::timestamp(request.now_ms)
            .ok_or_else(|| Failure::server("the time is beyond what can be signed"))?;
        let kind = request.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|value| value.to_str().ok());
        let mut signed = vec![("host", request.authority), (DATE, &time)];
        signed.extend(kind.map(|kind| ("content-type", kind)));
        signed.extend(session.map(|token| (SESSION, token.expose())));
        let signable = Signable {
            method: request.method.as_str(),
            path: request.path,
            headers: &signed,
            body: request.body,
        };
        let scope = Scope {
            region: &self.region,
            service: "bedrock",
        };
        let keys = (id.expose(), secret.expose());
        let proof = Key::new(&sigv4::authorization(&signable, keys, scope, &time));
        let odd = || Failure::server("a key of provider amazon-bedrock has odd characters");
        let date = HeaderValue::from_str(&time).map_err(|_| odd())?;
        let mut headers = vec![
            (HeaderName::from_static(DATE), date),
            (
                http::header::AUTHORIZATION,
                proof.header("").ok_or_else(odd)?,
            ),
        ];
        if let Some(token) = session {
            let token = token.header("").ok_or_else(odd)?;
            headers.push((HeaderName::from_static(SESSION), token));
        }
        Ok(headers)
    }
}

impl Provider for AmazonBedrock {
    fn slug(&self) -> &str {
        "amazon-bedrock"
    }

    fn name(&self) -> &str {
        "Amazon Bedrock"
    }

    fn env(&self) -> &[&'static str] {
        &["AWS_BEARER_TOKEN_BEDROCK"]
    }

    fn base_url(&self) -> Option<&str> {
        Some(&self.base_url)
    }

    fn interfaces(&self, _model: &str) -> &[Interface] {
        INTERFACES
    }

    fn dialect(&self, _format: Format, _model: &str) -> &Dialect {
        &DIALECT
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        address(attempt)
    }

    fn placed(&self, place: &Place) -> Result<Option<Arc<dyn Provider>>, String> {
        if place.project.is_some() {
            return Err("Amazon's addresses have no project".to_owned());
        }
        let Some(region) = &place.region else {
            return Ok(None);
        };
        if !is_region(region) {
            return Err(format!("`{region}` is no region of Amazon's"));
        }
        Ok(Some(Arc::new(Self::in_region(region))))
    }

    fn serves(&self, model: &str) -> bool {
        is_sold_in(&self.region, model)
    }

    fn signing(&self) -> Signing {
        Signing::EachRequest
    }

    fn sign(&self, request: &ToSign<'_>, credential: &Credential) -> Result<Headers, Failure> {
        match credential {
            Credential::KeyPair {
                id,
                secret,
                session,
            } => self.signature(request, (id, secret, session.as_ref())),
            other => other.headers(self.slug()),
        }
    }

    fn find_credentials(
        &self,
        wanted: &Wanted,
        around: &dyn Surroundings,
    ) -> Result<Found, String> {
        identity::amazon_chain(wanted, around)
    }

    fn on_disconnect(&self) -> Disconnect {
        Disconnect::Drain
    }
}

/// Where the Converse API is. A model's name is one piece of the path, ARNs
/// with their slashes included (vercel/ai pull request 17525, July 2026).
pub(crate) fn address(attempt: &Attempt<'_>) -> Address {
    let verb = if attempt.stream {
        "converse-stream"
    } else {
        "converse"
    };
    let model = segment(attempt.model);
    Address {
        path: format!("{}/model/{model}/{verb}", attempt.base_path),
        headers: Headers::new(),
    }
}

/// Parts of the world for which there are inference profiles, and how the
/// regions begin from which they are called ("Supported Regions and models for
/// inference profiles", docs.aws.amazon.com/bedrock, 2026). `us` is not called
/// from the government's regions, which have their own.
const PROFILES: [(&str, &[&str]); 8] = [
    ("us-gov", &["us-gov-"]),
    ("us", &["us-east-", "us-west-"]),
    ("eu", &["eu-"]),
    ("apac", &["ap-"]),
    ("jp", &["ap-northeast-1", "ap-northeast-3"]),
    ("au", &["ap-southeast-2", "ap-southeast-4"]),
    ("ca", &["ca-"]),
    (
        "global",
        &[
            "us-east-", "us-west-", "eu-", "ap-", "ca-", "sa-", "me-", "af-", "il-", "mx-",
        ],
    ),
];

/// Whether a model of the catalog can be called from a region: profiles from
/// their part of the world, and Claude since 3.7 by its profiles only ("with
/// on-demand throughput isn't supported", anomalyco/opencode issue 396,
/// Laisky/one-api issue 245, 2025). Names of an operator's own, ARNs among
/// them, are their business.
fn is_sold_in(region: &str, model: &str) -> bool {
    let world = model.split_once('.').map_or("", |(first, _)| first);
    match PROFILES.iter().find(|(name, _)| *name == world) {
        Some((_, regions)) => regions.iter().any(|begin| region.starts_with(begin)),
        None => {
            let is_bare_claude = world == "anthropic";
            !(is_bare_claude && anthropic::thinking_style(model) != anthropic::ThinkingStyle::None)
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::*;

    fn signed(session: Option<&str>, body: &'static str) -> Headers {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = ToSign {
            method: &Method::POST,
            authority: "bedrock-runtime.eu-west-1.amazonaws.com",
            path: "/model/m%3A0/converse",
            headers: &headers,
            body: &[Bytes::from_static(body.as_bytes())],
            now_ms: 1_440_938_160_000,
        };
        let credential = Credential::KeyPair {
            id: Key::new("AKIDEXAMPLE"),
            secret: Key::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(Key::new),
        };
        AmazonBedrock::in_region("eu-west-1")
            .sign(&request, &credential)
            .unwrap()
    }

    fn value(headers: &Headers, name: &str) -> String {
        let found = headers.iter().find(|(known, _)| known == name).unwrap();
        found.1.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_pair_of_keys_signs_time_body_and_session_and_stays_secret() {
        let plain = signed(None, "{}");
        assert_eq!(value(&plain, "x-amz-date"), "20150830T123600Z");
        let proof = value(&plain, "authorization");
        assert!(
            proof.starts_with(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/bedrock/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, Signature="
            ),
            "{proof}"
        );
        assert_ne!(proof, value(&signed(None, "{} "), "authorization"));
        let with_session = signed(Some("token"), "{}");
        assert_eq!(value(&with_session, "x-amz-security-token"), "token");
        let proof = value(&with_session, "authorization");
        assert!(proof.contains("content-type;host;x-amz-date;x-amz-security-token"));
        for (name, header) in &with_session {
            assert_eq!(header.is_sensitive(), *name != DATE, "{name}");
        }
    }

    #[test]
    fn a_region_is_part_of_the_address_or_refused() {
        let bedrock = AmazonBedrock::DEFAULT;
        let placed = |region: &str| {
            let place = Place {
                region: Some(region.to_owned()),
                project: None,
            };
            bedrock.placed(&place)
        };
        let url = |region| {
            placed(region)
                .unwrap()
                .unwrap()
                .base_url()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            url("eu-west-1"),
            "https://bedrock-runtime.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            url("cn-north-1"),
            "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
        );
        assert!(bedrock.placed(&Place::default()).unwrap().is_none());
        for odd in ["", "EU", "a.example/", "eu-west-1@x"] {
            assert!(placed(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn models_are_called_by_the_names_that_their_region_sells() {
        for (region, model, sold) in [
            ("us-east-1", "us.anthropic.claude-opus-4-6-v1", true),
            ("eu-west-1", "us.anthropic.claude-opus-4-6-v1", false),
            ("us-gov-west-1", "us.anthropic.claude-opus-4-6-v1", false),
            ("us-gov-west-1", "us-gov.anthropic.claude-opus-5", true),
            ("eu-west-1", "global.anthropic.claude-opus-4-6-v1", true),
            (
                "us-gov-west-1",
                "global.anthropic.claude-opus-4-6-v1",
                false,
            ),
            ("ap-northeast-1", "jp.anthropic.claude-opus-4-7", true),
            ("ap-southeast-1", "jp.anthropic.claude-opus-4-7", false),
            ("us-east-1", "anthropic.claude-opus-4-6-v1", false),
            (
                "us-east-1",
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
                true,
            ),
            ("us-east-1", "amazon.nova-pro-v1:0", true),
            ("us-east-1", "deepseek.v3-v1:0", true),
            (
                "us-east-1",
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.x",
                true,
            ),
            ("us-east-1", "my-own", true),
        ] {
            assert_eq!(is_sold_in(region, model), sold, "{model} in {region}");
        }
    }
}
