//! Price lists, and the catalog that is made of them.

use bourse_catalog::import::{Source, import, merge};
use bourse_catalog::{Overlay, RawCatalog, Snapshot};

use super::Target;
use crate::sign::Sign;

/// Documents of the three sources, files of a catalog, and overlays.
pub struct Prices;

/// What the lists are dated.
const AS_OF: &str = "2026-11-01";

const MODELS_DEV: &str = r#"{"acme":{"id":"acme","name":"Acme","env":["ACME_API_KEY"],"npm":"@ai-sdk/openai-compatible","api":"https://acme.example/v1","models":{"m-1":{"id":"m-1","name":"M 1","attachment":true,"reasoning":true,"temperature":true,"tool_call":true,"knowledge":"2025-03","release_date":"2025-08-07","modalities":{"input":["text","image"],"output":["text"]},"open_weights":false,"cost":{"input":1.25,"output":10,"cache_read":0.125,"context_over_200k":{"input":2.5,"output":15}},"limit":{"context":400000,"output":128000}}}}}"#;
const LITELLM: &str = r#"{"sample_spec":{"mode":"chat"},"gpt-x":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":1.25e-06,"output_cost_per_token":1e-05,"cache_read_input_token_cost":1.25e-07,"input_cost_per_token_above_200k_tokens":2.5e-06,"max_input_tokens":272000,"max_output_tokens":128000,"max_tokens":128000,"supports_vision":true,"supports_function_calling":true,"input_cost_per_token_flex":6.25e-07,"deprecation_date":"2027-01-01"},"groq/llama":{"litellm_provider":"groq","mode":"chat","input_cost_per_token":5e-8,"output_cost_per_token":8e-8,"max_tokens":8192}}"#;
const OPENROUTER: &str = r#"{"data":[{"id":"acme/m-1","canonical_slug":"acme/m-1-2025-08-07","name":"Acme: M 1","created":1754524800,"description":"A model.","context_length":400000,"architecture":{"modality":"text+image->text","input_modalities":["text","image"],"output_modalities":["text"],"tokenizer":"GPT"},"pricing":{"prompt":"0.00000125","completion":"0.00001","request":"0","image":"0","web_search":"0.01","internal_reasoning":"0","input_cache_read":"0.000000125"},"top_provider":{"context_length":400000,"max_completion_tokens":128000,"is_moderated":true},"supported_parameters":["tools","max_tokens"]}]}"#;
const OVERLAY: &str = r#"{"providers":{"acme":{"base_url":"https://acme.example/v1","format":"openai-chat","data_policy":{"training":false}}},"models":[{"slug":"acme/m-1","context_length":8192,"aliases":["m"],"endpoints":[{"provider":"acme","upstream_model":"m","quantization":"fp8","price":{"prompt":"0.10","completion":"0.40","image":"0.001","tiers":[{"min_prompt_tokens":5,"prompt":"1"}]}}]}]}"#;

impl Target for Prices {
    fn name(&self) -> &'static str {
        "prices"
    }

    fn held_to(&self) -> &'static str {
        "a price list, a file of the catalog or an overlay is refused, or makes a catalog whose own files make it again"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let lists = [MODELS_DEV, LITELLM, OPENROUTER, OVERLAY];
        let mut seeds: Vec<Vec<u8>> = lists
            .iter()
            .zip(b'0'..)
            .map(|(list, number)| [&[number], list.as_bytes()].concat())
            .collect();
        // Some lines of the real thing.
        let files = ["providers", "models", "endpoints"];
        for (file, number) in files.iter().zip(b'4'..) {
            let path = crate::root().join(format!("crates/catalog/data/{file}.jsonl"));
            let text =
                std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let lines: Vec<&str> = text.lines().step_by(97).take(40).collect();
            for some in lines.chunks(4) {
                seeds.push([&[number], some.join("\n").as_bytes()].concat());
            }
        }
        Ok(seeds)
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let mut sign = Sign::default();
        let (first, body) = input.split_first().unwrap_or((&b'0', &[]));
        let number = first.wrapping_sub(b'0') % 7;
        sign.count(1 << number);
        let Ok(text) = std::str::from_utf8(body) else {
            return Ok(sign.get());
        };
        let mut overlays = Vec::new();
        let raw = match number {
            0 => listed(Source::ModelsDev, text, &mut sign),
            1 => listed(Source::LiteLlm, text, &mut sign),
            2 => listed(Source::OpenRouter, text, &mut sign),
            3 => match serde_json::from_str::<Overlay>(text) {
                Ok(overlay) => {
                    overlays.push(overlay);
                    Some(RawCatalog::default())
                }
                Err(error) => {
                    sign.sentence(&error.to_string());
                    None
                }
            },
            file => filed(file - 4, text, &mut sign),
        };
        if let Some(raw) = raw {
            kept(&raw)?;
            match Snapshot::build(raw, &overlays) {
                Ok(catalog) => {
                    sign.count(catalog.models().len());
                    for model in catalog.models() {
                        sign.count(catalog.endpoints(model.ix).len());
                    }
                }
                Err(problems) => problems
                    .iter()
                    .for_each(|problem| sign.sentence(&problem.to_string())),
            }
        }
        Ok(sign.get())
    }
}

fn listed(source: Source, text: &str, sign: &mut Sign) -> Option<RawCatalog> {
    match import(source, text, AS_OF, &RawCatalog::default()) {
        Ok(imported) => {
            imported.notes.iter().for_each(|note| sign.text(note.kind));
            let mut all = RawCatalog::default();
            merge(&mut all, imported.catalog);
            Some(all)
        }
        Err(error) => {
            sign.sentence(&error.to_string());
            None
        }
    }
}

fn filed(which: u8, text: &str, sign: &mut Sign) -> Option<RawCatalog> {
    let of = |number: u8| if which == number { text } else { "" };
    let files = bourse_catalog::embedded::Files {
        providers: of(0),
        models: of(1),
        endpoints: of(2),
    };
    match bourse_catalog::embedded::read(&files) {
        Ok(raw) => Some(raw),
        Err(problems) => {
            problems
                .iter()
                .for_each(|problem| sign.sentence(&problem.to_string()));
            None
        }
    }
}

/// That what was read is what is written, and reads back the same.
fn kept(raw: &RawCatalog) -> Result<(), String> {
    let files = bourse_catalog::embedded::write(raw).map_err(|error| error.to_string())?;
    let files = bourse_catalog::embedded::Files {
        providers: files.providers.as_str(),
        models: files.models.as_str(),
        endpoints: files.endpoints.as_str(),
    };
    match bourse_catalog::embedded::read(&files) {
        Ok(again) if again == *raw => Ok(()),
        Ok(again) => Err(format!(
            "a catalog reads back otherwise\n{raw:?}\n{again:?}"
        )),
        Err(problems) => Err(format!("a catalog's own files are refused: {problems:?}")),
    }
}
