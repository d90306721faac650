use super::super::Config;
use super::*;

fn told(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let environment = Environment::from_iter(variables.iter().copied());
    let wrong = Config::parse("bourse.toml", text, &environment).unwrap_err();
    wrong.0.iter().map(ToString::to_string).collect()
}

#[test]
fn every_mistake_has_the_line_that_it_is_in() {
    let text = "# A comment.\n[deadlines]\nhead_ms = 0\nidle_ms = 3600001\n\n\
        [admission]\nlate_ms = 60001\nbatch_keys = [\n  \"abc\",\n]\n\
        [providers.acme]\nformat = \"openai-chat\"\n";
    let problems = told(text, &[]);
    for (key, place) in [
        ("deadlines.head_ms: 0 ", "3:11"),
        ("deadlines.idle_ms: ", "4:11"),
        ("admission.late_ms: ", "7:11"),
        ("admission.batch_keys[0]: ", "9:3"),
        // It is not there: what it is missing in is.
        ("providers.acme.base_url: ", "11:12"),
    ] {
        let begins = format!("bourse.toml:{place}: {key}");
        assert!(
            problems.iter().any(|problem| problem.starts_with(&begins)),
            "{begins}: {problems:?}"
        );
    }
}

#[test]
fn what_a_variable_says_is_in_no_line() {
    let text = "[deadlines]\nhead_ms = 7\n";
    let problems = told(text, &[("BOURSE_DEADLINES__HEAD_MS", "0")]);
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    let begins = "BOURSE_DEADLINES__HEAD_MS (`0`): deadlines.head_ms: 0 ";
    assert!(problem.starts_with(begins), "{problem}");
    assert!(!problem.contains("bourse.toml"), "{problem}");
}

#[test]
fn no_deadline_is_zero_negative_or_a_word() {
    for name in [
        "connect_ms",
        "head_ms",
        "first_sign_ms",
        "idle_ms",
        "whole_ms",
        "drain_ms",
    ] {
        for value in ["0", "-1", "\"1s\"", "1.5", "99999999999"] {
            let text = format!("[server]\n\n[deadlines]\n{name} = {value}\n");
            let problems = told(&text, &[]);
            let [problem] = problems.as_slice() else {
                panic!("{name} = {value}: {problems:?}");
            };
            assert!(
                problem.contains("bourse.toml:4"),
                "{name} = {value}: {problem}"
            );
        }
    }
}
