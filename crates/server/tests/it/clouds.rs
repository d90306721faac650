//! Clouds as targets, and the services that give tokens for them: a second
//! simulator plays those, checks what it is asked, and what it gave is checked
//! where it arrives.

use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bourse_sim::{Script, Sim, SimHandle};
use serde_json::{Value, json};

use crate::exchange::{CHEAP, DEAR, Exchange, MODEL, Provider, Setup, bourse, eventually, script};
use crate::money_math::cost;

const GEMINI: &str = "gemini-2.5-flash";
const CLAUDE: &str = "claude-sonnet-4-5@20250929";

/// Token services, each under a name of its own.
fn services(scripts: &[(&str, Value)]) -> SimHandle {
    let mut sim = Sim::builder().record_bodies(true);
    for (name, fields) in scripts {
        sim = sim.provider(*name, script(fields.clone()));
    }
    sim.spawn_thread("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A new key of a service account: its text, and what confirms its claims.
fn keys() -> (String, String) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let digits = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{digits}\n-----END PRIVATE KEY-----\n");
    (pem, STANDARD.encode(pair.public_key().as_ref()))
}

fn forever(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Google's cloud with a service account, and whoever gives it tokens.
struct Google {
    services: SimHandle,
    json: String,
}

impl Google {
    fn new(mut service: Value) -> Self {
        let (private_key, public_key) = keys();
        service["token_public_key"] = public_key.into();
        let services = services(&[("google", service)]);
        let json = json!({
            "type": "service_account",
            "project_id": "my-project",
            "private_key_id": "kid-1",
            "private_key": private_key,
            "client_email": "bot@my-project.iam.gserviceaccount.com",
            "token_uri": format!("{}/token", services.provider_url("google")),
        });
        Self {
            services,
            json: json.to_string(),
        }
    }

    /// Lets a server have the account.
    fn of(&self, setup: &mut Setup, provider: Provider) {
        setup.env.push(("THE_ACCOUNT", forever(self.json.clone())));
        setup.env.push(("BOURSE_LOG__LEVEL", "debug"));
        setup.provider(provider);
    }

    fn asked(&self) -> usize {
        self.services.log().len()
    }

    fn becomes(&self, fields: Value) {
        let mut script = self.services.scripts().providers["google"].clone();
        let changed = serde_json::to_value(&script).unwrap();
        let mut changed = changed.as_object().unwrap().clone();
        changed.extend(fields.as_object().unwrap().clone());
        script = serde_json::from_value(changed.into()).unwrap();
        self.services.set_provider_script("google", script);
    }
}

fn checks_tokens(mut fields: Value) -> Script {
    fields["require_token"] = true.into();
    script(fields)
}

fn vertex(model: &'static str, format: &'static str, script: Script) -> Provider {
    let mut provider = Provider::new("google-vertex", CHEAP, script).format(format);
    provider.upstream_model = Some(model);
    provider.provider_toml =
        "region = \"europe-west4\"\ncredentials = { env = \"THE_ACCOUNT\" }\n".to_owned();
    provider
}

fn secret_free(exchange: &Exchange, google: &Google) {
    let json: Value = serde_json::from_str(&google.json).unwrap();
    let key = json["private_key"].as_str().unwrap();
    let part = &key.lines().nth(1).unwrap()[..40];
    assert!(!exchange.server.log().contains(part), "a key in the log");
    assert!(
        !exchange.server.log().contains("sim.17"),
        "a token in the log"
    );
}

#[test]
fn gemini_on_vertex_is_called_with_a_token_for_a_signed_claim() {
    let google = Google::new(json!({}));
    let exchange = Exchange::start(|setup| {
        google.of(
            setup,
            vertex(
                GEMINI,
                "gemini",
                checks_tokens(json!({"tokens": 9, "reasoning_tokens": 0})),
            ),
        );
    });
    let got = exchange.chat(json!({}));
    assert_eq!(got.status, 200, "{}", got.text());
    let told = got.json();
    assert_eq!(told["usage"]["completion_tokens"], 9);
    let first = exchange.worth(CHEAP);
    assert_eq!(cost(&told["usage"]), first);
    let stream = exchange.stream(json!({}));
    let usage = stream.complete();
    let second = exchange.worth(CHEAP);
    assert_eq!(cost(&usage), second);
    let paths: Vec<String> = exchange
        .upstream()
        .iter()
        .map(|entry| entry.path.clone())
        .collect();
    let place = "/p/google-vertex/v1beta/projects/my-project/locations/europe-west4/publishers/google/models";
    assert_eq!(
        paths,
        [
            format!("{place}/{GEMINI}:generateContent"),
            format!("{place}/{GEMINI}:streamGenerateContent?alt=sse"),
        ]
    );
    assert_eq!(google.asked(), 1, "a token is good for many calls");
    secret_free(&exchange, &google);
    exchange.finish(first + second);
}

#[test]
fn claude_on_vertex_has_its_model_in_the_address_and_its_version_in_the_body() {
    let google = Google::new(json!({}));
    let exchange = Exchange::start(|setup| {
        let script = checks_tokens(json!({"tokens": 5}));
        google.of(setup, vertex(CLAUDE, "anthropic", script));
    });
    // By way of the vocabulary, and with bytes passed.
    let got = exchange.chat(json!({"max_tokens": 50}));
    assert_eq!(got.status, 200, "{}", got.text());
    let mut spent = exchange.worth(CHEAP);
    for stream in [false, true] {
        let mut conn = exchange.connect();
        let headers = format!(
            "x-api-key: {}\r\ncontent-type: application/json\r\n",
            exchange.key
        );
        let body = json!({
            "model": MODEL, "max_tokens": 50, "stream": stream,
            "messages": [{"role": "user", "content": "Hello there"}],
        });
        conn.request(
            "POST",
            "/api/v1/messages",
            &headers,
            body.to_string().as_bytes(),
        );
        let got = conn.receive();
        assert_eq!(got.status, 200, "{}", got.text());
        assert!(
            !stream || got.text().contains("message_stop"),
            "{}",
            got.text()
        );
        spent += exchange.worth(CHEAP);
    }
    for (nth, verb) in ["rawPredict", "rawPredict", "streamRawPredict"]
        .iter()
        .enumerate()
    {
        let entry = &exchange.upstream()[nth];
        let end = format!("/publishers/anthropic/models/{CLAUDE}:{verb}");
        assert!(entry.path.ends_with(&end), "{}", entry.path);
        let sent: Value = serde_json::from_str(entry.body.as_ref().unwrap()).unwrap();
        assert_eq!(sent["anthropic_version"], "vertex-2023-10-16");
        assert_eq!(sent.get("model"), None);
        assert!(
            !entry
                .headers
                .iter()
                .any(|(name, _)| name == "anthropic-version")
        );
    }
    exchange.finish(spent);
}

#[test]
fn vectors_of_vertex_cost_what_it_counted_text_by_text() {
    let google = Google::new(json!({}));
    let exchange = Exchange::start(|setup| {
        let mut provider = vertex("text-embedding-005", "gemini", checks_tokens(json!({})));
        provider.price = Some(("0.10", "0"));
        google.of(setup, provider);
        setup.models.insert(
            MODEL,
            "context_length = 8192\noutput_modalities = [\"embeddings\"]",
        );
    });
    let mut conn = exchange.connect();
    let headers = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
        exchange.key
    );
    let body = json!({"model": MODEL, "input": ["one two three", "four five"], "dimensions": 4});
    conn.request(
        "POST",
        "/api/v1/embeddings",
        &headers,
        body.to_string().as_bytes(),
    );
    let got = conn.receive();
    assert_eq!(got.status, 200, "{}", got.text());
    let told = got.json();
    assert_eq!(told["data"].as_array().unwrap().len(), 2);
    assert_eq!(told["data"][1]["embedding"].as_array().unwrap().len(), 4);
    let sent: Value = serde_json::from_str(exchange.upstream()[0].body.as_ref().unwrap()).unwrap();
    assert_eq!(sent["instances"][1]["content"], "four five");
    assert_eq!(sent["parameters"]["outputDimensionality"], 4);
    let spent = cost(&told["usage"]);
    assert!(spent > 0);
    exchange.finish(spent);
}

/// Every way to be known to Google's cloud.
#[test]
fn google_is_asked_in_every_documented_way() {
    let services = services(&[("google", json!({"token_secret": "vouched"}))]);
    let at = services.provider_url("google");
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let subject = file("subject.jwt", "vouched\n".to_owned());
    let external = |source: Value, speaks: bool| {
        let mut json = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{at}/v1/token"), "credential_source": source,
        });
        if speaks {
            json["service_account_impersonation_url"] =
                format!("{at}/v1/serviceAccounts/a:generateAccessToken").into();
        }
        json.to_string()
    };
    let user = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s",
        "refresh_token": "vouched", "token_uri": format!("{at}/token")})
    .to_string();
    let path = |name, text| {
        let path = file(name, text);
        format!("credentials = {{ file = {path:?} }}\n")
    };
    let adc = file("adc.json", user.clone());
    let metadata = at.strip_prefix("http://").unwrap().to_owned();
    for (lines, env) in [
        (
            path("a.json", external(json!({"file": subject}), false)),
            vec![],
        ),
        (
            path("b.json", external(json!({"file": subject}), true)),
            vec![],
        ),
        (
            path(
                "c.json",
                external(json!({"url": format!("{at}/subject-token")}), true),
            ),
            vec![],
        ),
        (path("d.json", user), vec![]),
        (
            "credentials = \"default\"\n".to_owned(),
            vec![("GOOGLE_APPLICATION_CREDENTIALS", adc)],
        ),
        (
            "credentials = \"machine\"\n".to_owned(),
            vec![("GCE_METADATA_HOST", metadata)],
        ),
    ] {
        let exchange = Exchange::start(|setup| {
            let mut provider = vertex(GEMINI, "gemini", checks_tokens(json!({"tokens": 3})));
            provider.provider_toml = format!("project = \"my-project\"\n{lines}");
            for (name, value) in &env {
                setup.env.push((name, forever(value.clone())));
            }
            setup.provider(provider);
        });
        let got = exchange.chat(json!({}));
        assert_eq!(got.status, 200, "{lines}: {}", got.text());
        let spent = exchange.worth(CHEAP);
        exchange.finish(spent);
    }
}

