//! Mistakes that people make, each with the place and the sentence that it must
//! be told with. `«` stands where the mark belongs; what belongs to no place
//! has none.

use super::{Config, ConfigErrors, Environment, Level, Place, Problem, examine, told};

type Case = (&'static str, &'static str);

/// What is no TOML.
const LANGUAGE: &[Case] = &[
    ("[server]\nlisten = «127.0.0.1:8787", "in quotes"),
    ("[server]\nlisten: «\"127.0.0.1:8787\"", "not YAML"),
    ("[server«\nlisten = \"x\"", "not TOML"),
    (
        "[server]\nlisten = \"127.0.0.1:8787«\nworkers = 2",
        "close the quotes",
    ),
    ("[server]\nworkers =«\n", "write a value behind ="),
    (
        "[server]\nworkers = 1\n«workers = 2",
        "`workers` is there twice",
    ),
    (
        "[log]\nlevel = \"info\"\n[«log]\nformat = \"text\"",
        "`log` is there twice",
    ),
    ("[server]\nlisten = «“127.0.0.1:8787”", "plain quotes"),
    ("[server]\nworkers = «4 threads", "not TOML"),
    (
        "[server]\nsimulate = «yes",
        "in quotes; numbers, true and false without",
    ),
    (
        "[server]\nsimulate = «True",
        "in quotes; numbers, true and false without",
    ),
    (
        "[providers.openai]\napi_key = { env = \"A\"\n«[log]\n",
        "not TOML",
    ),
    ("server«", "not TOML"),
    ("[server]\nworkers = «0x", "no whole number"),
    ("[server]\nworkers = «08", "not TOML"),
    ("[server]\nlisten = \"a«\u{0}\"", "control character"),
    ("[server]\nlisten = \"\\x«\"", "not TOML"),
    ("[[models]]\nslug = \"a/b\"\nalias «\"x\"", "name = value"),
    ("«{ \"server\": { \"workers\": 2 } }", "not JSON"),
];

