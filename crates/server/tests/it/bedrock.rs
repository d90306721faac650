//! Amazon Bedrock as a target, signed with a pair of keys: the simulator checks
//! every signature of what really arrived, as Amazon does.

use bourse_sim::Script;
use serde_json::{Value, json};

use crate::exchange::{
    CHEAP, DEAR, Exchange, MODEL, Provider, eventually, script, streamed, worth,
};
use crate::money_math::cost;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN";
const CLAUDE: &str = "arn:aws:bedrock:eu-west-1:111122223333:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// A script of a Bedrock whose account has the pair of keys and the session.
fn signed(mut fields: Value) -> Script {
    fields["aws_secret_access_key"] = SECRET.into();
    fields["aws_session_token"] = TOKEN.into();
    script(fields)
}

fn bedrock(script: Script) -> Provider {
    let mut provider = Provider::new("amazon-bedrock", CHEAP, script).format("bedrock-converse");
    provider.upstream_model = Some(CLAUDE);
    provider.provider_toml = format!(
        "region = \"eu-west-1\"\naccess_key_id = \"AKIAEXAMPLEEXAMPLE00\"\n\
         secret_access_key = {{ env = \"THE_SECRET\" }}\nsession_token = \"{TOKEN}\"\n"
    );
    provider
}

fn start(script: Script) -> Exchange {
    Exchange::start(|setup| {
        setup.env = vec![("THE_SECRET", SECRET), ("BOURSE_LOG__LEVEL", "debug")];
        let limits = "context_length = 8192\nmax_output = 4000";
        setup.models.insert(MODEL, limits);
        setup.provider(bedrock(script));
    })
}

fn play(exchange: &Exchange, script: Script) {
    exchange.sim.set_provider_script("amazon-bedrock", script);
}

#[test]
fn chat_is_answered_whole_and_streamed_and_costs_what_bedrock_counted() {
    let exchange = start(signed(json!({"tokens": 9})));
    let got = exchange.chat(json!({}));
    assert_eq!(got.status, 200, "{}", got.text());
    let told = got.json();
    assert_eq!(told["choices"][0]["finish_reason"], "stop");
    assert_eq!(told["choices"][0]["native_finish_reason"], "end_turn");
    assert_eq!(told["usage"]["completion_tokens"], 9);
    let first = exchange.worth(CHEAP);
    assert_eq!(cost(&told["usage"]), first);

    let stream = exchange.stream(json!({}));
    let usage = stream.complete();
    assert_eq!(stream.finishes(), ["stop"]);
    let second = exchange.worth(CHEAP);
    assert_eq!(cost(&usage), second);

    let entries = exchange.upstream();
    let paths: Vec<&str> = entries
        .iter()
        .map(|entry| entry.path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(paths, ["converse", "converse-stream"]);
    // One piece of the path, slashes and colons included.
    assert_eq!(entries[0].model.as_deref(), Some(CLAUDE));
    let header = |name: &str| {
        let mut headers = entries[1].headers.iter();
        headers.find(|(known, _)| known == name).unwrap().1.clone()
    };
    assert_eq!(header("accept"), "application/vnd.amazon.eventstream");
    assert_eq!(header("x-amz-date").len(), 16);
    exchange.finish(first + second);
}

#[test]
fn a_loop_of_tools_and_signed_thoughts_goes_through_chat_and_back() {
    let exchange = start(signed(
        json!({"tokens": 5, "reasoning_tokens": 3, "tool_calls": 2}),
    ));
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {
        "type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}}]);
    let over = json!({"tools": tools, "max_tokens": 2000, "reasoning": {"max_tokens": 1024}});
    let got = exchange.chat(over.clone());
    assert_eq!(got.status, 200, "{}", got.text());
    let mut message = got.json()["choices"][0]["message"].clone();
    let details = message["reasoning_details"].clone();
    assert_eq!(details[0]["format"], "anthropic-claude-v1", "{message}");
    let signature = details[0]["signature"].as_str().unwrap().to_owned();
    let calls = message["tool_calls"].as_array().unwrap().clone();
    assert_eq!(calls.len(), 2);
    message.as_object_mut().unwrap().remove("reasoning");
    let mut messages = vec![json!({"role": "user", "content": "Hello there"}), message];
    messages.extend(
        calls
            .iter()
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "dark"})),
    );
    play(&exchange, signed(json!({"tokens": 5})));
    let mut again = over;
    again["messages"] = messages.into();
    let stream = exchange.stream(again);
    stream.complete();
    let sent: Value = serde_json::from_str(exchange.upstream()[1].body.as_ref().unwrap()).unwrap();
    let answer = &sent["messages"][1]["content"];
    assert_eq!(
        answer[0]["reasoningContent"]["reasoningText"]["signature"],
        signature
    );
    assert_eq!(
        sent["additionalModelRequestFields"]["thinking"]["budget_tokens"],
        1024
    );
    let results = sent["messages"][2]["content"].as_array().unwrap();
    let ids: Vec<&Value> = results
        .iter()
        .map(|block| &block["toolResult"]["toolUseId"])
        .collect();
    assert_eq!(ids, [&calls[0]["id"], &calls[1]["id"]]);
    exchange.close();
}

