//! `[alarms]`: who is told what an operator must know.

use std::fmt;
use std::time::Duration;

use bourse_net::Origin;

use super::checked::{SECRET_MADE_BY, address, key};
use super::raw::RawAlarms;
use super::{Environment, RawSecret};

/// How often what lasts is told again, in minutes.
const REPEAT_MINUTES: u64 = 60;
/// Who is told, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarms {
    /// How often an alarm that lasts is told again.
    pub repeat: Duration,
    /// Who is told beside the log.
    pub webhook: Option<Webhook>,
}

/// Where alarms are sent to. What is behind its origin may be a secret, as the
/// addresses of chat services are, and prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Scheme, host and port.
    pub origin: Origin,
    /// Path and query.
    pub path: String,
    /// With what they are signed.
    pub key: Vec<u8>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("origin", &self.origin)
            .field("path", &"***")
            .field("key", &"***")
            .finish()
    }
}

/// Makes sense of it, or notes what makes none.
pub(super) fn resolve(
    raw: &RawAlarms,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> Alarms {
    let minutes = raw.repeat_minutes.unwrap_or(REPEAT_MINUTES);
    let mut read = |name: &str, given: &RawSecret| {
        let text = given.resolve(environment);
        text.map_err(|problem| problems.push(format!("alarms.{name}: {problem}")))
            .ok()
    };
    let webhook = raw
        .webhook
        .as_ref()
        .and_then(|given| read("webhook", given));
    let secret = raw.secret.as_ref().and_then(|given| read("secret", given));
    let mut note = |name: &str, problem: &str| problems.push(format!("alarms.{name}: {problem}"));
    match (&raw.webhook, &raw.secret) {
        (Some(_), None) => note(
            "secret",
            &format!(
                "is missing: what is sent to alarms.webhook is signed with it; `{SECRET_MADE_BY}` makes one"
            ),
        ),
        (None, Some(_)) => note("secret", "there is no alarms.webhook"),
        _ => {}
    }
    let address = webhook.and_then(|text| address(&text).map_err(|why| note("webhook", &why)).ok());
    let key = secret.and_then(|text| key(&text).map_err(|why| note("secret", &why)).ok());
    Alarms {
        repeat: Duration::from_secs(minutes.saturating_mul(60)),
        webhook: address
            .zip(key)
            .map(|((origin, path), key)| Webhook { origin, path, key }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn parse(lines: &str, variables: &[(&str, &str)]) -> Result<Alarms, String> {
        let environment = Environment::from_iter(variables.iter().copied());
        let text = format!("[log]\nlevel = \"info\"\n[alarms]\n{lines}\n");
        Config::parse("bourse.toml", &text, &environment)
            .map(|config| config.alarms)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_webhook_is_an_address_and_a_secret_and_neither_is_printed() {
        let written = format!("webhook = \"https://ops.example.com/t0ken\"\nsecret = \"{SECRET}\"");
        let variables = [("HOOK", "https://ops.example.com/t0ken\n"), ("KEY", SECRET)];
        let named = "webhook = { env = \"HOOK\" }\nsecret = { env = \"KEY\" }";
        let alarms = parse(&written, &[]).unwrap();
        assert_eq!(parse(named, &variables).unwrap(), alarms);
        let webhook = alarms.webhook.as_ref().unwrap();
        assert_eq!(webhook.path, "/t0ken");
        assert_eq!(webhook.key, b"0123456789abcdef0123456789abcdef");
        assert_eq!(alarms.repeat, Duration::from_secs(3_600));
        let printed = format!("{alarms:?}");
        assert!(printed.contains("ops.example.com"), "{printed}");
        for hidden in ["t0ken", "MDEy", "48, 49"] {
            assert!(!printed.contains(hidden), "{printed}");
        }
        assert_eq!(parse("", &[]).unwrap().webhook, None);
    }

    #[test]
    fn nonsense_is_refused_with_its_line_and_is_not_repeated() {
        let short = "whsec_c2hvcnQ=";
        for (lines, said) in [
            ("webhook = \"ops-t0ken\"", "alarms.webhook: not a valid"),
            ("webhook = \"ftp://x/t0ken\"", "alarms.webhook: only http"),
            (
                "webhook = \"https://user:t0ken@x/\"",
                "alarms.webhook: a URL may not carry",
            ),
            (
                "webhook = 7",
                "bourse.toml:4:11: alarms.webhook: expected a string",
            ),
            ("secret = \"t0ken\"", "alarms.secret: a secret is `whsec_`"),
            (
                &format!("secret = \"{short}\""),
                "alarms.secret: a secret is",
            ),
            (
                "repeat_minutes = 0",
                "alarms.repeat_minutes: 0 is not between 1 and 1440",
            ),
            ("repeat_minutes = -5", "alarms.repeat_minutes: -5 is not"),
            (
                "repeat_minutes = 1441",
                "alarms.repeat_minutes: 1441 is not",
            ),
            (
                "colour = \"red\"",
                "bourse.toml:4:1: alarms.colour: unknown key",
            ),
            (
                "webhook = \"https://x/\"",
                "alarms.secret: is missing: what is sent",
            ),
            (
                &format!("secret = \"{SECRET}\""),
                "alarms.secret: there is no alarms.webhook",
            ),
            (
                "webhook = { env = \"NONE\" }\nsecret = { env = \"KEY\" }",
                "alarms.webhook: the environment variable NONE is not set",
            ),
            (
                "webhook = { env = \"BAD\" }\nsecret = { env = \"KEY\" }",
                "alarms.webhook: not a valid absolute URL",
            ),
        ] {
            let variables = [("KEY", SECRET), ("BAD", "ops-t0ken")];
            let refused = parse(lines, &variables).unwrap_err();
            assert!(refused.contains(said), "{lines}: {refused}");
            for hidden in ["t0ken", "c2hv", "MDEy"] {
                assert!(!refused.contains(hidden), "{lines}: {refused}");
            }
        }
    }

    #[test]
    fn a_variable_gives_what_the_file_leaves_out() {
        let variables = [("BOURSE_ALARMS__SECRET", SECRET)];
        let alarms = parse("webhook = \"https://x/\"", &variables).unwrap();
        assert!(alarms.webhook.is_some());
        let nonsense = [("BOURSE_ALARMS__SECRET", "t0ken")];
        let refused = parse("webhook = \"https://x/\"", &nonsense).unwrap_err();
        assert!(refused.contains("BOURSE_ALARMS__SECRET"), "{refused}");
        assert!(!refused.contains("t0ken"), "{refused}");
    }
}