/// What has another shape.
const SHAPE: &[Case] = &[
    (
        "[server]\n«lisen = \"127.0.0.1:1\"",
        "did you mean `listen`?",
    ),
    ("[server]\n«port = 80", "unknown key"),
    ("[server]\n«markup_ppm = 1", "belongs into [billing]"),
    (
        "[«sever]\nlisten = \"127.0.0.1:1\"",
        "did you mean `server`?",
    ),
    (
        "[«provider.openai]\napi_key = \"sk\"",
        "did you mean `providers`?",
    ),
    ("«listen = \"127.0.0.1:1\"", "belongs into [server]"),
    (
        "[server]\n«Listen = \"127.0.0.1:1\"",
        "did you mean `listen`?",
    ),
    ("[server]\n«data-dir = \"x\"", "did you mean `data_dir`?"),
    ("[server]\nworkers = «\"4\"", "write it without quotes: 4"),
    (
        "[server]\nworkers = «4.5",
        "expected a whole number, found a number with a point",
    ),
    (
        "[server]\nworkers = «true",
        "expected a whole number, found true or false",
    ),
    ("[server]\nworkers = «-1", "-1 is negative"),
    (
        "[server]\nworkers = «[4]",
        "expected a whole number, found a list",
    ),
    (
        "[server]\nworkers = «99999999999999999999",
        "no whole number up to",
    ),
    ("[server]\nhead_timeout_ms = «\"10s\"", "milliseconds"),
    ("[server]\nsimulate = «\"true\"", "without quotes: true"),
    (
        "[server]\nsimulate = «1",
        "expected true or false, found a whole number",
    ),
    ("[server]\nlisten = «8787", "write it in quotes"),
    (
        "[server]\nlisten = «1979-05-27",
        "expected a string, found a date",
    ),
    ("[server]\nhosts = «\"a.example\"", "in brackets"),
    (
        "[server]\nhosts = [\"a.example\", «5]",
        "server.hosts[1]: expected a string",
    ),
    ("server = «5", "expected a table, found a whole number"),
    ("server = «[]", "expected a table, found a list"),
    ("[«models]\nslug = \"a/b\"", "[[models]]"),
    ("models = «5", "expected a list"),
    ("[[models]]\nslug = «7", "expected a string"),
    (
        "[[models]]\nslug = \"a/b\"\n«context = 5",
        "models[0] (a/b).context: unknown key",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n«contextlength = 5",
        "did you mean `context_length`?",
    ),
    (
        "[[models]]\nslug = \"a/b\"\ncontext_length = «\"8k\"",
        "expected a whole number",
    ),
    (
        "[[models]]\nslug = \"a/b\"\nendpoints = [{ provider = \"p\", «upstream = \"x\" }]",
        "models[0] (a/b).endpoints[0].upstream: unknown key",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = \"p\"\nprice = { prompt = «0.1 }",
        "write it in quotes",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = \"p\"\nprice = «\"free\"",
        "expected a table",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = \"p\"\nprice = { «promt = \"1\" }",
        "did you mean `prompt`?",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = \"p\"\ninterface = «\"chatt\"",
        "did you mean \"chat\"?",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = \"p\"\ndata_policy = { training = false, «retain = true }",
        "did you mean `retains`?",
    ),
    ("[providers]\nopenai = «\"sk-abc\"", "expected a table"),
    (
        "[providers.openai]\n«apikey = \"sk-abc\"",
        "did you mean `api_key`?",
    ),
    (
        "[providers.openai]\n«api_base = \"https://x/v1\"",
        "unknown key",
    ),
    (
        "[providers.openai]\n«baseurl = \"https://x/v1\"",
        "did you mean `base_url`?",
    ),
    ("[providers.openai]\napi_key = «5", "{ env = \"NAME\" }"),
    (
        "[providers.openai]\napi_key = «{ vault = \"x\" }",
        "{ env = \"NAME\" }",
    ),
    ("[providers.openai]\napi_key = «{}", "{ env = \"NAME\" }"),
    (
        "[providers.openai]\napi_key = «{ env = \"A\", file = \"b\" }",
        "{ env = \"NAME\" }",
    ),
    ("[providers.openai]\napi_keys = «\"sk-abc\"", "in brackets"),
    (
        "[providers.openai]\napi_keys = [{ key = \"a\", weight = «0 }]",
        "0 is not between 1 and 1000",
    ),
    (
        "[providers.openai]\ndisabled = «\"no\"",
        "expected true or false",
    ),
    (
        "[providers.google-vertex]\ncredentials = «\"sk-abc\"",
        "\"machine\"",
    ),
    (
        "[log]\ncalls = «\"fail\"",
        "is not one of \"none\", \"failed\", \"all\"",
    ),
    (
        "[log]\ncalls_per_s_max = «0",
        "0 is not between 1 and 100000",
    ),
    ("[telemetry]\nsample_ratio = «\"all\"", "expected a number"),
    ("[telemetry]\notlp_headers = «[\"a\"]", "expected a table"),
    (
        "[alarms]\nrepeat_minutes = «1441",
        "1441 is not between 1 and 1440",
    ),
    ("[alarms]\nwebhook = «\"ops\"", "not a valid absolute URL"),
    ("[options]\ncontinues = [«1]", "expected a string"),
    ("[admission]\nkey_calls_max = «4294967296", "too large"),
];

