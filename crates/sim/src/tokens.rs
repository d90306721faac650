//! Token services of clouds, in their documented shapes: they check what
//! arrives by their own reading of the documents, and what they give is checked
//! where it is used.
//!
//! Google's token endpoint, security token service, impersonation and metadata
//! (google.aip.dev/auth/4110 to 4117); Amazon's token service, instance metadata
//! in its second version, and containers (docs.aws.amazon.com/sdkref and
//! /STS/latest/APIReference); Microsoft's token endpoint and both sorts of managed
//! identity (learn.microsoft.com/entra). Read in November 2026.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::ask::Refusal;
use crate::script::Script;
use crate::sigv4::{Account, Arrived};

/// How far a claim's time may be from Google's, in seconds.
const SKEW_S_MAX: i64 = 300;
/// The longest that a claim may be good, in seconds.
const CLAIM_S_MAX: i64 = 3_600;
/// What all tokens of simulators are made with: one process gives them, and
/// another may check them.
const SEED: &[u8] = b"tokens of simulators";
/// What sessions with the metadata service are called.
const SESSION: &str = "sim-metadata-session";
/// The role of the machine.
const ROLE: &str = "sim-role";

/// Which service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Google's token endpoint, and its security token service.
    Google,
    /// Google's impersonation of service accounts.
    Impersonation,
    /// Google's metadata of machines.
    GoogleMachine,
    /// A token of somebody who vouches for us.
    Subject,
    /// Amazon's token service.
    Sts,
    /// A session with Amazon's metadata of machines.
    MachineSession,
    /// Which role a machine has.
    MachineRoles,
    /// Credentials of a machine's role.
    MachineKeys,
    /// Credentials of a container.
    Container,
    /// Microsoft's token endpoint.
    Entra,
    /// Microsoft's metadata of machines.
    EntraMachine,
    /// Microsoft's identities of hosted services.
    EntraHosted,
}

/// What is answered: its type and its text.
pub type Told = (&'static str, String);

impl Service {
    /// The service at a path.
    #[must_use]
    pub fn of(method: &[u8], path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or(path);
        let own = path.strip_prefix("/p/").map_or(path, |rest| {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")
        });
        let is = |wanted: &[u8], end: &str| method == wanted && own.ends_with(end);
        Some(match own {
            "/" if method == b"POST" => Self::Sts,
            "/latest/api/token" if method == b"PUT" => Self::MachineSession,
            "/latest/meta-data/iam/security-credentials/" => Self::MachineRoles,
            "/container-credentials" => Self::Container,
            "/subject-token" => Self::Subject,
            "/msi/token" => Self::EntraHosted,
            _ if own == format!("/latest/meta-data/iam/security-credentials/{ROLE}") => {
                Self::MachineKeys
            }
            _ if is(b"GET", "/service-accounts/default/token") => Self::GoogleMachine,
            _ if is(b"POST", ":generateAccessToken") => Self::Impersonation,
            _ if is(b"POST", "/oauth2/v2.0/token") => Self::Entra,
            _ if is(b"GET", "/metadata/identity/oauth2/token") => Self::EntraMachine,
            "/token" | "/v1/token" if method == b"POST" => Self::Google,
            _ => return None,
        })
    }

    /// Answers as the service does.
    ///
    /// # Errors
    /// Its own refusal.
    pub fn answer(
        self,
        arrived: &Arrived<'_>,
        script: &Script,
        now_s: i64,
    ) -> Result<Told, Refusal> {
        let given = || bearer(script, now_s).to_string();
        let json = |text: String| Ok(("application/json", text));
        match self {
            Self::Google => google(arrived, script, now_s).and_then(|()| json(given())),
            Self::Impersonation => {
                check_bearer(arrived, now_s)?;
                let until = until(script, now_s);
                let token = token(script, now_s);
                json(json!({"accessToken": token, "expireTime": until}).to_string())
            }
            Self::GoogleMachine => {
                needs(arrived, "metadata-flavor", "Google")?;
                json(given())
            }
            Self::Subject => Ok(("text/plain", expected(script).to_owned())),
            Self::Sts => sts(arrived, script, now_s),
            Self::MachineSession => {
                let ttl = arrived.header("x-aws-ec2-metadata-token-ttl-seconds");
                let ttl: Option<u32> = ttl.and_then(|ttl| ttl.parse().ok());
                if ttl.is_none_or(|ttl| !(1..=21_600).contains(&ttl)) {
                    return Err(Refusal::bad("Bad Request"));
                }
                Ok(("text/plain", SESSION.to_owned()))
            }
            Self::MachineRoles => {
                needs(arrived, "x-aws-ec2-metadata-token", SESSION)?;
                Ok(("text/plain", ROLE.to_owned()))
            }
            Self::MachineKeys => {
                needs(arrived, "x-aws-ec2-metadata-token", SESSION)?;
                json(keys(script, now_s))
            }
            Self::Container => {
                if script.token_secret.is_some() {
                    needs(arrived, "authorization", expected(script))?;
                }
                json(keys(script, now_s))
            }
            Self::Entra => entra(arrived, script).and_then(|()| json(given())),
            Self::EntraMachine => {
                needs(arrived, "metadata", "true")?;
                wants_resource(arrived)?;
                // A text, as that service has it.
                let life = script.token_life_s.to_string();
                let token = token(script, now_s);
                json(json!({"access_token": token, "expires_in": life}).to_string())
            }
            Self::EntraHosted => {
                needs(arrived, "x-identity-header", expected(script))?;
                wants_resource(arrived)?;
                let end = now_s.saturating_add_unsigned(script.token_life_s);
                let token = token(script, now_s);
                json(json!({"access_token": token, "expires_on": end.to_string()}).to_string())
            }
        }
    }

    /// A refusal in the service's own shape.
    #[must_use]
    pub fn refusal(self, status: u16, code: &str, message: &str) -> Told {
        match self {
            Self::Sts => (
                "text/xml",
                format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                ),
            ),
            Self::Impersonation => {
                let error =
                    json!({"code": status, "message": message, "status": "PERMISSION_DENIED"});
                ("application/json", json!({ "error": error }).to_string())
            }
            Self::Container | Self::MachineKeys => {
                let error = json!({"code": code, "message": message});
                ("application/json", error.to_string())
            }
            _ => {
                let error = json!({"error": code, "error_description": message});
                ("application/json", error.to_string())
            }
        }
    }
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal {
        status: 401,
        message: message.into(),
    }
}

