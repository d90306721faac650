use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

/// A moment: 2026-11-30T12:00:00Z.
const NOW_MS: u64 = 1_796_040_000_000;

/// Answers in order, and what was asked for them.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<Answer>>,
    asked: Mutex<Vec<Ask>>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Script {
    fn of(answers: &[(u16, &str)]) -> Self {
        let answer = |(status, body): &(u16, &str)| Answer {
            status: *status,
            body: Bytes::copy_from_slice(body.as_bytes()),
            date_ms: None,
        };
        Self {
            answers: Mutex::new(answers.iter().rev().map(answer).collect()),
            ..Self::default()
        }
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let line = |ask: &Ask| format!("{} {}", ask.method, ask.url);
        asked.iter().map(line).collect()
    }

    fn body(&self, nth: usize) -> String {
        String::from_utf8(self.asked.lock().unwrap()[nth].body.to_vec()).unwrap()
    }

    fn header(&self, nth: usize, name: &str) -> String {
        let asked = self.asked.lock().unwrap();
        let mut headers = asked[nth].headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }
}

impl Outside for Script {
    fn ask(&self, ask: Ask) -> Outcome<'_, Answer> {
        self.asked.lock().unwrap().push(ask);
        let answer = self.answers.lock().unwrap().pop();
        Box::pin(async move { answer.ok_or_else(|| NoToken::later("nobody answers")) })
    }

    fn read<'a>(&'a self, path: &'a str) -> Outcome<'a, Key> {
        let text = self.files.get(path).copied();
        Box::pin(async move {
            text.map(Key::new)
                .ok_or_else(|| NoToken::later(format!("there is no {path}")))
        })
    }

    fn sign(&self, key: &RsaKeyPair, text: &[u8]) -> Option<Vec<u8>> {
        jws::tests::sign(key, text)
    }

    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a script answers at once"),
    }
}

#[derive(Default, Clone)]
struct Around {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl Around {
    fn of(variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            variables: variables.iter().map(own).collect(),
            files: BTreeMap::new(),
        }
    }

    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Surroundings for Around {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &str) -> Result<Option<String>, String> {
        Ok(self.files.get(path).cloned())
    }
}

fn default() -> Wanted {
    Wanted {
        is_default: true,
        ..Wanted::default()
    }
}

fn of_json(json: &Value) -> Wanted {
    Wanted {
        json: Some(Key::new(&json.to_string())),
        ..Wanted::default()
    }
}

fn identity(found: Result<Found, String>) -> Identity {
    match found.unwrap() {
        Found::Identity { identity, .. } => *identity,
        Found::Fixed(credential) => panic!("{credential:?} does not expire"),
    }
}

fn bearer_of(fresh: &Fresh) -> &str {
    match &fresh.credential {
        Credential::Bearer(key) => key.expose(),
        other => panic!("{other:?} is no bearer token"),
    }
}

