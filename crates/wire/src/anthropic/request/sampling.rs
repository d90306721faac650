//! Which sampling parameters there is something to say about.

use bourse_vocab::chat::Sampling;
use bourse_vocab::json::Number;

/// A number, unless it is about what the vendor does anyway: that is left out
/// without a word.
pub fn unless(number: &Option<Number>, neutral: f64) -> Option<Number> {
    number.clone().filter(|number| !number.is_about(neutral))
}

/// Parameters that ask for something that the vendor does not have.
pub fn unknown_sampling(sampling: &Sampling) -> impl Iterator<Item = &'static str> {
    let asks = |number: &Option<Number>, neutral| unless(number, neutral).is_some();
    [
        ("min_p", asks(&sampling.min_p, 0.0)),
        ("top_a", asks(&sampling.top_a, 0.0)),
        ("frequency_penalty", asks(&sampling.frequency_penalty, 0.0)),
        ("presence_penalty", asks(&sampling.presence_penalty, 0.0)),
        (
            "repetition_penalty",
            asks(&sampling.repetition_penalty, 1.0),
        ),
        ("seed", sampling.seed.is_some()),
        (
            "logit_bias",
            sampling
                .logit_bias
                .as_ref()
                .is_some_and(|biases| !biases.is_empty()),
        ),
        ("logprobs", sampling.logprobs == Some(true)),
        ("top_logprobs", sampling.top_logprobs.unwrap_or(0) > 0),
        ("n", sampling.n.unwrap_or(1) > 1),
    ]
    .into_iter()
    .filter_map(|(field, is_asked)| is_asked.then_some(field))
}