/// Every place where Amazon's own programs look for credentials that end.
#[test]
fn amazons_chain_signs_with_what_its_services_give() {
    let services = services(&[(
        "aws",
        json!({"token_secret": "vouched", "aws_secret_access_key": "long-lived-secret"}),
    )]);
    let at = services.provider_url("aws");
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let token = file("token", "vouched");
    let credentials = file(
        "credentials",
        "[base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = long-lived-secret\n",
    );
    let config = file(
        "config",
        "[profile role]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = base\n",
    );
    let role = "arn:aws:iam::111122223333:role/r";
    let sts = ("AWS_ENDPOINT_URL_STS", at.clone());
    for (lines, env) in [
        (
            "credentials = \"default\"\n".to_owned(),
            vec![
                sts.clone(),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token.clone()),
                ("AWS_ROLE_ARN", role.to_owned()),
            ],
        ),
        (
            format!("credentials = {{ role_arn = \"{role}\", token_file = {token:?} }}\n"),
            vec![sts.clone()],
        ),
        (
            "credentials = { profile = \"role\" }\n".to_owned(),
            vec![
                sts,
                ("AWS_CONFIG_FILE", config),
                ("AWS_SHARED_CREDENTIALS_FILE", credentials),
            ],
        ),
        (
            "credentials = \"default\"\n".to_owned(),
            vec![
                (
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    format!("{at}/container-credentials"),
                ),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
            ],
        ),
        (
            "credentials = \"machine\"\n".to_owned(),
            vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", at)],
        ),
    ] {
        let exchange = Exchange::start(|setup| {
            let script = checks_tokens(json!({"tokens": 3}));
            let mut provider =
                Provider::new("amazon-bedrock", CHEAP, script).format("bedrock-converse");
            provider.upstream_model = Some("amazon.nova-pro-v1:0");
            provider.provider_toml = format!("region = \"eu-west-1\"\n{lines}");
            for (name, value) in &env {
                setup.env.push((name, forever(value.clone())));
            }
            setup.env.push(("BOURSE_LOG__LEVEL", "debug"));
            setup.provider(provider);
        });
        let got = exchange.chat(json!({}));
        assert_eq!(got.status, 200, "{lines}: {}", got.text());
        let spent = exchange.worth(CHEAP);
        assert!(!exchange.server.log().contains("long-lived-secret"));
        exchange.finish(spent);
    }
}

