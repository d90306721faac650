//! Writing `options`: how tokens are chosen, and how many (`Options` of
//! api/types.go, August 2026).

use bourse_vocab::chat::{Loss, Sampling};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::LIMIT;

/// Lays what was asked for over the options that only Ollama has. The limit is
/// never one of those: what is set aside pays for the gateway's alone.
pub fn write(options: &mut Map, sampling: &Sampling, limit: Option<u64>, losses: &mut Vec<Loss>) {
    if options.remove(LIMIT).is_some() {
        losses.push(Loss::new(
            "options.num_predict",
            "the limit of the request decides; say max_tokens",
        ));
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            options.insert(name.to_owned(), value);
        }
    };
    put(LIMIT, limit.map(|limit| json!(limit)));
    let numbers = [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
        ("min_p", &sampling.min_p),
        ("repeat_penalty", &sampling.repetition_penalty),
        ("presence_penalty", &sampling.presence_penalty),
        ("frequency_penalty", &sampling.frequency_penalty),
    ];
    for (name, number) in numbers {
        put(name, number.as_ref().map(|number| json!(number)));
    }
    put("top_k", sampling.top_k.map(|k| json!(k)));
    put("seed", sampling.seed.map(|seed| json!(seed)));
    let stop = (!sampling.stop.is_empty()).then(|| json!(sampling.stop));
    put("stop", stop);
    for field in unknown(sampling) {
        losses.push(Loss::new(field, "Ollama has no such parameter"));
    }
}

/// Parameters that ask for something that Ollama does not have.
fn unknown(sampling: &Sampling) -> impl Iterator<Item = &'static str> {
    let biases = sampling.logit_bias.as_ref();
    let top_a = sampling.top_a.as_ref();
    [
        ("top_a", top_a.is_some_and(|number| !number.is_about(0.0))),
        (
            "logit_bias",
            biases.is_some_and(|biases| !biases.is_empty()),
        ),
        ("n", sampling.n.unwrap_or(1) > 1),
    ]
    .into_iter()
    .filter_map(|(field, is_asked)| is_asked.then_some(field))
}
