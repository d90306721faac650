//! `[net]`: by which road providers and all others are reached.

use std::sync::Arc;

use bourse_net::{Exception, Proxy, Roads, Via};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Environment, RawSecret};

/// What stands in place of a proxy's address where none is to be used.
const NONE: &str = "none";
/// Who may be reached without the proxy; each is compared with every origin
/// that a connection is opened to.
const EXCEPTIONS_MAX: usize = 256;

/// `[net]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawNet {
    /// The proxy through which everything is reached that is elsewhere, such as
    /// `http://user:password@proxy:3128`, or `none`. Default: `HTTPS_PROXY` and
    /// `HTTP_PROXY`.
    pub proxy: Option<RawSecret>,
    /// Who is reached without it: names with all below them, addresses,
    /// networks, `*`. Default: `NO_PROXY`.
    pub no_proxy: Option<Vec<String>>,
}

/// Makes sense of it and of the variables, or notes what makes none.
pub(super) fn resolve(
    raw: &RawNet,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> Arc<Roads> {
    let (http, https) = match &raw.proxy {
        Some(secret) => {
            let both = secret
                .resolve(environment)
                .and_then(|text| via(&text, "net.proxy"));
            let both = both.unwrap_or_else(|problem| {
                problems.push(format!("net.proxy: {problem}"));
                Via::Straight
            });
            let both = match both {
                Via::Proxy(proxy) => Some(proxy),
                Via::Straight => None,
            };
            (both.clone(), both)
        }
        None => {
            let mut of = |names| ambient(names, environment, problems);
            let https = of(["https_proxy", "HTTPS_PROXY"]);
            (of(["http_proxy", "HTTP_PROXY"]), https)
        }
    };
    Arc::new(Roads {
        http,
        https,
        exceptions: exceptions(raw, environment, problems),
    })
}

/// A proxy's address, or none.
pub(super) fn via(text: &str, written_at: &str) -> Result<Via, String> {
    if text == NONE {
        return Ok(Via::Straight);
    }
    let proxy = Proxy::parse(text, written_at);
    proxy.map(Via::Proxy).map_err(|error| error.to_string())
}

/// The first of the variables that says something.
///
/// A CGI program must not believe `HTTP_PROXY`: its web server makes that
/// variable of a caller's `Proxy` header. This server is none: nobody puts
/// headers into its environment, which is read once, before it listens.
fn ambient(
    names: [&str; 2],
    environment: &Environment,
    problems: &mut Vec<String>,
) -> Option<Proxy> {
    let (name, text) = first(names, environment, problems)?;
    match Proxy::parse(text, name) {
        Ok(proxy) => Some(proxy),
        Err(error) => {
            problems.push(format!(
                "the environment variable {name}: {error}; write net.proxy = \"{NONE}\" to go without it"
            ));
            None
        }
    }
}

fn first<'a>(
    names: [&'a str; 2],
    environment: &'a Environment,
    problems: &mut Vec<String>,
) -> Option<(&'a str, &'a str)> {
    for name in names {
        match environment.get(name) {
            Ok(Some(text)) if !text.trim().is_empty() => return Some((name, text.trim())),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    None
}

fn exceptions(
    raw: &RawNet,
    environment: &Environment,
    problems: &mut Vec<String>,
) -> Vec<Exception> {
    let (place, given): (&str, Vec<&str>) = match &raw.no_proxy {
        Some(given) => ("net.no_proxy", given.iter().map(String::as_str).collect()),
        None => match first(["no_proxy", "NO_PROXY"], environment, problems) {
            Some((name, text)) => (name, text.split([',', ' ']).collect()),
            None => return Vec::new(),
        },
    };
    let given: Vec<_> = given
        .into_iter()
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .collect();
    if given.len() > EXCEPTIONS_MAX {
        problems.push(format!("{place}: at most {EXCEPTIONS_MAX} of them"));
    }
    let mut exceptions = Vec::new();
    for one in given {
        match one.parse() {
            Ok(exception) => exceptions.push(exception),
            Err(error) => problems.push(format!("{place}: `{one}` {error}")),
        }
    }
    exceptions
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bourse_net::Roads;

    use super::super::{Config, Environment};

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Arc<Roads>, String> {
        let environment = Environment::from_iter(variables.iter().copied());
        Config::parse("bourse.toml", text, &environment)
            .map(|config| config.roads)
            .map_err(|error| error.to_string())
    }

    fn shown(roads: &Roads) -> (String, String, usize) {
        let show = |proxy: &Option<bourse_net::Proxy>| {
            proxy.as_ref().map_or_else(String::new, ToString::to_string)
        };
        (
            show(&roads.http),
            show(&roads.https),
            roads.exceptions.len(),
        )
    }

    #[test]
    fn the_file_goes_before_variables_and_each_may_be_in_either_case() {
        let variables = [
            ("HTTPS_PROXY", "http://upper.example:1"),
            ("https_proxy", "lower.example:2"),
            ("HTTP_PROXY", " http://plain.example:3 "),
            ("NO_PROXY", "corp.example, 10.0.0.0/8,,localhost"),
        ];
        let (http, https, exceptions) = shown(&read("", &variables).unwrap());
        assert_eq!(http, "http://plain.example:3");
        assert_eq!(https, "http://lower.example:2");
        assert_eq!(exceptions, 3);
        let text = "[net]\nproxy = \"http://u:p@own.example:4\"\nno_proxy = [\"*\"]\n";
        let own = "http://own.example:4".to_owned();
        let roads = read(text, &variables).unwrap();
        assert_eq!(shown(&roads), (own.clone(), own, 1));
        let roads = read("[net]\nproxy = \"none\"\n", &variables).unwrap();
        assert_eq!(shown(&roads), (String::new(), String::new(), 3));
        assert_eq!(shown(&read("", &[("HTTPS_PROXY", "")]).unwrap()).1, "");
        let text = "[net]\nproxy = { env = \"P\" }\n";
        let roads = read(text, &[("P", "http://u:geheim@p.example:1\n")]).unwrap();
        assert_eq!(shown(&roads).0, "http://p.example:1");
        assert!(!format!("{roads:?}").contains("geheim"));
    }

    #[test]
    fn nonsense_is_refused_by_its_place_and_without_its_password() {
        for (text, variables, said) in [
            (
                "[net]\nproxy = \"socks5://u:geheim@p:1\"",
                &[] as &[(&str, &str)],
                "net.proxy: a proxy is spoken to in plain HTTP",
            ),
            (
                "",
                &[("HTTPS_PROXY", "socks5h://u:geheim@p:1")],
                "HTTPS_PROXY: a proxy is spoken to in plain HTTP",
            ),
            ("", &[("NO_PROXY", "a/b")], "NO_PROXY: `a/b` is no name"),
            ("[net]\nno_proxy = [\"a b\"]", &[], "net.no_proxy: `a b`"),
            (
                "[providers.openai]\napi_key = \"k\"\nproxy = \"ftp://u:geheim@p\"",
                &[],
                "providers.openai.proxy: a proxy is spoken to",
            ),
        ] {
            let refused = read(text, variables).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
            assert!(!refused.contains("geheim"), "{refused}");
        }
    }
}