/// Every way to be known to Microsoft's cloud, at both of its addresses.
#[test]
fn azure_takes_a_key_or_a_token_and_a_deployment_in_the_path_or_in_the_body() {
    let services = services(&[("entra", json!({"token_secret": "vouched"}))]);
    let at = services.provider_url("entra");
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "vouched").unwrap();
    let token = token.to_str().unwrap().to_owned();
    let dated = "api_version = \"2024-10-21\"\n";
    for (lines, env, is_token) in [
        (format!("api_key = \"k-1\"\n{dated}"), vec![], false),
        ("api_key = \"k-1\"\n".to_owned(), vec![], false),
        (
            format!(
                "{dated}credentials = {{ tenant_id = \"t\", client_id = \"c\", client_secret = {{ env = \"THE_SECRET\" }}, authority = \"{at}\" }}\n"
            ),
            vec![("THE_SECRET", "vouched".to_owned())],
            true,
        ),
        (
            "credentials = \"default\"\n".to_owned(),
            vec![
                ("AZURE_TENANT_ID", "t".to_owned()),
                ("AZURE_CLIENT_ID", "c".to_owned()),
                ("AZURE_FEDERATED_TOKEN_FILE", token),
                ("AZURE_AUTHORITY_HOST", at.clone()),
            ],
            true,
        ),
        (
            format!("{dated}credentials = {{ machine = true, client_id = \"mine\" }}\n"),
            vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", at.clone())],
            true,
        ),
        (
            "credentials = \"machine\"\n".to_owned(),
            vec![
                ("IDENTITY_ENDPOINT", format!("{at}/msi/token")),
                ("IDENTITY_HEADER", "vouched".to_owned()),
            ],
            true,
        ),
    ] {
        let exchange = Exchange::start(|setup| {
            let fields = json!({"tokens": 3, "require_key": true, "require_token": is_token});
            let mut provider = Provider::new("my-azure", CHEAP, script(fields));
            provider.upstream_model = Some("my-gpt");
            provider.provider_toml = format!("kind = \"azure-openai\"\n{lines}");
            for (name, value) in &env {
                setup.env.push((name, forever(value.clone())));
            }
            setup.provider(provider);
        });
        let got = exchange.chat(json!({}));
        assert_eq!(got.status, 200, "{lines}: {}", got.text());
        let entry = exchange.upstream()[0].clone();
        let expected = if lines.contains("api_version") {
            "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
        } else {
            "/openai/v1/chat/completions"
        };
        assert!(entry.path.ends_with(expected), "{}", entry.path);
        let has = |name: &str| entry.headers.iter().any(|(known, _)| known == name);
        assert_eq!(
            (has("api-key"), has("authorization")),
            (!is_token, is_token)
        );
        let spent = exchange.worth(CHEAP);
        exchange.finish(spent);
    }
}