/// What makes no sense.
const MEANING: &[Case] = &[
    ("[server]\nworkers = «0", "0 is not between 1 and 256"),
    (
        "[server]\nlisten = «\"localhost\"",
        "is not an address such as",
    ),
    ("[server]\nlisten = «\":8787\"", "is not an address such as"),
    (
        "[server]\nhosts = [\"a.example\", \"b.example:80\"]«",
        "neither a name without a port",
    ),
    ("[server]\ndata_dir = «\"\"", "is empty"),
    ("[server]\ndata_dir = «\"/etc/passwd\"", "is no directory"),
    ("[server]\nbody_bytes_max = «5", "is not between 1024 and"),
    (
        "server = { idle_timeout_ms = «0 }",
        "0 is not between 1 and 3600000 ms",
    ),
    (
        "[database]\nurl = «\"mysql://h/d\"",
        "`mysql` is not supported",
    ),
    (
        "[database]\nurl = «\"sqlite:///x\"",
        "it is in server.data_dir; use \"sqlite\"",
    ),
    (
        "[database]\nurl = «\"$DATABASE_URL\"",
        "{ env = \"DATABASE_URL\" }",
    ),
    ("[billing]\nmarkup_ppm = «10000001", "55000 means 5.5 %"),
    (
        "[ledger]\ndurability = «\"never\"",
        "neither \"group\" nor \"always\"",
    ),
    (
        "[ledger]\nsync_interval_ms = «5000",
        "is not between 1 and 1000",
    ),
    ("[retention]\ncalls_days = «1", "is not between 2 and 36500"),
    ("[cache]\nbytes_max = «1", "neither 0 nor between"),
    ("[deadlines]\nhead_ms = «0", "0 is not between"),
    ("[log]\nlevel = «\"inof\"", "did you mean \"info\"?"),
    (
        "[log]\nlevel = «\"info,bourse=loud\"",
        "`bourse=loud` is neither",
    ),
    ("[log]\nformat = «\"xml\"", "neither \"text\" nor \"json\""),
    (
        "[providers.«opnai]\napi_key = \"sk-abc\"",
        "did you mean [providers.openai]?",
    ),
    (
        "[providers.«mine]\nformat = \"openai-chat\"",
        "mine.base_url: required",
    ),
    (
        "[providers.«mine]\nbase_url = \"http://127.0.0.1:1/v1\"",
        "mine.format: required",
    ),
    (
        "[providers.mine]\nbase_url = \"http://127.0.0.1:1/v1\"\nformat = «\"openai\"",
        "is not one of",
    ),
    (
        "[providers.mine]\nbase_url = «\"127.0.0.1:1\"\nformat = \"openai-chat\"",
        "base_url: ",
    ),
    (
        "[providers.mine]\nbase_url = «\"ftp://x\"\nformat = \"openai-chat\"",
        "only http",
    ),
    (
        "[providers.mine]\nbase_url = «\"http://${HOST}/v1\"\nformat = \"openai-chat\"",
        "a variable is not put in here",
    ),
    (
        "[providers.«\"Mine Own\"]\nbase_url = \"http://127.0.0.1:1/v1\"\nformat = \"openai-chat\"",
        "a provider's name has only",
    ),
    (
        "[providers.«\"a.b\"]\nbase_url = \"http://127.0.0.1:1/v1\"",
        "providers.a.b.format: required",
    ),
    ("[providers.openai]\napi_key = «\"\"", "the key is empty"),
    (
        "[providers.openai]\napi_key = «\"$OPENAI_API_KEY\"",
        "{ env = \"OPENAI_API_KEY\" }",
    ),
    (
        "[providers.openai]\napi_key = «\"${OPENAI_API_KEY}\"",
        "{ env = \"OPENAI_API_KEY\" }",
    ),
    (
        "[providers.openai]\napi_key = «\"os.environ/OPENAI_API_KEY\"",
        "{ env = \"OPENAI_API_KEY\" }",
    ),
    (
        "[providers.openai]\napi_key = «\"sk-a\\nsk-b\"",
        "a line break",
    ),
    (
        "[providers.openai]\napi_key = «{ env = \"NO_SUCH\" }",
        "NO_SUCH is not set",
    ),
    (
        "[providers.openai]\napi_key = «{ file = \"/no/such\" }",
        "/no/such: No such file",
    ),
    (
        "[providers.openai]\napi_keys = [\"sk-a\", «\"sk-a\"]",
        "api_keys[1]: the same key is there twice",
    ),
    (
        "[providers.openai]\nhttp2 = «\"always\"",
        "is not one of auto, never, prior",
    ),
    (
        "[providers.openai]\non_disconnect = «\"wait\"",
        "neither cancel nor drain",
    ),
    (
        "[providers.openai]\nprefill = «\"prefix\"",
        "this is for others",
    ),
    (
        "[providers.openai]\naccess_key_id = «\"a\"",
        "are not signed",
    ),
    (
        "[providers.openai]\nkind = «\"azure-openai\"",
        "not built in",
    ),
    (
        "[alarms]\nwebhook = «{ env = \"NO_SUCH\" }\nsecret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"",
        "NO_SUCH is not set",
    ),
    ("[telemetry]\nsample_ratio = «2", "is not between 0 and 1"),
    (
        "[videos]\ncallback_origins = [\"https://a.example/x\"]«",
        "an origin has no path",
    ),
    (
        "[admission]\nbatch_keys = [«\"abc\"]",
        "64 hexadecimal digits",
    ),
    (
        "[providers.local]\ndisabled = true\n[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = «\"local\"",
        "local is switched off",
    ),
];

