//! What the catalog does not know, counted: a number for each kind of hole.
//!
//! The numbers of the embedded catalog are in `data/holes.json`, which a test
//! holds against it. They may only fall; but those of other models than text
//! grow where the catalog takes in a kind of model that it did not have.
//! No source says when those came out.

use std::collections::BTreeMap;

use crate::interface::Interface;
use crate::model::{Modality, Model, Provider};
use crate::snapshot::Snapshot;

/// A kind of hole, and where there is one.
pub type Holes = BTreeMap<&'static str, Vec<String>>;

/// Lists every hole of `catalog`.
#[must_use]
pub fn of(catalog: &Snapshot) -> Holes {
    let mut holes = Holes::new();
    for model in catalog.models() {
        of_model(catalog, model, &mut holes);
    }
    for endpoint in catalog.all_endpoints() {
        let speaks = endpoint.output_modalities.contains(Modality::Text);
        let kinds = [
            ("offers without a price", !endpoint.prices.is_known()),
            (
                "offers of text without a context length",
                speaks && endpoint.context_length == 0,
            ),
        ];
        note(&mut holes, kinds, &endpoint.id);
    }
    for provider in catalog.providers() {
        of_provider(provider, &mut holes);
    }
    holes
}

fn note<const N: usize>(holes: &mut Holes, kinds: [(&'static str, bool); N], subject: &str) {
    for (kind, is_hole) in kinds {
        // A kind without holes has a number too.
        let subjects = holes.entry(kind).or_default();
        if is_hole {
            subjects.push(subject.to_owned());
        }
    }
}

fn of_model(catalog: &Snapshot, model: &Model, holes: &mut Holes) {
    let endpoints = catalog.endpoints(model.ix);
    // What is talked with has no text of its own, and its makers say less of it.
    let mut offers = endpoints.iter();
    let talks = offers.any(|endpoint| endpoint.interface == Interface::Realtime);
    let speaks = model.has_text_output() && !talks;
    let is_other = !speaks && !talks;
    let is_of_gateways = endpoints
        .iter()
        .all(|endpoint| catalog.provider(endpoint.provider).is_gateway);
    let is_elsewhere = endpoints.iter().all(|endpoint| !endpoint.is_callable());
    let has_efforts = model
        .reasoning
        .is_some_and(|reasoning| reasoning.max_tokens || !reasoning.efforts.is_empty());
    let has_no_dated_name = model.canonical_slug == model.slug && !ends_in_digits(&model.slug);
    let kinds = [
        (
            "models of text without a release date",
            speaks && model.created.is_none(),
        ),
        (
            "other models without a release date",
            is_other && model.created.is_none(),
        ),
        (
            "models that are talked with without a release date",
            talks && model.created.is_none(),
        ),
        (
            "models of text without a dated name",
            speaks && has_no_dated_name,
        ),
        (
            "other models without a dated name",
            is_other && has_no_dated_name,
        ),
        (
            "models that are talked with without a dated name",
            talks && has_no_dated_name,
        ),
        ("models without a description", model.description.is_empty()),
        (
            "models of text whose tokenizer has no name",
            speaks
                && model
                    .tokenizer
                    .as_deref()
                    .is_none_or(|name| name == "Other"),
        ),
        (
            "models of text without a knowledge cutoff",
            speaks && model.knowledge_cutoff.is_none(),
        ),
        (
            "open models without their repository",
            model.open_weights && model.hugging_face_id.is_none(),
        ),
        (
            "reasoning models without efforts or a budget",
            model.reasoning.is_some() && !has_efforts,
        ),
        ("models that only other gateways offer", is_of_gateways),
        (
            "models that nobody offers over an interface that is spoken here",
            is_elsewhere,
        ),
    ];
    note(holes, kinds, &model.slug);
}

/// A name that ends in a date needs no other.
fn ends_in_digits(slug: &str) -> bool {
    let last = slug.rsplit('-').next().unwrap_or("");
    last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_digit())
}

fn of_provider(provider: &Provider, holes: &mut Holes) {
    let kinds = [
        (
            "providers without a data policy",
            provider.data_policy_source.is_none(),
        ),
        (
            "providers without a privacy page",
            provider.privacy_url.is_none(),
        ),
        (
            "providers without a country",
            provider.headquarters.is_none(),
        ),
    ];
    note(holes, kinds, &provider.slug);
}