/// A second of life is what matters; an hour would do the same.
#[test]
fn tokens_end_in_the_middle_of_load_and_no_call_notices() {
    let google = Google::new(json!({"token_life_s": 3}));
    let exchange = Exchange::start(|setup| {
        let script = checks_tokens(json!({"tokens": 4, "token_ms": 20}));
        google.of(setup, vertex(GEMINI, "gemini", script));
    });
    let end = Instant::now() + Duration::from_secs(9);
    let calls: usize = std::thread::scope(|scope| {
        let exchange = &exchange;
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let mut calls = 0;
                    while Instant::now() < end {
                        exchange.stream(json!({})).complete();
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .sum()
    });
    assert!(calls > 20, "{calls}");
    let asked = google.asked();
    assert!((3..=12).contains(&asked), "{asked} tokens in nine seconds");
    assert!(!exchange.server.log().contains("no_token"));
    secret_free(&exchange, &google);
    exchange.close();
}

#[test]
fn a_revoked_account_is_one_alarm_and_few_questions_and_calls_go_elsewhere() {
    let google = Google::new(json!({"token_life_s": 2}));
    let mut exchange = Exchange::start(|setup| {
        google.of(
            setup,
            vertex(GEMINI, "gemini", checks_tokens(json!({"tokens": 2}))),
        );
        setup.provider(Provider::new("dear", DEAR, script(json!({"tokens": 2}))));
    });
    exchange.server.may_log_errors = true;
    let over = || json!({"provider": {"order": ["google-vertex", "dear"]}});
    assert_eq!(exchange.chat(over()).json()["provider"], "Google");
    google.becomes(json!({"error_status": 400, "error_message": "Account has been deleted"}));
    eventually("the alarm", || {
        exchange
            .server
            .log()
            .contains("Account has been deleted")
            .then_some(())
    });
    // The last token ends.
    std::thread::sleep(Duration::from_secs(3));
    let before = google.asked();
    for _ in 0..30 {
        let got = exchange.chat(over());
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.json()["provider"], "dear");
        assert!(!got.text().contains("deleted"), "{}", got.text());
    }
    assert!(
        google.asked() <= before + 1,
        "{} after {before}",
        google.asked()
    );
    let log = exchange.server.log();
    assert_eq!(log.matches("alarm=\"no_token\"").count(), 1, "{log}");
    assert!(!log.contains("credential_refused"), "{log}");
    exchange.close();
}