/// What a service knows of whoever asks: a client's secret, a kept consent, the
/// token of somebody who vouches.
fn expected(script: &Script) -> &str {
    script.token_secret.as_deref().unwrap_or("sim-secret")
}

fn needs(arrived: &Arrived<'_>, name: &str, value: &str) -> Result<(), Refusal> {
    if arrived.header(name) == Some(value) {
        Ok(())
    } else {
        Err(Refusal {
            status: 403,
            message: format!("{name} is missing or wrong"),
        })
    }
}

fn wants_resource(arrived: &Arrived<'_>) -> Result<(), Refusal> {
    let query = arrived.path.split_once('?').map_or("", |(_, query)| query);
    let fields = fields_of(query.as_bytes());
    match (field(&fields, "resource"), field(&fields, "api-version")) {
        (Some("https://cognitiveservices.azure.com"), Some(_)) => Ok(()),
        _ => Err(Refusal::bad("AADSTS500011: the resource is not found")),
    }
}

type Fields = Vec<(String, String)>;

/// Reads a form.
fn fields_of(body: &[u8]) -> Fields {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (unescaped(name), unescaped(value)))
        .collect()
}

fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                let digits = std::str::from_utf8(&digits).unwrap_or("3F");
                out.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let (_, value) = fields.iter().find(|(known, _)| known == name)?;
    Some(value)
}

