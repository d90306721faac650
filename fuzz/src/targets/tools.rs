//! Tool calls of answers, judged by the tools of their requests.

use bourse_vocab::json::{self, Value};
use bourse_wire::json::text::write_string;
use bourse_wire::tool_calls::{Made, Tally, Verdict, judge};

use super::Target;
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// Lists of tools with calls of them.
pub struct Tools;

const SEEDS: [&str; 6] = [
    r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":["string","null"],"enum":["x","y",null]}},"required":["a"],"additionalProperties":false}}}],"calls":[["f","{\"a\":1,\"b\":\"x\"}"],["f","{\"a\":1.5}"],["g","{}"],["f",""]]}"#,
    r#"{"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"}}}}},{"type":"custom","name":"t"}],"calls":[["f","{\"a\":[1,2,\"x\"]}"],["t","any {text"],["f","{"]]}"#,
    r##"{"tools":[{"type":"function","name":"f","parameters":{"anyOf":[{"type":"object"},{"$ref":"#/$defs/x"}],"$defs":{"x":{"type":"null"}}}},{"tools":[{"name":"g"}]}],"calls":[["f","null"],["g","{}"]]}"##,
    r#"{"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}},"required":["a"]}},{"name":"g","parametersJsonSchema":{"type":"object","required":["b"]}}]},{"googleSearch":{}}],"calls":[["f","{\"a\":1}"],["f","{\"a\":\"x\"}"],["g","{}"],["h","{}"]]}"#,
    r#"{"tools":[{"function_declarations":[{"name":"f","parameters_json_schema":{"const":{"a":[1]}}}]}],"calls":[["f","{\"a\":[1.0]}"]]}"#,
    r#"{"tools":[{"function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"const":3}},"required":["b"]}},"allOf":[{"required":["a"]}],"not":{"type":"array"}}}}],"calls":[["f","{\"a\":{\"b\":3.0}}"],["f","{\"a\":{\"b\":4}}"],["f","[]"]]}"#,
];

impl Target for Tools {
    fn name(&self) -> &'static str {
        "tools"
    }

    fn held_to(&self) -> &'static str {
        "calls get as many verdicts as there are calls, the same however they are cut and written"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        Ok(SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect())
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let mut chance = Chance::new(of_bytes(input));
        let mut sign = Sign::default();
        // As the data plane has it: a member of what was scanned.
        let Ok(outline) = bourse_wire::json::scan(input) else {
            return Ok(sign.get());
        };
        let member = |name| outline.get(name).and_then(|m| input.get(m.value.clone()));
        let calls = member("calls").and_then(|calls| json::parse(calls).ok());
        let calls = calls.as_ref().and_then(Value::as_array);
        let calls: Vec<(&str, &str)> = calls.into_iter().flatten().filter_map(pair).collect();
        let tools = member("tools");
        let verdicts = judged(&calls, tools, |made, choice, place, text| {
            made.go_on(choice, place, text);
        })?;
        let cut = judged(&calls, tools, |made, choice, place, text| {
            let mut rest = text;
            while !rest.is_empty() {
                let mut at = 1 + chance.below(rest.len().min(9));
                while !rest.is_char_boundary(at) {
                    at += 1;
                }
                let (piece, after) = rest.split_at(at);
                made.go_on(choice, place, piece);
                rest = after;
            }
        })?;
        let written = judged(&calls, tools, |made, choice, place, text| {
            let mut quoted = Vec::new();
            write_string(text, &mut quoted);
            let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
            made.go_on_written(choice, place, inside);
        })?;
        if verdicts != cut || verdicts != written {
            return Err(format!(
                "calls are judged otherwise in pieces or as they are written\n{verdicts:?}\n{cut:?}\n{written:?}"
            ));
        }
        for verdict in Verdict::ALL {
            sign.count(usize::try_from(verdicts.of(verdict)).unwrap_or(0));
        }
        Ok(sign.get())
    }
}

/// A call's name and its arguments.
fn pair(call: &Value) -> Option<(&str, &str)> {
    match call.as_array()?.as_slice() {
        [name, arguments] => Some((name.as_str()?, arguments.as_str()?)),
        _ => None,
    }
}

fn judged(
    calls: &[(&str, &str)],
    tools: Option<&[u8]>,
    mut go_on: impl FnMut(&mut Made, u32, u32, &str),
) -> Result<Tally, String> {
    let mut made = Made::default();
    for (place, (name, arguments)) in (0..).zip(calls) {
        made.begin(0, place, name);
        go_on(&mut made, 0, place, arguments);
    }
    let tally = judge(&made, tools);
    match usize::try_from(tally.calls()) == Ok(calls.len()) {
        true => Ok(tally),
        false => Err(format!(
            "{} calls have {} verdicts",
            calls.len(),
            tally.calls()
        )),
    }
}
