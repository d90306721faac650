use super::*;
use crate::json;

fn read(text: &str) -> Value {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn members_and_digits_are_printed_as_they_were_read() {
    for text in [
        r#"{"z":1,"a":{"y":[],"b":{}},"m":[true,false,null,"x"]}"#,
        "123456789012345678901234567890",
        "1e400",
        "-1E-400",
        "-0",
        "0",
        "-0.0",
        "10.0",
        "1.10",
        "18446744073709551615",
        "-9223372036854775808",
        "2512292042121000001",
        r#""\u001f\"\\\n""#,
    ] {
        assert_eq!(read(text).to_string(), text);
        assert_eq!(
            serde_json::to_string(&[read(text)]).unwrap(),
            format!("[{text}]")
        );
    }
}

#[test]
fn numbers_are_what_they_say() {
    assert_eq!(read("7").as_u64(), Some(7));
    assert_eq!(read("-7").as_i64(), Some(-7));
    assert_eq!(
        (read("-0").as_u64(), read("-0").as_i64()),
        (Some(0), Some(0))
    );
    assert_eq!(
        (read("7.0").as_u64(), read("7.0").as_f64()),
        (None, Some(7.0))
    );
    assert_eq!(read("1e400").as_f64(), None);
    assert_eq!(read("18446744073709551616").as_u64(), None);
    assert_eq!(json!(0.5).to_string(), "0.5");
    assert_eq!(json!(1.0).to_string(), "1.0");
    assert_eq!(json!(f64::NAN), Value::Null);
    assert_eq!(json!(-3_i64), read("-3"));
}

#[test]
fn the_last_of_two_members_counts_in_the_place_of_the_first() {
    assert_eq!(
        read(r#"{"a":1,"b":2,"a":3}"#).to_string(),
        r#"{"a":3,"b":2}"#
    );
}

#[test]
fn a_large_object_is_found_its_way_in() {
    let text: Vec<String> = (0..500).map(|n| format!("\"k{n}\":{n}")).collect();
    let mut value = read(&format!("{{{},\"k7\":-7}}", text.join(",")));
    let members = value.as_object_mut().unwrap();
    assert_eq!(
        (members.len(), members.get("k7").unwrap().as_i64()),
        (500, Some(-7))
    );
    members.remove("k3");
    members.retain(|name, _| name != "k4");
    assert_eq!(members.get("k499").unwrap().as_u64(), Some(499));
    members.insert("new".to_owned(), Value::Null);
    assert_eq!(members.keys().last().unwrap(), "new");
    assert!(!members.contains_key("k3") && !members.contains_key("k4"));
}

#[test]
fn the_order_of_members_does_not_make_objects_differ() {
    assert_eq!(read(r#"{"a":1,"b":[2]}"#), read(r#"{"b":[2],"a":1}"#));
    assert_ne!(read(r#"{"a":1}"#), read(r#"{"a":1,"b":null}"#));
    assert_ne!(read("[1,2]"), read("[2,1]"));
}

#[test]
fn half_a_surrogate_pair_becomes_a_replacement_character() {
    assert_eq!(read(r#""a\ud83eb""#), "a\u{fffd}b");
    assert_eq!(read(r#""\udd70""#), "\u{fffd}");
    assert_eq!(read(r#""\ud83e\ud83e\udd70""#), "\u{fffd}\u{1f970}");
    assert_eq!(read(r#""\ud83e\n""#), "\u{fffd}\n");
    assert_eq!(read(r#""\\ud83e \ud83e""#), "\\ud83e \u{fffd}");
    assert_eq!(parse(b"\"a\xff\"").unwrap(), "a\u{fffd}");
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        "{",
        "nope",
        "\"\\ud83e",
        "\"\\u12\"",
        "[1,]",
        "[,1]",
        "\"\\",
        "\"\\x\"",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "1 2",
        "tru",
        "\"a\nb\"",
        "\"a",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(parse(deep(NESTING_MAX as usize).as_bytes()).is_ok());
    assert!(parse(deep(NESTING_MAX as usize + 1).as_bytes()).is_err());
}

#[test]
fn values_are_built_and_taken_apart() {
    let name = "b".to_owned();
    let none: Option<u64> = None;
    let value =
        json!({"a": [1, null, {"x": true}], name: "t", "n": none, "list": vec!["p", "q"], "e": {}});
    assert_eq!(
        value.to_string(),
        r#"{"a":[1,null,{"x":true}],"b":"t","n":null,"list":["p","q"],"e":{}}"#
    );
    assert_eq!(value["a"][2]["x"], true);
    assert_eq!(value["nothing"]["here"], Value::Null);
    assert_eq!(value.pointer("/a/2/x"), Some(&Value::Bool(true)));
    assert_eq!(value.pointer("/a/9"), None);
}

#[test]
fn a_long_text_is_written_into_room_that_was_made_for_it() {
    let text = "a".repeat(1 << 20);
    let said = format!(r#"{{"m":[{{"text":"{text}","n":1}},true,null],"x":{{}}}}"#);
    let Ok(Value::Object(map)) = parse(said.as_bytes()) else {
        panic!("an object is one");
    };
    let bytes = map.to_bytes().unwrap();
    assert_eq!(bytes, said.as_bytes());
    // What grows doubles.
    assert!(bytes.capacity() < said.len() + 100, "{}", bytes.capacity());
    let Ok(Value::Object(escaped)) = parse(br#"{"x":"\u0001\n\"","y":1e400}"#) else {
        panic!("an object is one");
    };
    assert_eq!(
        escaped.to_bytes().unwrap(),
        Value::Object(escaped).to_string().as_bytes()
    );
}
