//! Custom tools: tools whose input is a text that no schema describes.
//!
//! Only OpenAI's models have them (function calling guide, custom tools,
//! November 2026). To everybody else they are a function with one text, which
//! is what OpenAI's guide calls the alternative; a grammar for the text has no
//! equal there, and its loss is reported.

use bourse_vocab::json;
use bourse_vocab::json::Value;

/// The one argument of the function.
const INPUT: &str = "input";

/// The schema of the function that stands for a custom tool.
#[must_use]
pub fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": false,
    })
}

/// The arguments of the function for an input.
#[must_use]
pub fn arguments(input: &str) -> String {
    json!({"input": input}).to_string()
}

/// The input in the arguments that a model wrote. What is not as the schema
/// has it is handed on as it is: the tool can make more of it than anybody here.
#[must_use]
pub fn input(arguments: &str) -> String {
    match json::parse(arguments.as_bytes()) {
        Ok(Value::Object(mut members)) => match members.get_mut(INPUT).map(Value::take) {
            Some(Value::String(text)) => text,
            _ => arguments.to_owned(),
        },
        Ok(Value::String(text)) => text,
        _ => arguments.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_survives_being_the_argument_of_a_function() {
        for text in ["", "*** Begin Patch\n\"x\"\n", "{\"input\":1}"] {
            assert_eq!(input(&arguments(text)), text);
        }
    }

    #[test]
    fn arguments_of_another_shape_are_the_input_themselves() {
        for (arguments, expected) in [("\"a\"", "a"), ("{", "{"), ("{\"x\":1}", "{\"x\":1}")] {
            assert_eq!(input(arguments), expected);
        }
    }
}