/// Checks what Google checks of whoever asks for a token.
fn google(arrived: &Arrived<'_>, script: &Script, now_s: i64) -> Result<(), Refusal> {
    let fields = fields_of(arrived.body);
    let is = |name: &str, value: &str| field(&fields, name) == Some(value);
    match field(&fields, "grant_type").unwrap_or_default() {
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            let proof = field(&fields, "assertion").unwrap_or_default();
            check_claim(proof, arrived, script, now_s)
        }
        "refresh_token" if is("refresh_token", expected(script)) => Ok(()),
        "refresh_token" => Err(Refusal::bad("Token has been expired or revoked.")),
        "urn:ietf:params:oauth:grant-type:token-exchange"
            if is("subject_token", expected(script))
                && is(
                    "requested_token_type",
                    "urn:ietf:params:oauth:token-type:access_token",
                )
                && field(&fields, "audience").is_some() =>
        {
            Ok(())
        }
        "urn:ietf:params:oauth:grant-type:token-exchange" => Err(Refusal::bad(
            "The given credential is rejected by the attribute condition.",
        )),
        other => Err(Refusal::bad(format!("Invalid grant_type: {other}"))),
    }
}

/// A claim with its signature ("Using OAuth 2.0 for Server to Server
/// Applications", November 2026).
fn check_claim(
    proof: &str,
    arrived: &Arrived<'_>,
    script: &Script,
    now_s: i64,
) -> Result<(), Refusal> {
    let bad = |message: &str| Refusal::bad(message);
    let (signed, signature) = proof.rsplit_once('.').ok_or_else(|| bad("Invalid JWT"))?;
    let key = script.token_public_key.as_deref().unwrap_or_default();
    let key = STANDARD.decode(key).unwrap_or_default();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| bad("Invalid JWT Signature."))?;
    let part = |part: &str| -> Value {
        let text = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    };
    let (header, claims) = signed.split_once('.').ok_or_else(|| bad("Invalid JWT"))?;
    let (header, claims) = (part(header), part(claims));
    if text_of(&header, "alg") != "RS256" {
        return Err(bad("Invalid JWT: alg must be RS256."));
    }
    let path = arrived.path.split('?').next().unwrap_or_default();
    if !text_of(&claims, "aud").ends_with(path) {
        return Err(bad("Invalid JWT: Failed audience check."));
    }
    let scopes = text_of(&claims, "scope");
    if !scopes.contains("https://www.googleapis.com/auth/cloud-platform") {
        return Err(bad("Invalid OAuth scope or ID token audience provided."));
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    let (iat, exp) = (time("iat"), time("exp"));
    let is_timely = iat.zip(exp).is_some_and(|(iat, exp)| {
        (iat - now_s).abs() <= SKEW_S_MAX && exp > now_s && exp - iat <= CLAIM_S_MAX
    });
    if is_timely {
        Ok(())
    } else {
        Err(bad(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
        ))
    }
}

/// A member that is a text; empty if it is none.
fn text_of<'a>(json: &'a Value, name: &str) -> &'a str {
    json.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Checks what Microsoft checks of an application.
fn entra(arrived: &Arrived<'_>, script: &Script) -> Result<(), Refusal> {
    let fields = fields_of(arrived.body);
    if field(&fields, "grant_type") != Some("client_credentials")
        || !field(&fields, "scope").is_some_and(|scope| scope.ends_with("/.default"))
        || field(&fields, "client_id").is_none()
    {
        return Err(Refusal::bad("AADSTS900144: the request lacks a parameter."));
    }
    let proof = field(&fields, "client_secret").or_else(|| {
        let kind = field(&fields, "client_assertion_type")?;
        let is_known = kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        is_known.then(|| field(&fields, "client_assertion"))?
    });
    if proof == Some(expected(script)) {
        Ok(())
    } else {
        Err(refused("AADSTS7000215: Invalid client secret provided."))
    }
}

/// Amazon's token service.
fn sts(arrived: &Arrived<'_>, script: &Script, now_s: i64) -> Result<Told, Refusal> {
    let fields = fields_of(arrived.body);
    let action = field(&fields, "Action").unwrap_or_default();
    match action {
        "AssumeRoleWithWebIdentity" => {
            if field(&fields, "WebIdentityToken") != Some(expected(script)) {
                return Err(Refusal::bad(
                    "Couldn't retrieve verification key from your identity provider",
                ));
            }
        }
        "AssumeRole" => {
            let account = Account {
                secret: script.aws_secret_access_key.as_deref().unwrap_or_default(),
                session: script.aws_session_token.as_deref(),
            };
            arrived.check(&account, now_s)?;
        }
        other => return Err(Refusal::bad(format!("Could not find operation {other}"))),
    }
    let keys = Keys::of(script, now_s);
    let Keys {
        id,
        secret,
        session,
    } = &keys;
    let until = until(script, now_s);
    Ok((
        "text/xml",
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <{action}Result>\n    <Credentials>\n      <AccessKeyId>{id}</AccessKeyId>\n      <SecretAccessKey>{secret}</SecretAccessKey>\n      <SessionToken>{session}</SessionToken>\n      <Expiration>{until}</Expiration>\n    </Credentials>\n  </{action}Result>\n</{action}Response>\n"
        ),
    ))
}

