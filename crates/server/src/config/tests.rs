use super::*;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse("bourse.toml", text, &Environment::default())
}

fn problems(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_contracts_example_is_understood() {
    let variables = Environment::from_iter([("OPENAI_API_KEY", "sk-test\n")]);
    let text = r#"
        [server]
        listen = "127.0.0.1:8787"
        data_dir = "data"

        [database]
        url = "sqlite"

        [providers.openai]
        api_key = { env = "OPENAI_API_KEY" }
        base_url = "http://127.0.0.1:9100/v1"

        [providers.my-vllm]
        format = "openai-chat"
        base_url = "http://127.0.0.1:8000/v1"

        [[models]]
        slug = "acme/llama"
        context_length = 8192
        [[models.endpoints]]
        provider = "my-vllm"
        upstream_model = "llama"
        price = { prompt = "0.10", completion = "0.40" }
    "#;
    let config = Config::parse("bourse.toml", text, &variables).unwrap();
    assert_eq!(config.providers.len(), 2);
    let openai = config
        .providers
        .iter()
        .find(|p| p.slug == "openai")
        .unwrap();
    assert_eq!(
        openai
            .keys
            .iter()
            .map(|given| given.key.expose())
            .collect::<Vec<_>>(),
        ["sk-test"]
    );
    assert!(!format!("{config:?}").contains("sk-test"));
    assert_eq!(config.overlay.models.len(), 1);
}

#[test]
fn a_provider_may_have_several_keys_and_each_is_checked() {
    let config =
        parse("[providers.openai]\napi_key = \"sk-one\"\napi_keys = [\"sk-two\", \"sk-three\"]\n")
            .unwrap();
    let keys: Vec<_> = config.providers[0]
        .keys
        .iter()
        .map(|given| given.key.expose())
        .collect();
    assert_eq!(keys, ["sk-one", "sk-two", "sk-three"]);
    assert!(!format!("{config:?}").contains("sk-"));
    for (keys, says) in [
        ("[\"sk-one\", \"sk-one\"]", "twice"),
        ("[{ env = \"NO_SUCH\" }]", "NO_SUCH"),
    ] {
        let problem = problems(&format!("[providers.openai]\napi_keys = {keys}\n"));
        assert!(
            problem.contains("providers.openai.api_keys") && problem.contains(says),
            "{problem}"
        );
        assert!(!problem.contains("sk-one"), "{problem}");
    }
    let many: Vec<_> = (0..17).map(|n| format!("\"sk-{n}\"")).collect();
    let problem = problems(&format!(
        "[providers.openai]\napi_keys = [{}]\n",
        many.join(",")
    ));
    assert!(problem.contains("at most 16"), "{problem}");
}

#[test]
fn a_key_may_weigh_more_than_another_and_a_weight_that_is_none_is_refused_with_its_line() {
    let config = parse(
        "[providers.openai]\napi_key = \"sk-one\"\napi_keys = [\n  { key = \"sk-two\", weight = 3 },\n  \"sk-three\",\n]\n",
    )
    .unwrap();
    let keys = config.providers[0].keys.iter();
    let weights: Vec<_> = keys
        .map(|given| (given.key.expose(), given.weight))
        .collect();
    assert_eq!(weights, [("sk-one", 1), ("sk-two", 3), ("sk-three", 1)]);
    assert!(!format!("{config:?}").contains("sk-"));
    for (key, says) in [
        (
            "{ key = \"sk\", weight = 0 }",
            "weight: 0 is not between 1 and 1000",
        ),
        ("{ key = \"sk\", weight = -1 }", "weight: -1 is not between"),
        (
            "{ key = \"sk\", weight = 1001 }",
            "weight: 1001 is not between",
        ),
        ("{ key = \"sk\", weight = 0.5 }", "expected a whole number"),
        ("{ key = \"sk\", weigth = 2 }", "weigth"),
        ("{ key = \"sk\", env = \"OTHER\" }", "only one of"),
        ("{ weight = 2 }", "expected `key`"),
        ("7", "weight = 1"),
    ] {
        let text = format!("[providers.openai]\napi_keys = [\n  \"sk-a\",\n  {key},\n]\n");
        let problem = problems(&text);
        assert!(problem.starts_with("bourse.toml:4:"), "{key}: {problem}");
        assert!(problem.contains(says), "{key}: {problem}");
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(config.data_dir, Path::new("data"));
    assert_eq!(config.markup_ppm, 0);
    assert_eq!(config.durability, Durability::Group);
    let journal = bourse_spool::Options::default();
    assert_eq!(config.sync_interval, journal.sync_interval);
}

#[test]
fn an_unknown_key_is_refused_with_file_and_line() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\nport = 80\n";
    let problem = problems(text);
    assert!(problem.starts_with("bourse.toml:3:"), "{problem}");
    assert!(problem.contains("port"), "{problem}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let problem = problems(
        r#"
        [server]
        listen = "here"
        [billing]
        markup_ppm = 99999999999
        [database]
        url = "mysql://x"
        [providers.mine]
        base_url = "ftp://x"
        [providers.other]
        format = "soap"
        base_url = "http://127.0.0.1:1"
        "#,
    );
    for part in [
        "server.listen",
        "billing.markup_ppm",
        "database.url",
        "providers.mine.base_url",
        "providers.mine.format",
        "providers.other.format",
    ] {
        assert!(problem.contains(part), "{part} in {problem}");
    }
}

#[test]
fn a_missing_secret_names_its_place_and_secrets_never_print() {
    let problem = problems("[providers.openai]\napi_key = { env = \"NO_SUCH\" }\n");
    assert!(
        problem.contains("providers.openai.api_key") && problem.contains("NO_SUCH"),
        "{problem}"
    );
    let config = parse("[providers.openai]\napi_key = \"sk-secret\"\n").unwrap();
    assert!(!format!("{config:?}").contains("sk-secret"));
    let problem = problems("[providers.openai]\napi_key = { vault = \"x\" }\n");
    assert!(problem.contains("{ env = \"NAME\" }"), "{problem}");
}

#[test]
fn variables_override_the_file_and_name_themselves_when_wrong() {
    let set = |name: &str, value: &str| Environment::from_iter([(name, value)]);
    let config = Config::parse(
        "f",
        "[server]\nlisten = \"127.0.0.1:1\"\n",
        &set("BOURSE_SERVER__LISTEN", "127.0.0.1:2"),
    )
    .unwrap();
    assert_eq!(config.listen.port(), 2);
    let config = Config::parse("f", "", &set("BOURSE_BILLING__MARKUP_PPM", "55000")).unwrap();
    assert_eq!(config.markup_ppm, 55_000);
    let problem = Config::parse("f", "", &set("BOURSE_SERVER__PORT", "1"))
        .unwrap_err()
        .to_string();
    assert!(problem.contains("BOURSE_SERVER__PORT"), "{problem}");
}

#[test]
fn the_sample_file_is_understood_and_states_the_defaults() {
    let config = parse(include_str!("../../../../bourse.example.toml")).unwrap();
    let defaults = parse("").unwrap();
    assert_eq!(config.listen, defaults.listen);
    assert_eq!(config.data_dir, defaults.data_dir);
    assert_eq!(config.markup_ppm, defaults.markup_ppm);
    assert_eq!(config.durability, defaults.durability);
    assert_eq!(config.sync_interval, defaults.sync_interval);
    assert_eq!(config.log_level, defaults.log_level);
    assert_eq!(config.cache_bytes_max, defaults.cache_bytes_max);
    assert_eq!(
        format!("{:?}", config.limits),
        format!("{:?}", defaults.limits)
    );
    // The vendors in it are switched off; what is left needs no key.
    let slugs: Vec<_> = config.providers.iter().map(|p| p.slug.as_str()).collect();
    assert_eq!(slugs, ["local"]);
    assert_eq!(
        config.disabled,
        [
            "amazon-bedrock",
            "anthropic",
            "google-vertex",
            "my-azure",
            "openai"
        ]
    );
    crate::market::catalog(&config).unwrap();
}

#[test]
fn a_variable_that_is_not_utf_8_is_a_sentence_where_it_counts_and_nothing_elsewhere() {
    use std::os::unix::ffi::OsStringExt as _;
    let load = |name: &str, text: &str| {
        let value = std::ffi::OsString::from_vec(b"sk-\xff".to_vec());
        let environment = Environment::from_iter([(name, value)]);
        Config::parse("f", text, &environment)
    };
    load("LS_COLORS", "").unwrap();
    let secret = "[providers.openai]\napi_key = { env = \"MY_KEY\" }\n";
    for (name, text) in [
        ("BOURSE_SERVER__LISTEN", ""),
        ("OPENAI_API_KEY", ""),
        ("MY_KEY", secret),
    ] {
        let problem = load(name, text).unwrap_err().to_string();
        assert!(problem.contains(name), "{problem}");
        assert!(problem.contains("is not valid UTF-8"), "{problem}");
    }
    // A provider that is switched off does not look for its key.
    load("OPENAI_API_KEY", "[providers.openai]\ndisabled = true\n").unwrap();
}

#[test]
fn a_key_in_a_providers_own_variable_counts_unless_it_is_empty_or_switched_off() {
    let found = |value: &str, text: &str| {
        let environment = Environment::from_iter([("OPENAI_API_KEY", value)]);
        let config = Config::parse("f", text, &environment).unwrap();
        let key = config.ambient_keys.get("openai");
        key.map(|found| found.key.expose().to_owned())
    };
    assert_eq!(found("sk-ambient", "").as_deref(), Some("sk-ambient"));
    assert_eq!(found("  ", ""), None);
    assert_eq!(
        found("sk-ambient", "[providers.openai]\ndisabled = true\n"),
        None
    );
}

#[test]
fn every_limit_is_refused_by_its_name_when_out_of_range() {
    for line in [
        "server.workers = 0",
        "server.workers = 257",
        "server.body_bytes_max = 1023",
        "server.body_bytes_max = 1073741825",
        "server.head_timeout_ms = 0",
        "server.idle_timeout_ms = 3600001",
        "server.body_timeout_ms = 600001",
        "server.write_timeout_ms = 600001",
        "routing.first_token_timeout_ms = 3600001",
        "routing.last_first_token_timeout_ms = 0",
        "routing.idle_timeout_ms = 3600001",
        "routing.connect_timeout_ms = 60001",
        "routing.keep_alive_after_ms = 60001",
        "routing.drain_timeout_ms = 0",
        "server.stop_timeout_ms = 0",
        "server.drains_max = 65537",
        "cache.bytes_max = 1",
        "cache.bytes_max = 8388607",
        "cache.bytes_max = 68719476737",
        "deadlines.connect_ms = 60001",
        "deadlines.head_ms = 0",
        "deadlines.first_sign_ms = 3600001",
        "deadlines.idle_ms = 3600001",
        "deadlines.whole_ms = 0",
        "deadlines.keep_alive_ms = 60001",
        "deadlines.drain_ms = 3600001",
        "billing.markup_ppm = 10000001",
        "ledger.durability = \"never\"",
        "ledger.sync_interval_ms = 0",
        "ledger.sync_interval_ms = 1001",
        "retention.calls_days = 1",
        "retention.calls_days = 36501",
        "log.format = \"xml\"",
        "providers.openai.http2 = \"always\"",
        "providers.openai.on_disconnect = \"wait\"",
        "providers.openai.prefill = \"prefix\"",
    ] {
        let wrong = parse(line).unwrap_err();
        let key = line.split(' ').next().unwrap();
        let [problem] = wrong.0.as_slice() else {
            panic!("{wrong}");
        };
        assert_eq!(problem.key, key, "{problem}");
    }
}

#[test]
fn a_reload_names_what_only_a_restart_takes_over() {
    let running = parse("").unwrap();
    let waiting = |text: &str| waiting_for_restart(&running, &parse(text).unwrap());
    assert!(waiting("").is_empty());
    // Taken over at once.
    assert!(waiting("billing.markup_ppm = 5").is_empty());
    assert!(waiting("providers.openai.disabled = true").is_empty());
    for line in [
        "server.listen = \"127.0.0.1:9\"",
        "server.data_dir = \"elsewhere\"",
        "server.workers = 255",
        "server.body_bytes_max = 4096",
        "server.bodies_bytes_max = 1073741824",
        "server.body_rate_min = 1",
        "server.hosts = [\"a.example\"]",
        "server.head_timeout_ms = 1",
        "server.idle_timeout_ms = 1",
        "server.body_timeout_ms = 1",
        "server.write_timeout_ms = 1",
        "server.stop_timeout_ms = 1",
        "server.drains_max = 1",
        "cache.bytes_max = 0",
        "deadlines.connect_ms = 1",
        "deadlines.head_ms = 1",
        "deadlines.first_sign_ms = 1",
        "deadlines.idle_ms = 1",
        "deadlines.whole_ms = 1",
        "deadlines.keep_alive_ms = 1",
        "deadlines.drain_ms = 1",
        "ledger.durability = \"always\"",
        "ledger.sync_interval_ms = 100",
        "retention.calls_days = 90",
        "log.format = \"json\"",
        "log.level = \"debug\"",
    ] {
        let key = line.split(' ').next().unwrap();
        assert_eq!(waiting(line), [key], "{line}");
    }
}

#[test]
fn the_database_is_one_address_a_secret_or_a_list() {
    let variables = Environment::from_iter([
        ("DATABASE_URL", "postgres://bourse:hunter2@db1/bourse"),
        ("BOURSE_DATABASE__URL", ""),
    ]);
    let of = |url: &str| {
        let text = format!("[database]\nurl = {url}\n");
        let variables = [("DATABASE_URL", "postgres://bourse:hunter2@db1/bourse")];
        let variables = Environment::from_iter(variables);
        Config::parse("bourse.toml", &text, &variables).map(|config| config.database)
    };
    assert_eq!(of("\"sqlite\"").unwrap(), DatabaseUrl::default());
    let named = of("{ env = \"DATABASE_URL\" }").unwrap();
    let written = of("\"postgres://bourse:hunter2@db1/bourse\"").unwrap();
    assert_eq!(named, written);
    assert_ne!(named, DatabaseUrl::default());
    let shown = format!("{named:?}");
    assert!(
        shown.contains("db1") && !shown.contains("hunter2"),
        "{shown}"
    );
    let list = of("[{ env = \"DATABASE_URL\" }, \"postgres://db2/bourse\"]").unwrap();
    let shown = format!("{list:?}");
    assert!(shown.contains("db1") && shown.contains("db2"), "{shown}");
    // Empty is what an unset variable often is.
    let empty = Config::parse("bourse.toml", "", &variables).unwrap_err();
    assert!(empty.to_string().contains("database.url: "), "{empty}");
}

#[test]
fn a_database_that_is_none_is_refused_with_its_key_and_what_is_possible() {
    for url in [
        "\"mysql://root:hunter2@host/db\"",
        "[\"sqlite\", \"postgres://db/x\"]",
        "[]",
        "{ env = \"NOT_SET\" }",
        "\"postgres://bourse:hunter2@db:notaport/x\"",
    ] {
        let found = problems(&format!("[database]\nurl = {url}\n"));
        assert!(found.contains("database.url"), "{url}: {found}");
        assert!(!found.contains("hunter2"), "{url}: {found}");
    }
    let found = problems("[database]\nurl = \"mysql://h/d\"\n");
    assert!(
        found.contains("\"sqlite\"") && found.contains("postgres://"),
        "{found}"
    );
    let found = problems("[database]\nurl = 5\n");
    assert!(found.starts_with("bourse.toml:2:7: "), "{found}");
}

#[test]
fn former_names_of_deadlines_are_understood() {
    for (former, now) in [
        ("routing.first_token_timeout_ms", "deadlines.first_sign_ms"),
        ("routing.last_first_token_timeout_ms", "deadlines.head_ms"),
        ("routing.idle_timeout_ms", "deadlines.idle_ms"),
        ("routing.connect_timeout_ms", "deadlines.connect_ms"),
        ("routing.keep_alive_after_ms", "deadlines.keep_alive_ms"),
        ("routing.drain_timeout_ms", "deadlines.drain_ms"),
    ] {
        let deadlines = |key: &str| parse(&format!("{key} = 7")).unwrap().limits.deadlines;
        assert_eq!(deadlines(former), deadlines(now), "{former}");
        assert_ne!(deadlines(former), Deadlines::default(), "{former}");
        // Two truths are none.
        let problem = problems(&format!("{former} = 7\n{now} = 7"));
        assert!(problem.contains(&format!("{former}: ")), "{problem}");
        assert!(problem.contains(now), "{problem}");
    }
}