#[test]
fn a_wrong_clock_is_named_where_a_claim_is_refused() {
    for (ahead, said) in [
        (600, "behind the service's"),
        (-600, "ahead of the service's"),
    ] {
        let google = Google::new(json!({"clock_ahead_s": ahead}));
        let mut exchange = Exchange::start(|setup| {
            google.of(setup, vertex(GEMINI, "gemini", checks_tokens(json!({}))));
        });
        exchange.server.may_log_errors = true;
        let got = exchange.chat(json!({}));
        assert!(got.status >= 500, "{}", got.text());
        assert!(!got.text().contains("clock"), "{}", got.text());
        let log = eventually("the log to say why", || {
            let log = exchange.server.log();
            log.contains(said).then_some(log)
        });
        assert!(log.contains("clock is "), "{log}");
        // Whoever looks with the command is told the same.
        let output = bourse()
            .args(["doctor", "--config"])
            .arg(&exchange.config)
            .env("THE_ACCOUNT", &google.json)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && told.contains(said), "{told}");
        exchange.finish(0);
    }
}

#[test]
fn a_token_service_that_is_broken_sends_calls_elsewhere_until_it_is_well() {
    for fields in [
        json!({"error_status": 500}),
        json!({"malformed_after_tokens": 0}),
        json!({"html_error": true, "error_status": 503}),
    ] {
        let google = Google::new(fields);
        let mut exchange = Exchange::start(|setup| {
            google.of(
                setup,
                vertex(GEMINI, "gemini", checks_tokens(json!({"tokens": 2}))),
            );
            setup.provider(Provider::new("dear", DEAR, script(json!({"tokens": 2}))));
        });
        exchange.server.may_log_errors = true;
        let over = || json!({"provider": {"order": ["google-vertex", "dear"]}});
        assert_eq!(exchange.chat(over()).json()["provider"], "dear");
        google.becomes(
            json!({"error_status": null, "malformed_after_tokens": null, "html_error": false}),
        );
        eventually("a token", || {
            exchange
                .server
                .log()
                .contains("gives tokens again")
                .then_some(())
        });
        eventually("calls to come back", || {
            std::thread::sleep(Duration::from_millis(200));
            (exchange.chat(over()).json()["provider"] == "Google").then_some(())
        });
        exchange.close();
    }
}

#[test]
fn a_token_that_the_cloud_refuses_is_replaced_before_its_end() {
    // A year's token, which the cloud takes for ended.
    let google = Google::new(json!({"token_life_s": 100_000, "clock_ahead_s": 0}));
    let mut exchange = Exchange::start(|setup| {
        let script = checks_tokens(json!({"error_status": 401, "fail_first": 1, "error_rate": 0}));
        google.of(setup, vertex(GEMINI, "gemini", script));
        setup.provider(Provider::new("dear", DEAR, script_of_two()));
    });
    exchange.server.may_log_errors = true;
    let over = json!({"provider": {"order": ["google-vertex", "dear"]}});
    assert_eq!(exchange.chat(over).json()["provider"], "dear");
    // Not at once: its service shall not pay for a cloud that is wrong.
    assert_eq!(google.asked(), 1);
    eventually("another token", || (google.asked() == 2).then_some(()));
    exchange.close();
}

#[test]
fn a_section_that_does_not_change_keeps_its_token_and_one_that_goes_takes_its_alarm_along() {
    let google = Google::new(json!({}));
    let mut exchange = Exchange::start(|setup| {
        let script = checks_tokens(json!({"tokens": 2}));
        google.of(setup, vertex(GEMINI, "gemini", script));
        setup.provider(Provider::new("dear", DEAR, script_of_two()));
    });
    exchange.server.may_log_errors = true;
    assert_eq!(exchange.chat(json!({})).status, 200);
    let in_force = |times: usize| {
        eventually("the configuration to be in force", || {
            let log = exchange.server.log();
            (log.matches("new configuration in force").count() == times).then_some(())
        });
    };
    let text = std::fs::read_to_string(&exchange.config).unwrap();
    std::fs::write(&exchange.config, format!("{text}\n# the same\n")).unwrap();
    in_force(1);
    assert_eq!(exchange.chat(json!({})).status, 200);
    assert_eq!(google.asked(), 1);
    // Another identity, which is refused, and then none.
    google.becomes(json!({"error_status": 403}));
    let other = text.replace(
        "europe-west4\"\ncredentials = { env = \"THE_ACCOUNT\" }",
        "global\"\nproject = \"p\"\ncredentials = { file = \"FILE\" }",
    );
    let path = exchange.dir.path().join("other.json");
    let account = google.json.replace("bot@", "other@");
    std::fs::write(&path, account).unwrap();
    std::fs::write(
        &exchange.config,
        other.replace("FILE", path.to_str().unwrap()),
    )
    .unwrap();
    in_force(2);
    eventually("the alarm", || {
        exchange
            .server
            .log()
            .contains("no new token for service account other@")
            .then_some(())
    });
    let keyed = text.replace(
        "credentials = { env = \"THE_ACCOUNT\" }",
        "project = \"p\"\napi_key = \"k\"",
    );
    std::fs::write(&exchange.config, keyed).unwrap();
    in_force(3);
    eventually("the end of the alarm", || {
        exchange
            .server
            .log()
            .contains("gives tokens again")
            .then_some(())
    });
    exchange.close();
}

