//! `/openapi.json`: that it is the API, no more and no less.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{FakeBackend, ask};
use crate::access::Access;
use crate::route::{PREFIXES, Place};
use crate::table::routes;
use crate::{calls, document};

fn written() -> Value {
    document::write(&routes(), &calls::operations())
}

/// Every operation of the document: path, method, operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods
                .filter(|(method, _)| *method != "servers")
                .map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// Visits every object of the document.
fn each_object(value: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            members
                .values()
                .for_each(|member| each_object(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| each_object(item, visit)),
        _ => {}
    }
}

#[test]
fn every_route_is_in_the_document_and_every_operation_is_a_route() {
    let document = written();
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(path, method, _)| (path.to_owned(), method.to_owned()))
        .collect();
    let mut served: BTreeSet<_> = routes()
        .iter()
        .map(|route| {
            let method = route.method.as_str().to_ascii_lowercase();
            (route.path.to_owned(), method)
        })
        .collect();
    for call in calls::operations() {
        served.insert((call.path.to_owned(), "post".to_owned()));
    }
    assert_eq!(described, served);
    assert!(served.len() >= 24, "{}", served.len());
}

#[test]
fn no_route_is_registered_twice() {
    let mut seen = BTreeSet::new();
    for route in routes() {
        for path in route.paths() {
            let row = (route.method.to_string(), path);
            assert!(seen.insert(row.clone()), "{row:?}");
        }
    }
}

#[tokio::test]
async fn the_served_document_is_the_written_one() {
    let (_, router) = FakeBackend::with_router().await;
    let reply = ask(&router, "GET /openapi.json", "", "").await;
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.json(), written());
}

#[test]
fn every_operation_says_who_it_is_for_in_the_words_of_its_proof() {
    let document = written();
    for route in routes() {
        let method = route.method.as_str().to_ascii_lowercase();
        let security = &document["paths"][route.path][method]["security"];
        let expected = match route.access {
            Access::Public => serde_json::json!([]),
            Access::AnyKey => serde_json::json!([{"key": []}]),
            Access::Inference => serde_json::json!([{"inferenceKey": []}]),
            Access::Management => serde_json::json!([{"managementKey": []}]),
        };
        assert_eq!(*security, expected, "{}", route.path);
    }
    for call in calls::operations() {
        let security = &document["paths"][call.path]["post"]["security"];
        assert_eq!(*security, serde_json::json!([{"inferenceKey": []}]));
    }
}

#[test]
fn every_security_scheme_that_is_named_is_defined() {
    let document = written();
    for (path, method, operation) in operations(&document) {
        for scheme in operation["security"].as_array().unwrap() {
            let name = scheme.as_object().unwrap().keys().next().unwrap();
            let defined = &document["components"]["securitySchemes"][name];
            assert_eq!(defined["scheme"], "bearer", "{method} {path}");
        }
    }
}

#[test]
fn every_segment_of_a_path_is_described_and_nothing_else_is() {
    let document = written();
    for (path, method, operation) in operations(&document) {
        // A verb may follow in the same segment: `{model}:generateContent`.
        let in_path: BTreeSet<&str> = path
            .split('{')
            .skip(1)
            .filter_map(|part| Some(part.split_once('}')?.0))
            .collect();
        let parameters = operation["parameters"].as_array();
        let described: BTreeSet<&str> = parameters
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| {
                assert_eq!(parameter["required"], true, "{method} {path}");
                parameter["name"].as_str().unwrap()
            })
            .collect();
        assert_eq!(in_path, described, "{method} {path}");
    }
}

#[test]
fn no_parameter_is_described_twice_and_each_has_words_and_a_schema() {
    let document = written();
    for (path, method, operation) in operations(&document) {
        let mut names = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            assert!(names.insert(name), "{method} {path}: {name}");
            let about = parameter["description"].as_str().unwrap();
            assert!(!about.is_empty(), "{method} {path}: {name}");
            assert!(parameter["schema"]["type"].is_string(), "{path}: {name}");
        }
    }
}

#[test]
fn operation_ids_are_unique_names() {
    let document = written();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{method} {path}: {id}");
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(id.chars().all(is_name), "{id}");
    }
    assert!(ids.contains("get_keys_by_hash"));
    assert!(ids.contains("get_model_by_author_by_slug"));
    assert!(ids.contains("post_chat_completions"));
    assert!(ids.contains("post_models_by_model_generate_content"));
    assert!(ids.contains("get_v1beta_models"));
}

