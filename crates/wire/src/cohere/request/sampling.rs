//! Writing how tokens are chosen (`v2.chat` of cohere-python, August 2026).

use bourse_vocab::chat::{Loss, Reason, Sampling};
use bourse_vocab::json;
use bourse_vocab::json::{Map, Number};

/// The most stop sequences.
const STOPS_MAX: usize = 5;
/// The most that `k` may be.
const K_MAX: u64 = 500;
/// The most that `p` may be; the least is 0.01.
const P_MAX: f64 = 0.99;
const P_MIN: f64 = 0.01;

/// Writes the parameters that Cohere has, in its own names and bounds.
pub fn write(body: &mut Map, sampling: &Sampling, losses: &mut Vec<Loss>) {
    if let Some(heat) = &sampling.temperature {
        body.insert("temperature".to_owned(), json!(heat));
    }
    if let Some(p) = bounded("top_p", sampling.top_p.as_ref(), (P_MIN, P_MAX), losses) {
        body.insert("p".to_owned(), json!(p));
    }
    if let Some(k) = sampling.top_k {
        if k > K_MAX {
            losses.push(Loss::new(
                "top_k",
                Reason::degraded("cut to 500, Cohere's highest"),
            ));
        }
        body.insert("k".to_owned(), json!(k.min(K_MAX)));
    }
    penalties(body, sampling, losses);
    match sampling.seed {
        None => {}
        Some(seed) if seed >= 0 => {
            body.insert("seed".to_owned(), json!(seed));
        }
        Some(_) => losses.push(Loss::new("seed", "Cohere takes no negative seed")),
    }
    let stop: Vec<&String> = sampling.stop.iter().take(STOPS_MAX).collect();
    if stop.len() < sampling.stop.len() {
        losses.push(Loss::new(
            "stop",
            Reason::degraded("Cohere takes five; the first were kept"),
        ));
    }
    if !stop.is_empty() {
        body.insert("stop_sequences".to_owned(), json!(stop));
    }
    for field in unknown(sampling) {
        losses.push(Loss::new(field, "Cohere has no such parameter"));
    }
    if sampling.logprobs == Some(true) || sampling.top_logprobs.unwrap_or(0) > 0 {
        let reason = "Cohere's are of pieces of text and not of tokens";
        losses.push(Loss::new("logprobs", reason));
    }
}

/// "cannot specify both frequency_penalty and presence_penalty"
/// (docs.cohere.com/reference/errors, 2026).
fn penalties(body: &mut Map, sampling: &Sampling, losses: &mut Vec<Loss>) {
    let mut is_given = false;
    for (name, number) in [
        ("frequency_penalty", &sampling.frequency_penalty),
        ("presence_penalty", &sampling.presence_penalty),
    ] {
        let number = number.as_ref().filter(|number| !number.is_about(0.0));
        if number.is_some() && is_given {
            losses.push(Loss::new(name, "cannot be combined with frequency_penalty"));
            continue;
        }
        if let Some(number) = bounded(name, number, (0.0, 1.0), losses) {
            is_given = true;
            body.insert(name.to_owned(), json!(number));
        }
    }
}

/// A number within bounds, cut to them if it is not.
fn bounded(
    name: &str,
    number: Option<&Number>,
    (min, max): (f64, f64),
    losses: &mut Vec<Loss>,
) -> Option<Number> {
    let number = number?;
    let given = number.as_f64()?;
    if (min..=max).contains(&given) {
        return Some(number.clone());
    }
    let cut = given.clamp(min, max);
    losses.push(Loss::new(name, Reason::degraded(format!("cut to {cut}"))));
    Number::from_f64(cut)
}

/// Parameters that ask for something that Cohere does not have.
fn unknown(sampling: &Sampling) -> impl Iterator<Item = &'static str> {
    let asks = |number: &Option<Number>, neutral| {
        number
            .as_ref()
            .is_some_and(|number| !number.is_about(neutral))
    };
    let biases = sampling.logit_bias.as_ref();
    [
        ("min_p", asks(&sampling.min_p, 0.0)),
        ("top_a", asks(&sampling.top_a, 0.0)),
        (
            "repetition_penalty",
            asks(&sampling.repetition_penalty, 1.0),
        ),
        (
            "logit_bias",
            biases.is_some_and(|biases| !biases.is_empty()),
        ),
        ("n", sampling.n.unwrap_or(1) > 1),
    ]
    .into_iter()
    .filter_map(|(field, is_asked)| is_asked.then_some(field))
}