fn keys(script: &Script, now_s: i64) -> String {
    let Keys {
        id,
        secret,
        session,
    } = Keys::of(script, now_s);
    json!({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": id, "SecretAccessKey": secret,
        "Token": session, "Expiration": until(script, now_s),
    })
    .to_string()
}

/// A moment by the service's clock, in RFC 3339.
fn until(script: &Script, now_s: i64) -> String {
    let end = now_s.saturating_add_unsigned(script.token_life_s);
    jiff::Timestamp::from_second(end)
        .unwrap_or(jiff::Timestamp::MAX)
        .to_string()
}

fn mac(purpose: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SEED);
    let tag = hmac::sign(&key, format!("{purpose}:{text}").as_bytes());
    URL_SAFE_NO_PAD.encode(tag.as_ref())
}

/// A token of a script at a moment: when it ends, and a proof of that.
fn token(script: &Script, now_s: i64) -> String {
    // By the clock that everybody has who checks it.
    let now_s = now_s.saturating_sub(script.clock_ahead_s);
    let end = now_s.saturating_add_unsigned(script.token_life_s);
    format!("sim.{end}.{}", mac("token", &end.to_string()))
}

fn bearer(script: &Script, now_s: i64) -> Value {
    json!({
        "access_token": token(script, now_s),
        "expires_in": script.token_life_s,
        "token_type": "Bearer",
    })
}

/// A pair of keys with its session, which follow from when they end.
struct Keys {
    id: String,
    secret: String,
    session: String,
}

impl Keys {
    fn of(script: &Script, now_s: i64) -> Self {
        let now_s = now_s.saturating_sub(script.clock_ahead_s);
        Self::until(now_s.saturating_add_unsigned(script.token_life_s))
    }

    fn until(end: i64) -> Self {
        let id = format!("ASIA{end}");
        Self {
            secret: mac("secret", &id),
            session: mac("session", &id),
            id,
        }
    }
}

/// Checks a bearer token of ours.
///
/// # Errors
/// 401: it is none, or it has ended.
pub fn check_bearer(arrived: &Arrived<'_>, now_s: i64) -> Result<(), Refusal> {
    let given = arrived.header("authorization").unwrap_or_default();
    let token = given.strip_prefix("Bearer sim.").unwrap_or_default();
    let (end, proof) = token.split_once('.').unwrap_or_default();
    if proof != mac("token", end) || end.is_empty() {
        return Err(refused(
            "Request had invalid authentication credentials. Expected OAuth 2 access token.",
        ));
    }
    // To the end of the second: it was given at some moment of one.
    if end.parse().is_ok_and(|end: i64| now_s <= end) {
        Ok(())
    } else {
        Err(refused("The access token has expired."))
    }
}

/// Checks a signature with a pair of keys of ours.
///
/// # Errors
/// 403: it is none, or the keys have ended.
pub fn check_signature(arrived: &Arrived<'_>, now_s: i64) -> Result<(), Refusal> {
    let forbidden = |message: &str| Refusal {
        status: 403,
        message: message.to_owned(),
    };
    let proof = arrived.header("authorization").unwrap_or_default();
    let (_, rest) = proof.split_once("Credential=ASIA").unwrap_or_default();
    let end: i64 = rest
        .split('/')
        .next()
        .and_then(|end| end.parse().ok())
        .ok_or_else(|| forbidden("The security token included in the request is invalid."))?;
    let keys = Keys::until(end);
    let account = Account {
        secret: &keys.secret,
        session: Some(&keys.session),
    };
    arrived.check(&account, now_s)?;
    if now_s <= end {
        Ok(())
    } else {
        Err(forbidden(
            "The security token included in the request is expired",
        ))
    }
}