#[test]
fn every_operation_has_a_summary_a_tag_a_success_and_an_error() {
    let document = written();
    for (path, method, operation) in operations(&document) {
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{path}");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{path}");
        let responses = operation["responses"].as_object().unwrap();
        assert_eq!(responses.len(), 2, "{method} {path}");
        let made = if method == "post" { "201" } else { "200" };
        let success = responses.get("200").or_else(|| responses.get(made));
        // A job that is taken.
        let success = success.or_else(|| responses.get("202"));
        let content = success.unwrap()["content"].as_object().unwrap();
        let (_, content) = content.iter().next().unwrap();
        assert!(content["schema"].is_object(), "{method} {path}");
        assert_eq!(responses["default"]["$ref"], "#/components/responses/Error");
    }
}

#[test]
fn every_name_that_is_referred_to_is_defined_and_every_definition_is_used() {
    let document = written();
    let mut used = BTreeSet::new();
    each_object(&document, &mut |members| {
        if let Some(Value::String(to)) = members.get("$ref") {
            used.insert(to.clone());
        }
    });
    let components = document["components"].as_object().unwrap();
    let defined: BTreeSet<String> = ["schemas", "responses"]
        .into_iter()
        .flat_map(|kind| {
            let names = components[kind].as_object().unwrap().keys();
            names.map(move |name| format!("#/components/{kind}/{name}"))
        })
        .collect();
    assert_eq!(used, defined);
}

#[test]
fn every_required_member_is_described() {
    let mut objects = 0;
    each_object(&written(), &mut |members| {
        let Some(Value::Array(required)) = members.get("required") else {
            return;
        };
        let properties = members["properties"].as_object().unwrap();
        for name in required {
            assert!(properties.contains_key(name.as_str().unwrap()), "{name}");
        }
        objects += 1;
    });
    assert!(objects > 30, "{objects}");
}

#[test]
fn the_named_schemas_are_these() {
    let document = written();
    let names: Vec<_> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    let expected = [
        "ActivityItem",
        "Architecture",
        "Batch",
        "BatchEmbedContentsReply",
        "BatchEmbedContentsRequest",
        "BooksCompared",
        "CallDefaults",
        "ChatCompletion",
        "ChatRequest",
        "CountTokensRequest",
        "Credits",
        "CurrentKey",
        "EmbedContentReply",
        "EmbedContentRequest",
        "EmbeddingsReply",
        "EmbeddingsRequest",
        "Endpoint",
        "Error",
        "ExternalIdentity",
        "File",
        "GenerateContentReply",
        "GenerateContentRequest",
        "Generation",
        "GoogleModel",
        "ImageEditRequest",
        "ImageEndpoint",
        "ImageModel",
        "Images",
        "ImagesRequest",
        "Key",
        "KeyBudget",
        "KeyPatch",
        "MessageBatch",
        "MessagesReply",
        "MessagesRequest",
        "Model",
        "Moderation",
        "ModerationRequest",
        "NewBatch",
        "NewFile",
        "NewKey",
        "NewMessageBatch",
        "OpenAiImages",
        "Percentiles",
        "Pricing",
        "Provider",
        "Rerank",
        "RerankRequest",
        "Response",
        "ResponseRequest",
        "RoutingAlarm",
        "RoutingCredential",
        "RoutingEndpoint",
        "RoutingStatus",
        "SpeechRequest",
        "TextCompletion",
        "TextRequest",
        "TokenCount",
        "TotalTokens",
        "Transcript",
        "TranscriptionRequest",
        "Video",
        "VideoModel",
        "VideoRequest",
        "VideoTaken",
        "WebhookSecret",
    ];
    assert_eq!(names, expected);
}

#[test]
fn null_is_said_in_one_way_and_rusts_number_formats_do_not_show() {
    each_object(&written(), &mut |members| {
        // An object may have a member of that name.
        let format = members.get("format");
        assert!(format.is_none_or(Value::is_object), "{members:?}");
        if let Some(kinds) = members.get("type") {
            // An object has members of that name: a message's `type`.
            assert!(kinds.is_string() || kinds.is_object(), "{members:?}");
        }
    });
}