/// Whoever is refused by Amazon is not the caller, and is told so nowhere.
#[test]
fn keys_that_amazon_refuses_and_a_clock_that_is_wrong_send_calls_elsewhere() {
    for (over, sentence) in [
        (json!({"clock_ahead_s": 600}), "clock"),
        (json!({"clock_ahead_s": -600}), "clock"),
        (
            json!({"aws_secret_access_key": "another"}),
            "signature we calculated",
        ),
        (json!({"aws_session_token": "another"}), "security token"),
    ] {
        let mut fields = json!({"aws_secret_access_key": SECRET, "aws_session_token": TOKEN});
        let members = fields.as_object_mut().unwrap();
        members.extend(over.as_object().unwrap().clone());
        let mut exchange = Exchange::start(|setup| {
            setup.env = vec![("THE_SECRET", SECRET), ("BOURSE_LOG__LEVEL", "debug")];
            setup.provider(bedrock(script(fields)));
            setup.provider(Provider::new("dear", DEAR, script(json!({"tokens": 3}))));
        });
        exchange.server.may_log_errors = true;
        let got = exchange.chat(json!({"provider": {"order": ["amazon-bedrock", "dear"]}}));
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.json()["provider"], "dear");
        assert!(!got.text().contains(sentence), "{}", got.text());
        assert_eq!(exchange.attempts(), ["amazon-bedrock", "dear"]);
        let log = eventually("the log to say why", || {
            let log = exchange.server.log();
            log.contains(sentence).then_some(log)
        });
        assert!(
            !log.contains(SECRET) && !log.contains(TOKEN),
            "a key in the log"
        );
        let spent = exchange.worth(DEAR);
        exchange.finish(spent);
    }
}

#[test]
fn what_bedrock_refuses_is_told_to_the_client_in_its_class() {
    for (status, told) in [(400, 400), (404, 404), (429, 429), (424, 502), (503, 503)] {
        let exchange = start(signed(json!({"error_status": status})));
        let got = exchange.chat(json!({}));
        assert_eq!(got.status, told, "{status}: {}", got.text());
        exchange.finish(0);
    }
}

#[test]
fn an_exception_in_the_middle_of_a_stream_is_told_and_what_came_is_paid() {
    let exchange = start(signed(
        json!({"tokens": 20, "error_after_tokens": 5, "error_rate": 0, "error_status": 429, "token_ms": 5}),
    ));
    let got = exchange
        .open(&streamed(json!({"max_tokens": 50})))
        .receive();
    let stream = got.stream();
    let error = stream.broken();
    assert_eq!(error["code"], 429, "{error}");
    assert_eq!(stream.text().split_whitespace().count(), 5);
    let most = worth(exchange.upstream().last().unwrap(), CHEAP);
    let spent = exchange.close();
    assert!(0 < spent && spent <= most, "{spent} of {most}");
}

#[test]
fn a_section_says_what_is_wrong_with_it() {
    for (lines, problem) in [
        ("region = \"EU West\"", "providers.amazon-bedrock.region"),
        (
            "access_key_id = \"AKIA\"",
            "providers.amazon-bedrock.secret_access_key",
        ),
        (
            "session_token = \"t\"",
            "providers.amazon-bedrock.access_key_id",
        ),
    ] {
        let told = refused(&format!("[providers.amazon-bedrock]\n{lines}\n"));
        assert!(told.contains(problem), "{told}");
    }
    let told = refused("[providers.openai]\nregion = \"eu\"\n");
    assert!(told.contains("providers.openai.region"), "{told}");
    let told = refused("[providers.openai]\naccess_key_id = \"a\"\nsecret_access_key = \"b\"\n");
    assert!(told.contains("providers.openai.access_key_id"), "{told}");
}

/// What the program says of a configuration that it does not take.
fn refused(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bourse.toml");
    std::fs::write(&path, text).unwrap();
    let output = crate::exchange::bourse()
        .args(["check", "--config"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
}