fn account() -> Value {
    json!({
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "kid-1",
        "private_key": jws::tests::pem(true),
        "client_email": "bot@my-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    })
}

const TOKEN: &str = r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#;

#[test]
fn a_service_account_signs_a_claim_that_its_public_key_confirms() {
    let found = find_google(&of_json(&account()), &Around::default());
    let Ok(Found::Identity { project, .. }) = &found else {
        panic!("no identity");
    };
    assert_eq!(project.as_deref(), Some("my-project"));
    let google = identity(found);
    let script = Script::of(&[(200, TOKEN)]);
    let fresh = now(google.obtain(&script)).unwrap();
    assert_eq!(bearer_of(&fresh), "ya29.x");
    assert_eq!(fresh.life, Duration::from_secs(3_599));
    assert_eq!(script.asked(), ["POST https://oauth2.googleapis.com/token"]);
    let body = script.body(0);
    let proof = body
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    let parts: Vec<&str> = proof.split('.').collect();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(
        read(parts[0]),
        json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"})
    );
    assert_eq!(
        read(parts[1]),
        json!({
            "iss": "bot@my-project.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": NOW_MS / 1_000,
            "exp": NOW_MS / 1_000 + 3_600,
        })
    );
    let key = jws::private_key(&jws::tests::pem(true)).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    let signed = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    public.verify(signed.as_bytes(), &signature).unwrap();
}

fn refusal(answer: (u16, &str), date_ms: Option<u64>) -> NoToken {
    let google = identity(find_google(&of_json(&account()), &Around::default()));
    let script = Script::of(&[answer]);
    script.answers.lock().unwrap()[0].date_ms = date_ms;
    now(google.obtain(&script)).unwrap_err()
}

#[test]
fn what_is_refused_is_told_from_what_passes() {
    let grant = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    for (status, body, is_refused, part) in [
        (400, grant, true, "invalid_grant: Invalid JWT Signature."),
        (401, "{}", true, "answers with 401"),
        (403, r#"{"error":{"code":403,"message":"no"}}"#, true, "no"),
        (429, "", false, "429"),
        (500, "<html>", false, "500"),
        (503, "", false, "503"),
        (200, "garbage", false, "nonsense"),
        (200, r#"{"access_token":"a"}"#, false, "for how long"),
        (
            200,
            r#"{"access_token":"","expires_in":9}"#,
            false,
            "header",
        ),
        (
            200,
            r#"{"access_token":"a\nb","expires_in":9}"#,
            false,
            "header",
        ),
        (
            200,
            r#"{"access_token":"a","expires_in":0}"#,
            false,
            "expired",
        ),
    ] {
        let refusal = refusal((status, body), None);
        assert_eq!(refusal.is_refused, is_refused, "{status} {body}");
        assert!(refusal.why.contains(part), "{}", refusal.why);
    }
}

#[test]
fn a_clock_that_is_ten_minutes_off_is_named_where_it_is_refused() {
    let grant = (400, r#"{"error":"invalid_grant"}"#);
    let ahead = refusal(grant, Some(NOW_MS - 600_000)).why;
    assert!(ahead.contains("clock is 600 s ahead of"), "{ahead}");
    let behind = refusal(grant, Some(NOW_MS + 600_000)).why;
    assert!(behind.contains("clock is 600 s behind"), "{behind}");
    let fine = refusal(grant, Some(NOW_MS + 30_000)).why;
    assert!(!fine.contains("clock"), "{fine}");
}

#[test]
fn whoever_is_vouched_for_by_a_file_may_speak_for_an_account() {
    let json = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken",
        "credential_source": {"file": "/run/token", "format": {"type": "json", "subject_token_field_name": "id"}},
    });
    let google = identity(find_google(&of_json(&json), &Around::default()));
    let spoken = r#"{"accessToken":"ya29.y","expireTime":"2026-11-30T13:00:00Z"}"#;
    let mut script = Script::of(&[(200, TOKEN), (200, spoken)]);
    script.files.insert("/run/token", r#"{"id":"subject.jwt"}"#);
    let fresh = now(google.obtain(&script)).unwrap();
    assert_eq!(bearer_of(&fresh), "ya29.y");
    assert_eq!(fresh.life, Duration::from_secs(3_600));
    let body = script.body(0);
    assert!(body.contains("&subject_token=subject.jwt&"), "{body}");
    assert!(
        body.contains("&audience=%2F%2Fiam.googleapis.com%2F"),
        "{body}"
    );
    assert_eq!(script.header(1, "authorization"), "Bearer ya29.x");
    let allowed = google.addresses();
    for line in script.asked() {
        let url = line.split(' ').nth(1).unwrap();
        assert!(allowed.iter().any(|known| url.starts_with(known)), "{url}");
    }
}

#[test]
fn a_subject_token_may_be_at_an_address_and_a_user_and_an_impersonator_may_ask() {
    let external = json!({
        "type": "external_account", "audience": "a", "subject_token_type": "t",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"url": "http://169.254.169.254/token", "headers": {"Metadata": "True"}},
    });
    let google = identity(find_google(&of_json(&external), &Around::default()));
    let script = Script::of(&[(200, "subject"), (200, TOKEN)]);
    assert_eq!(bearer_of(&now(google.obtain(&script)).unwrap()), "ya29.x");
    assert_eq!(script.header(0, "metadata"), "True");

    let user = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r/1"});
    let google = identity(find_google(&of_json(&user), &Around::default()));
    let script = Script::of(&[(200, TOKEN)]);
    now(google.obtain(&script)).unwrap();
    assert_eq!(
        script.body(0),
        "grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r%2F1"
    );

    let other = json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/x:generateAccessToken",
        "delegates": ["d"],
        "source_credentials": user,
    });
    let google = identity(find_google(&of_json(&other), &Around::default()));
    let spoken = r#"{"accessToken":"ya29.z","expireTime":"2026-11-30T12:30:00Z"}"#;
    let script = Script::of(&[(200, TOKEN), (200, spoken)]);
    let fresh = now(google.obtain(&script)).unwrap();
    assert_eq!(fresh.life, Duration::from_secs(1_800));
    assert!(script.body(1).contains(r#""delegates":["d"]"#));
}

#[test]
fn credentials_that_make_no_sense_are_refused_without_a_part_of_them() {
    let mut broken = account();
    broken["private_key"] = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END".into();
    let mut plain = account();
    plain["token_uri"] = "http://tokens.example/token".into();
    let mut odd = account();
    odd["client_email"] = json!({"c2VjcmV0": 1});
    for (json, part) in [
        (broken, "private_key"),
        (plain, "https"),
        (odd, "another type"),
        (json!({"type": "service_account"}), "missing field"),
        (json!({"type": "gdch"}), "gdch"),
        (
            json!({"type": "external_account", "audience": "a", "subject_token_type": "t",
                "token_url": "https://x.example", "credential_source": {"executable": {"command": "rm"}}}),
            "executable",
        ),
        (
            json!({"type": "external_account", "audience": "a", "subject_token_type": "t",
                "token_url": "https://x.example", "credential_source": {"environment_id": "aws1"}}),
            "environment_id",
        ),
    ] {
        let problem = find_google(&of_json(&json), &Around::default()).unwrap_err();
        assert!(problem.contains(part), "{part}: {problem}");
        assert!(!problem.contains("c2VjcmV0"), "{problem}");
    }
}

#[test]
fn googles_default_is_the_named_file_then_the_well_known_one_then_the_machine() {
    let path = "GOOGLE_APPLICATION_CREDENTIALS";
    let text = account().to_string();
    let named = Around::of(&[(path, "/sa.json")]).file("/sa.json", &text);
    let described = |around: &Around| identity(find_google(&default(), around)).describe();
    assert!(described(&named).contains("bot@my-project"));
    let user =
        r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
    let known = "/home/u/.config/gcloud/application_default_credentials.json";
    let home = Around::of(&[("HOME", "/home/u")]).file(known, user);
    assert!(described(&home).contains("gcloud"));
    let machine = Around::of(&[("HOME", "/home/u")]);
    assert!(described(&machine).contains("http://169.254.169.254"));
    let by_name = Around::of(&[("GCE_METADATA_HOST", "metadata.google.internal")]);
    assert!(described(&by_name).contains("http://169.254.169.254"));
    let missing = find_google(&default(), &Around::of(&[(path, "/no.json")])).unwrap_err();
    assert!(missing.contains("/no.json"), "{missing}");
    // The machine is asked as it is documented.
    let google = identity(find_google(&default(), &machine));
    let script = Script::of(&[(200, TOKEN)]);
    now(google.obtain(&script)).unwrap();
    assert_eq!(script.header(0, "metadata-flavor"), "Google");
}

const STS: &str = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
<SessionToken>tok/+=</SessionToken><SecretAccessKey>sec</SecretAccessKey>\
<Expiration>2026-11-30T13:00:00Z</Expiration><AccessKeyId>ASIA1</AccessKeyId>\
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
const KEYS: &str = r#"{"Code":"Success","AccessKeyId":"ASIA2","SecretAccessKey":"sec2","Token":"tok2","Expiration":"2026-11-30T18:00:00Z"}"#;

fn pair_of(credential: &Credential) -> [String; 3] {
    let Credential::KeyPair {
        id,
        secret,
        session,
    } = credential
    else {
        panic!("{credential:?} is no pair");
    };
    let session = session.as_ref().map_or("", |key| key.expose());
    [id.expose(), secret.expose(), session].map(str::to_owned)
}

#[test]
fn amazons_chain_goes_through_its_places_in_order() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ("HOME", "/home/u"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"),
    ];
    let keys = "[default]\naws_access_key_id = AKIA9\naws_secret_access_key = s9\n";
    let around = |from: usize| Around::of(&variables[from..]);
    let Found::Fixed(pair) = amazon_chain(&default(), &around(0)).unwrap() else {
        panic!("keys in variables do not expire");
    };
    assert_eq!(pair_of(&pair), ["AKIA", "secret", ""]);
    let described = |around: &Around| identity(amazon_chain(&default(), around)).describe();
    assert!(described(&around(2)).contains("vouched for by /token"));
    let with_file = around(4).file("/home/u/.aws/credentials", keys);
    let Found::Fixed(pair) = amazon_chain(&default(), &with_file).unwrap() else {
        panic!("keys in files do not expire");
    };
    assert_eq!(pair_of(&pair), ["AKIA9", "s9", ""]);
    assert!(described(&around(4)).contains("http://169.254.170.2/v2/x"));
    assert!(described(&Around::default()).contains("http://169.254.169.254"));
    let disabled = Around::of(&[("AWS_EC2_METADATA_DISABLED", "true")]);
    assert!(amazon_chain(&default(), &disabled).is_err());
}

#[test]
fn a_web_identity_takes_a_role_on() {
    let wanted = Wanted {
        role_arn: Some("arn:aws:iam::1:role/r".to_owned()),
        token_file: Some("/token".to_owned()),
        region: Some("eu-west-1".to_owned()),
        ..Wanted::default()
    };
    let amazon = identity(amazon_chain(&wanted, &Around::default()));
    let mut script = Script::of(&[(200, STS)]);
    script.files.insert("/token", "web.jwt\n");
    let fresh = now(amazon.obtain(&script)).unwrap();
    assert_eq!(pair_of(&fresh.credential), ["ASIA1", "sec", "tok/+="]);
    assert_eq!(fresh.life, Duration::from_secs(3_600));
    assert_eq!(
        script.asked(),
        ["POST https://sts.eu-west-1.amazonaws.com/"]
    );
    assert_eq!(
        script.body(0),
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=bourse&WebIdentityToken=web.jwt"
    );
    let expired = "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error></ErrorResponse>";
    let mut script = Script::of(&[(400, expired)]);
    script.files.insert("/token", "web.jwt");
    let refused = now(amazon.obtain(&script)).unwrap_err();
    assert!(refused.is_refused);
    assert!(refused.why.contains("ExpiredTokenException Token expired"));
}

#[test]
fn a_profile_takes_a_role_on_with_another_profiles_keys_and_signs_for_it() {
    let config = "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nexternal_id = e1\n\
                  [profile loop]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = loop2\n\
                  [profile loop2]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = loop\n\
                  [profile sso]\nsso_session = x\n[profile program]\ncredential_process = /bin/rm\n";
    let around = Around::of(&[("HOME", "/h")])
        .file("/h/.aws/config", config)
        .file(
            "/h/.aws/credentials",
            "[base]\naws_access_key_id=AKIA\naws_secret_access_key=s\n",
        );
    let profile = |name: &str| Wanted {
        profile: Some(name.to_owned()),
        ..Wanted::default()
    };
    let amazon = identity(amazon_chain(&profile("role"), &around));
    let script = Script::of(&[(200, STS)]);
    now(amazon.obtain(&script)).unwrap();
    let proof = script.header(0, "authorization");
    assert!(
        proof.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/20261130/us-east-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="),
        "{proof}"
    );
    assert!(script.body(0).ends_with("&ExternalId=e1"));
    for (name, part) in [
        ("loop", "borrow from one another"),
        ("sso", "sso_session"),
        ("program", "credential_process"),
        ("nobody", "no credentials"),
    ] {
        let problem = amazon_chain(&profile(name), &around).unwrap_err();
        assert!(problem.contains(part), "{name}: {problem}");
    }
}

#[test]
fn a_machine_is_asked_in_the_second_version_and_a_container_with_its_token() {
    let machine = Wanted {
        is_machine: true,
        ..Wanted::default()
    };
    let amazon = identity(amazon_chain(&machine, &Around::default()));
    let script = Script::of(&[(200, "session"), (200, "my-role\n"), (200, KEYS)]);
    let fresh = now(amazon.obtain(&script)).unwrap();
    assert_eq!(pair_of(&fresh.credential), ["ASIA2", "sec2", "tok2"]);
    let roles = "http://169.254.169.254/latest/meta-data/iam/security-credentials/";
    assert_eq!(
        script.asked(),
        [
            "PUT http://169.254.169.254/latest/api/token".to_owned(),
            format!("GET {roles}"),
            format!("GET {roles}my-role"),
        ]
    );
    assert_eq!(script.header(2, "x-aws-ec2-metadata-token"), "session");
    let roleless = now(amazon.obtain(&Script::of(&[(200, "s"), (404, "")]))).unwrap_err();
    assert!(roleless.is_refused && roleless.why.contains("no role"));
    let failed = r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"no trust"}"#;
    let script = Script::of(&[(200, "s"), (200, "r"), (200, failed)]);
    let refused = now(amazon.obtain(&script)).unwrap_err();
    assert!(
        refused.is_refused && refused.why.contains("no trust"),
        "{refused:?}"
    );
    let script = Script::of(&[(200, "s"), (200, "../../user-data")]);
    assert!(now(amazon.obtain(&script)).is_err(), "a name that climbs");

    let pod = Around::of(&[
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://169.254.170.23/v1/credentials",
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/pod-token"),
    ]);
    let amazon = identity(amazon_chain(&default(), &pod));
    let mut script = Script::of(&[(200, KEYS)]);
    script.files.insert("/pod-token", "pod.jwt");
    now(amazon.obtain(&script)).unwrap();
    assert_eq!(script.header(0, "authorization"), "pod.jwt");
    for elsewhere in [
        "http://10.0.0.1/x",
        "http://169.254.170.2.example/x",
        "ftp://127.0.0.1/x",
    ] {
        let around = Around::of(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", elsewhere)]);
        assert!(amazon_chain(&default(), &around).is_err(), "{elsewhere}");
    }
}

#[test]
fn entra_is_asked_with_a_secret_with_a_file_and_by_the_machine() {
    let client = Wanted {
        tenant_id: Some("t-1".to_owned()),
        client_id: Some("c-1".to_owned()),
        client_secret: Some(Key::new("s~1")),
        ..Wanted::default()
    };
    let entra = identity(find_entra(&client, &Around::default()));
    let script = Script::of(&[(200, TOKEN)]);
    now(entra.obtain(&script)).unwrap();
    assert_eq!(
        script.asked(),
        ["POST https://login.microsoftonline.com/t-1/oauth2/v2.0/token"]
    );
    let scope = "scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default";
    assert_eq!(
        script.body(0),
        format!("grant_type=client_credentials&{scope}&client_id=c-1&client_secret=s~1")
    );
    let environment = Around::of(&[
        ("AZURE_TENANT_ID", "t-2"),
        ("AZURE_CLIENT_ID", "c-2"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/federated"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
    ]);
    let entra = identity(find_entra(&default(), &environment));
    let mut script = Script::of(&[(200, TOKEN)]);
    script.files.insert("/federated", "fed.jwt");
    now(entra.obtain(&script)).unwrap();
    assert_eq!(
        script.asked(),
        ["POST https://login.microsoftonline.us/t-2/oauth2/v2.0/token"]
    );
    assert!(script.body(0).ends_with("&client_assertion=fed.jwt"));

    let machine = identity(find_entra(&default(), &Around::default()));
    let text = r#"{"access_token":"e","expires_in":"86399","expires_on":"1796126399"}"#;
    let script = Script::of(&[(200, text)]);
    let fresh = now(machine.obtain(&script)).unwrap();
    assert_eq!(fresh.life, Duration::from_secs(86_399));
    assert_eq!(
        script.asked(),
        [
            "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com"
        ]
    );
    assert_eq!(script.header(0, "metadata"), "true");
    let hosted = Around::of(&[
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:41/msi/token"),
        ("IDENTITY_HEADER", "h"),
        ("AZURE_CLIENT_ID", "user-assigned"),
    ]);
    let hosted = identity(find_entra(&default(), &hosted));
    // A moment after now, in seconds since 1970.
    let text = r#"{"access_token":"e","expires_on":"1796043600"}"#;
    let script = Script::of(&[(200, text)]);
    let fresh = now(hosted.obtain(&script)).unwrap();
    assert_eq!(fresh.life, Duration::from_secs(3_600));
    assert!(script.asked()[0].ends_with("&client_id=user-assigned"));
    assert_eq!(script.header(0, "x-identity-header"), "h");
}

#[test]
fn what_a_cloud_has_no_use_for_is_refused_by_its_name() {
    let with = |set: fn(&mut Wanted)| {
        let mut wanted = Wanted::default();
        set(&mut wanted);
        wanted
    };
    let around = Around::default();
    for (problem, part) in [
        (
            find_google(&with(|w| w.profile = Some("x".into())), &around),
            "profile",
        ),
        (
            amazon_chain(&with(|w| w.json = Some(Key::new("{}"))), &around),
            "file",
        ),
        (
            find_entra(&with(|w| w.role_arn = Some("x".into())), &around),
            "role_arn",
        ),
        (
            find_entra(&with(|w| w.client_id = Some("x".into())), &around),
            "tenant_id",
        ),
        (
            amazon_chain(&with(|w| w.token_file = Some("x".into())), &around),
            "role_arn",
        ),
        (
            amazon_chain(&with(|w| w.role_arn = Some("x".into())), &around),
            "token_file",
        ),
    ] {
        let problem = problem.unwrap_err();
        assert!(problem.contains(part), "{part}: {problem}");
    }
}

#[test]
fn an_identity_prints_without_its_secrets() {
    let google = identity(find_google(&of_json(&account()), &Around::default()));
    let shown = format!("{google:?}");
    assert!(!shown.contains("PRIVATE") && shown.contains("bot@my-project"));
    assert!(google.secrets()[0].expose().contains("BEGIN PRIVATE KEY"));
}