fn script_of_two() -> Script {
    script(json!({"tokens": 2}))
}

#[test]
fn a_section_of_a_cloud_says_what_is_wrong_with_it() {
    let (pem, _) = keys();
    let account =
        json!({"type": "service_account", "client_email": "a", "private_key": pem}).to_string();
    for (section, lines, problem) in [
        (
            "google-vertex",
            "credentials = \"machine\"",
            "google-vertex.project",
        ),
        (
            "google-vertex",
            "credentials = { env = \"THE_ACCOUNT\" }",
            "google-vertex.project",
        ),
        (
            "google-vertex",
            "project = \"p\"\nregion = \"EU West\"\napi_key = \"k\"",
            "no location",
        ),
        (
            "google-vertex",
            "region = \"us-east5\"\napi_key = \"k\"",
            "takes a project",
        ),
        (
            "google-vertex",
            "project = \"p\"\ncredentials = { file = \"/nowhere.json\" }",
            "/nowhere.json",
        ),
        (
            "google-vertex",
            "project = \"p\"\ncredentials = { profile = \"x\" }",
            "`profile` means nothing",
        ),
        (
            "google-vertex",
            "project = \"p\"\ncredentials = \"sk-in-the-wrong-place\"",
            "expected \"default\", \"machine\" or a table",
        ),
        (
            "google-vertex",
            "project = \"p\"\napi_key = \"k\"\ncredentials = \"machine\"",
            "goes without keys",
        ),
        ("openai", "credentials = \"default\"", "takes keys alone"),
        ("amazon-bedrock", "project = \"p\"", "no project"),
        (
            "amazon-bedrock",
            "credentials = { profile = \"nobody\" }",
            "`nobody` has no credentials",
        ),
        (
            "mine",
            "base_url = \"https://x.example\"\nkind = \"azure-openai\"\napi_version = \"v 1\"",
            "mine.api_version",
        ),
        (
            "mine",
            "base_url = \"https://x.example\"\nformat = \"openai-chat\"\ncredentials = \"default\"",
            "kind = \"azure-openai\"",
        ),
        (
            "mine",
            "base_url = \"https://x.example\"\nkind = \"azure-openai\"\ncredentials = { tenant_id = \"t\" }",
            "client_id: required",
        ),
        (
            "mine",
            "base_url = \"https://x.example\"\nkind = \"cloudy\"",
            "azure-openai",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bourse.toml");
        std::fs::write(&path, format!("[providers.{section}]\n{lines}\n")).unwrap();
        let output = bourse()
            .args(["check", "--config"])
            .arg(&path)
            .env("THE_ACCOUNT", &account)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{lines}");
        assert!(told.contains(problem), "{lines}: {told}");
        assert!(!told.contains("sk-in"), "{told}");
    }
}

/// What lies in the environment for other programs is nobody's business.
#[test]
fn nothing_is_picked_up_in_silence() {
    let services = services(&[("aws", json!({}))]);
    let exchange = Exchange::start(|setup| {
        setup.env = vec![
            ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            (
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                forever(services.provider_url("aws")),
            ),
        ];
        setup.provider(Provider::new("dear", DEAR, script_of_two()));
    });
    let got = exchange.get("/api/v1/models");
    assert_eq!(got.status, 200);
    for slug in ["google-vertex", "amazon-bedrock"] {
        assert!(!got.text().contains(slug), "{slug} is sold");
    }
    assert_eq!(services.log().len(), 0);
    exchange.finish(0);
}