/// What can be understood, and is hardly meant.
const DOUBTS: &[Case] = &[
    (
        "[providers.openai]\napi_key = \"sk\"\nbase_url = «\"https://api.openai.com/v1/chat/completions\"",
        "would be there twice",
    ),
    (
        "[providers.openai]\napi_key = \"sk\"\nbase_url = «\"https://api.openai.com\"",
        "the usual address is https://api.openai.com/v1",
    ),
    (
        "[providers.mine]\nbase_url = «\"http://127.0.0.1:1/\"\nformat = \"openai-chat\"",
        "http://127.0.0.1:1/v1",
    ),
    (
        "[providers.mine]\nbase_url = «\"http://169.254.169.254/v1\"\nformat = \"openai-chat\"",
        "metadata",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n[[models]]\nslug = «\"a/b\"",
        "models[0] has this name too",
    ),
    (
        "[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = «\"openai\"",
        "set OPENAI_API_KEY",
    ),
    (
        "[providers.openai]\ndisabled = true\n[[models]]\nslug = \"a/b\"\n[[models.endpoints]]\nprovider = «\"openai\"",
        "switched off",
    ),
];

/// What must not throw the reader off.
const ODD: &[Case] = &[
    ("\u{feff}[server]\nworkers = «0", "0 is not between"),
    ("[server]\r\nworkers = «0\r\n[log]\r\n", "0 is not between"),
    ("[server]\n\tworkers\t=\t«0", "0 is not between"),
    (
        "[server]\nlisten = \"127.0.0.1:1\" # äöü 日本\nworkers = «0",
        "0 is not between",
    ),
    (
        "server = { listen = \"127.0.0.1:1\", data_dir = \"ü\", workers = «0 }",
        "0 is not between",
    ),
    (
        "[server]\n«\"a\\u001b[31mb\" = 1",
        "a\\u{1b}[31mb: unknown key",
    ),
    ("[server]\n«\"a\\u202eb\" = 1", "a\\u{202e}b: unknown key"),
    ("[server]\n«\"\" = 1", "unknown key"),
];

fn examined(text: &str) -> (Vec<Problem>, Vec<Problem>) {
    let found = examine::examine("bourse.toml", text, &Environment::default());
    let warnings = found.config.map(|config| config.warnings);
    (found.errors, warnings.unwrap_or_default())
}

/// The place of the mark, and the text without it.
fn unmarked(marked: &str) -> (String, Option<(usize, usize)>) {
    let text = marked.replacen('«', "", 1);
    let place = marked.find('«').map(|at| {
        let before = marked[..at].trim_start_matches('\u{feff}');
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    });
    (text, place)
}

fn place(problem: &Problem) -> Option<(usize, usize)> {
    match problem.place {
        Place::File { line, column, .. } => Some((line, column)),
        _ => None,
    }
}