#[test]
fn amounts_of_money_are_numbers_in_dollars() {
    let document = written();
    let schemas = &document["components"]["schemas"];
    let dollars = "US dollars, exact to a nano-dollar";
    for (name, member) in [
        ("Credits", "total_credits"),
        ("Credits", "total_usage"),
        ("ActivityItem", "usage"),
        ("CurrentKey", "usage_daily"),
        ("Key", "byok_usage_monthly"),
        ("KeyBudget", "limit_usd"),
        ("Generation", "total_cost"),
    ] {
        let schema = &schemas[name]["properties"][member];
        assert_eq!(schema["type"], "number", "{name}.{member}");
        assert_eq!(schema["description"], dollars, "{name}.{member}");
    }
    for (name, member) in [
        ("CurrentKey", "limit"),
        ("Key", "limit_remaining"),
        ("NewKey", "limit"),
        ("KeyPatch", "limit"),
        ("Generation", "cache_discount"),
    ] {
        let either = &schemas[name]["properties"][member]["anyOf"];
        assert_eq!(either[0]["type"], "number", "{name}.{member}");
        assert_eq!(either[1]["type"], "null", "{name}.{member}");
    }
}

#[test]
fn bodies_that_are_sent_are_described_with_what_they_need() {
    let document = written();
    let schemas = &document["components"]["schemas"];
    for (path, method, name, required) in [
        ("/keys", "post", "NewKey", Some("name")),
        ("/keys/{hash}", "patch", "KeyPatch", None),
        ("/chat/completions", "post", "ChatRequest", Some("messages")),
        ("/completions", "post", "TextRequest", Some("prompt")),
    ] {
        let body = &document["paths"][path][method]["requestBody"];
        assert_eq!(body["required"], true);
        let schema = &body["content"]["application/json"]["schema"];
        assert_eq!(schema["$ref"], format!("#/components/schemas/{name}"));
        let said = schemas[name]["required"].as_array();
        let said: Vec<&str> = said
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(said, required.into_iter().collect::<Vec<_>>(), "{name}");
    }
    for (path, method, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else {
            continue;
        };
        let schema = &body["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next();
        let members = &schemas[name.unwrap()]["properties"];
        assert!(!members.as_object().unwrap().is_empty(), "{method} {path}");
    }
}

#[test]
fn routes_at_the_root_say_that_no_prefix_belongs_to_them() {
    let document = written();
    assert_eq!(
        document["servers"].as_array().unwrap().len(),
        PREFIXES.len()
    );
    for route in routes() {
        let servers = document["paths"][route.path].get("servers");
        match route.place {
            Place::Api => assert_eq!(servers, None, "{}", route.path),
            Place::Root | Place::RootAndApi => {
                assert_eq!(servers.unwrap()[0]["url"], "/", "{}", route.path);
            }
        }
    }
}

#[tokio::test]
async fn the_page_for_people_loads_nothing_from_elsewhere() {
    let (_, router) = FakeBackend::with_router().await;
    let reply = ask(&router, "GET /docs", "", "").await;
    assert_eq!(reply.status, 200);
    let kind = reply.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/html"), "{kind}");
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    for sign in ["http://", "https://", "//cdn", "innerHTML"] {
        assert!(!reply.text.contains(sign), "{sign}");
    }
    assert!(reply.text.contains("/openapi.json"));
}

#[test]
fn a_member_that_may_be_left_out_is_null_only_where_null_means_something() {
    let document = written();
    let schemas = &document["components"]["schemas"];
    let may_be_null = |name: &str, member: &str| {
        let schema = &schemas[name]["properties"][member];
        schema["anyOf"][1]["type"] == "null"
    };
    // Null takes a limit away, and leaving it out keeps the one there is.
    for member in ["limit", "limit_reset"] {
        assert!(may_be_null("KeyPatch", member), "{member}");
    }
    assert!(may_be_null("NewKey", "expires_at"));
    for member in ["name", "disabled", "include_byok_in_limit", "workspace_id"] {
        assert!(!may_be_null("KeyPatch", member), "{member}");
    }
    for (name, member) in [("Model", "reasoning"), ("ChatRequest", "model")] {
        assert!(!may_be_null(name, member), "{name}.{member}");
    }
    assert_eq!(schemas["KeyPatch"]["properties"]["name"]["maxLength"], 200);
    let intervals = &schemas["NewKey"]["properties"]["limit_reset"]["anyOf"][0]["enum"];
    assert_eq!(
        *intervals,
        serde_json::json!(["daily", "weekly", "monthly"])
    );
    each_object(&document, &mut |members| {
        assert!(!members.contains_key("nullable"), "{members:?}");
    });
}