fn check(cases: &[Case], level: Level) {
    let mut wrong = String::new();
    for (marked, sentence) in cases {
        let (text, at) = unmarked(marked);
        let (errors, warnings) = examined(&text);
        let found = match level {
            Level::Error => &errors,
            Level::Warning => &warnings,
        };
        // A mark at the end of a line says: somewhere on it.
        let is_line = marked.contains("]«");
        let is_there = |problem: &&Problem| {
            let there = place(problem);
            (there == at || is_line && there.map(|(line, _)| line) == at.map(|(line, _)| line))
                && problem.to_string().contains(sentence)
        };
        let hits = found.iter().filter(is_there).count();
        let is_alone = errors.len() == usize::from(level == Level::Error);
        if hits != 1 || !is_alone {
            let all = ConfigErrors(errors.into_iter().chain(warnings).collect());
            wrong.push_str(&format!(
                "--- {marked}\nwanted {at:?} {sentence}\nfound {all}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn what_is_no_toml_is_told_with_its_place_and_a_remedy() {
    check(LANGUAGE, Level::Error);
}

#[test]
fn what_has_another_shape_is_told_with_its_place_in_plain_words() {
    check(SHAPE, Level::Error);
    for (marked, _) in SHAPE {
        let all = ConfigErrors(examined(&unmarked(marked).0).0).to_string();
        for word in [
            "usize",
            "u64",
            "i64",
            "sequence",
            "map",
            "invalid type",
            "variant",
        ] {
            assert!(!all.contains(word), "{all}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_told_with_the_place_of_its_value() {
    check(MEANING, Level::Error);
}

#[test]
fn what_is_hardly_meant_is_a_warning_and_no_error() {
    check(DOUBTS, Level::Warning);
}

#[test]
fn odd_texts_do_not_move_the_mark() {
    check(ODD, Level::Error);
    assert!(LANGUAGE.len() + SHAPE.len() + MEANING.len() + DOUBTS.len() + ODD.len() >= 121);
}

#[test]
fn no_secret_is_shown_beside_a_mistake() {
    for text in [
        "[providers.openai]\napi_key = \"sk-verysecret\" oops\n",
        "[providers.openai]\napi_key = 'sk-verysecret\n",
        "[providers.openai]\napi_keys = [\n  \"sk-verysecret\",\n  \"sk-verysecret\",\n]\n",
        "[providers.openai]\napi_keys = [\n  \"sk-verysecret\"\n  \"sk-verysecret\",\n]\n",
        "[providers.openai]\napikey = \"sk-verysecret\"\n",
        "[providers.openai]\napi_key = { vault = \"sk-verysecret\" }\n",
        "[providers.openai]\napi_key = [\"sk-verysecret\"]\n",
        "providers = { openai = { api_key = \"sk-verysecret\", x = 1 } }\n",
        "[database]\nurl = \"mysql://u:sk-verysecret@h/d\"\n",
        "[providers.google-vertex]\ncredentials = \"sk-verysecret\"\n",
        "[alarms]\nwebhook = \"sk-verysecret\"\nsecret = \"sk-verysecret\"\n",
        "[telemetry]\notlp_headers = { a = \"sk-verysecret\", b = 5 }\n",
    ] {
        let (errors, _) = examined(text);
        assert!(!errors.is_empty(), "{text}");
        for problem in &errors {
            let shown = told(problem, true);
            assert!(!shown.contains("verysecret"), "{shown}");
            assert!(
                !problem.to_json().to_string().contains("verysecret"),
                "{problem}"
            );
            assert!(!format!("{problem}").contains("verysecret"), "{problem}");
        }
    }
}

#[test]
fn a_mistake_is_shown_with_its_line_and_a_mark() {
    let (errors, _) = examined("[server]\nlisten = \"127.0.0.1:1\"\n\tworkers = 0 # \u{1b}[31m\n");
    let shown = told(&errors[0], false);
    let expected = "error: not TOML";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let (errors, _) = examined("[server]\n\tworkers = 0 # x\n");
    assert_eq!(
        told(&errors[0], false),
        "error: server.workers: 0 is not between 1 and 256\n \
         --> bourse.toml:2:12\n  |\n2 |     workers = 0 # x\n  |               ^\n"
    );
    assert!(told(&errors[0], true).contains("\u{1b}[1;31merror"));
}

#[test]
fn long_lines_and_long_files_are_told_shortly() {
    let long = format!(
        "[server]\nlisten = \"{}\"\nworkers = 0\n",
        "x".repeat(100_000)
    );
    let (errors, _) = examined(&long);
    assert_eq!(errors.len(), 2, "{}", errors.len());
    for problem in &errors {
        assert!(
            told(problem, false)
                .lines()
                .skip(1)
                .all(|line| line.chars().count() < 200)
        );
    }
    let many: String = (0..3_000).map(|n| format!("[server{n}]\n")).collect();
    let (errors, _) = examined(&many);
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100].sentence, "and more");
    let noise = "]=[\u{1}".repeat(1 << 19);
    let (errors, _) = examined(&noise);
    assert_eq!(errors.len(), 1);
}

#[test]
fn a_file_that_is_no_text_or_too_long_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bourse.toml");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Config::load(Some(&path)).unwrap_err().to_string()
    };
    let latin = refused(b"[server]\n# caf\xe9\nworkers = 2\n");
    assert!(
        latin.contains("bourse.toml:2:6: the byte 0xe9 is not UTF-8"),
        "{latin}"
    );
    let wide = refused(b"\xff\xfe[\0s\0");
    assert!(wide.contains("UTF-16"), "{wide}");
    let long = refused(&vec![b'#'; (16 << 20) + 1]);
    assert!(long.contains("is longer than 16 MiB"), "{long}");
    // 10 MB that are good are good.
    std::fs::write(&path, "# a comment\n".repeat(900_000)).unwrap();
    Config::load(Some(&path)).unwrap();
}

#[test]
fn variables_are_named_with_what_they_hold_unless_it_is_secret() {
    for (name, value, said) in [
        (
            "BOURSE_SERVER__LISTEN",
            "foo",
            "BOURSE_SERVER__LISTEN (`foo`): server.listen: ",
        ),
        (
            "BOURSE_SERVER__LISEN",
            "x",
            "did you mean BOURSE_SERVER__LISTEN?",
        ),
        (
            "BOURSE_SERVER__WORKERS",
            "many",
            "BOURSE_SERVER__WORKERS (`many`): server.workers: expected a whole number",
        ),
        (
            "BOURSE_PROVIDERS__OPENAI__API_KEY",
            "$SECRET",
            "BOURSE_PROVIDERS__OPENAI__API_KEY: providers.openai.api_key: ",
        ),
    ] {
        let variables = Environment::from_iter([(name, value)]);
        let wrong = Config::parse("bourse.toml", "", &variables)
            .unwrap_err()
            .to_string();
        assert!(wrong.contains(said), "{wrong}");
        assert!(!wrong.contains("$SECRET"), "{wrong}");
    }
    let variables = Environment::from_iter([("BOURSE_SERVER_LISTEN", "127.0.0.1:1")]);
    let config = Config::parse("bourse.toml", "", &variables).unwrap();
    let [warning] = config.warnings.as_slice() else {
        panic!("{:?}", config.warnings);
    };
    assert!(
        warning
            .to_string()
            .contains("did you mean BOURSE_SERVER__LISTEN"),
        "{warning}"
    );
}

#[test]
fn a_file_of_two_thousand_models_is_soon_understood() {
    let mut text = String::from(
        "[providers.local]\nformat = \"openai-chat\"\nbase_url = \"http://127.0.0.1:1/v1\"\n",
    );
    for n in 0..2_000 {
        text.push_str(&format!(
            "[[models]]\nslug = \"local/m{n}\"\ncontext_length = 8192\n[[models.endpoints]]\n\
             provider = \"local\"\nupstream_model = \"m{n}\"\nprice = {{ prompt = \"1\", completion = \"2\" }}\n"
        ));
    }
    let began = std::time::Instant::now();
    let config = Config::parse("bourse.toml", &text, &Environment::default()).unwrap();
    assert_eq!(config.overlay.models.len(), 2_000);
    // Ten times what it takes: a loop in a loop would take minutes.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    println!("{:?}", began.elapsed());
}

#[test]
fn the_schema_knows_the_sample_file_and_every_key_of_it_has_an_explanation() {
    let sample = include_str!("../../../../bourse.example.toml");
    let (errors, _) = examined(sample);
    assert!(errors.is_empty(), "{errors:?}");
    let schema = super::schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    for section in super::schema::names(schema) {
        let of = super::schema::member(schema, section)
            .map(super::schema::followed)
            .unwrap();
        for key in super::schema::names(of) {
            let of = super::schema::member(of, key).unwrap();
            assert!(of["description"].is_string(), "{section}.{key}: {of}");
        }
    }
    // What is commented out in it is known as well.
    let whole: String = sample
        .lines()
        .map(|line| {
            let open = line.strip_prefix("# ").filter(|line| {
                line.split_once(" = ")
                    .is_some_and(|(key, _)| !key.contains(' '))
            });
            format!("{}\n", open.unwrap_or(line))
        })
        .collect();
    let (errors, _) = examined(&whole);
    let unknown: Vec<_> = errors
        .iter()
        .filter(|one| one.sentence.contains("unknown") || one.sentence.contains("expected"))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn what_is_shown_has_its_source_and_no_secret() {
    let text = "[server]\nworkers = 2\n[providers.openai]\napi_key = \"sk-verysecret\"\napi_keys = [{ env = \"MINE\" }]\n";
    let variables = Environment::from_iter([
        ("MINE", "sk-mine"),
        ("BOURSE_SERVER__LISTEN", "127.0.0.1:9"),
        ("ANTHROPIC_API_KEY", "sk-ant"),
    ]);
    let config = Config::parse("bourse.toml", text, &variables).unwrap();
    let shown = super::show::values(&config, &variables);
    let line = |section: &str, key: &str| {
        let found = shown
            .iter()
            .find(|one| one.section == section && one.key == key);
        let found = found.unwrap_or_else(|| panic!("{section}.{key}"));
        (
            found.value.clone().unwrap_or_default(),
            found.source.clone(),
        )
    };
    let both = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(line("server", "workers"), both("2", "bourse.toml:2"));
    assert_eq!(
        line("server", "listen"),
        both("\"127.0.0.1:9\"", "variable BOURSE_SERVER__LISTEN")
    );
    assert_eq!(line("server", "drains_max"), both("1024", "default 1024"));
    assert_eq!(
        line("providers.openai", "api_key"),
        both("\"***\"", "bourse.toml:4")
    );
    assert_eq!(
        line("providers.openai", "api_keys"),
        both("[{ env = \"MINE\" }]", "bourse.toml:5")
    );
    assert_eq!(
        line("providers.anthropic", "api_key"),
        both("\"***\"", "variable ANTHROPIC_API_KEY")
    );
    for one in &shown {
        let value = one.value.as_deref().unwrap_or_default();
        assert!(!value.contains("sk-"), "{value}");
    }
}
