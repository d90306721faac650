//! Laying a newer price list over an older one.

use std::collections::{BTreeMap, BTreeSet};

use bourse_vocab::PicosPerUnit;

use super::Note;
use crate::model::{Modalities, Modality};
use crate::price::{PriceKey, Prices};
use crate::raw::{RawCatalog, RawEndpoint, RawModel, RawPrice};

/// Prices further apart than this many parts in a hundred disagree.
const AGREEMENT_PERCENT: u64 = 1;

/// Lays `newer` over `older`: what it knows is taken, what it does not say
/// stays. Where both state a price the newer wins, and a disagreement is
/// noted.
pub fn merge(older: &mut RawCatalog, newer: RawCatalog) -> Vec<Note> {
    let mut notes = Vec::new();
    for (slug, provider) in newer.providers {
        older.providers.entry(slug).or_insert(provider);
    }
    for (slug, model) in newer.models {
        match older.models.get_mut(&slug) {
            Some(known) => merge_model(known, model),
            None => {
                older.models.insert(slug, model);
            }
        }
    }
    for (id, endpoint) in newer.endpoints {
        let same = older
            .endpoints
            .get(&id)
            .map(|_| id.clone())
            .or_else(|| same_offer(older, &endpoint));
        match same.and_then(|id| older.endpoints.get_mut(&id).map(|known| (id, known))) {
            Some((id, known)) => merge_endpoint(&id, known, endpoint, &mut notes),
            None => {
                older.endpoints.insert(id, endpoint);
            }
        }
    }
    notes
}

/// The id under which the same provider's same model is already filed.
fn same_offer(older: &RawCatalog, endpoint: &RawEndpoint) -> Option<String> {
    let first = format!("{}@", endpoint.model);
    older
        .endpoints
        .range(first.clone()..)
        .take_while(|(id, _)| id.starts_with(&first))
        .find(|(_, known)| {
            known.provider == endpoint.provider
                && known
                    .upstream_model
                    .eq_ignore_ascii_case(&endpoint.upstream_model)
        })
        .map(|(id, _)| id.clone())
}

fn merge_model(known: &mut RawModel, newer: RawModel) {
    fn fill<T>(slot: &mut Option<T>, value: Option<T>) {
        if slot.is_none() {
            *slot = value;
        }
    }
    fill(&mut known.max_output, newer.max_output);
    fill(&mut known.knowledge_cutoff, newer.knowledge_cutoff);
    fill(&mut known.tokenizer, newer.tokenizer);
    fill(&mut known.hugging_face_id, newer.hugging_face_id);
    fill(&mut known.reasoning, newer.reasoning);
    fill(&mut known.description, newer.description);
    if newer.expiration_date.is_some() {
        known.expiration_date = newer.expiration_date;
    }
    if known.context_length == 0 {
        known.context_length = newer.context_length;
    }
    // Some lists call what writes down speech a model of text, with which
    // nobody talks: a list that sells it so knows better.
    if newer.output == Modalities::of(&[Modality::Transcription]) {
        (known.input, known.output) = (newer.input, newer.output);
    }
    if known.created == 0 {
        known.created = newer.created;
    }
    for alias in newer.aliases {
        if !known.aliases.contains(&alias) {
            known.aliases.push(alias);
        }
    }
}

fn merge_endpoint(id: &str, known: &mut RawEndpoint, newer: RawEndpoint, notes: &mut Vec<Note>) {
    if newer.interface.is_some() {
        known.interface = newer.interface;
    }
    known.implicit_caching |= newer.implicit_caching;
    known.parameters = known.parameters.union(newer.parameters);
    if known.max_output.is_none() {
        known.max_output = newer.max_output;
    }
    if known.max_prompt.is_none() {
        known.max_prompt = newer.max_prompt;
    }
    let Some(price) = newer.price else { return };
    if !price.base.is_known() {
        return;
    }
    known.price = Some(match known.price.take() {
        Some(old) if old.base.is_known() => merge_price(id, &old, price, notes),
        _ => price,
    });
}

fn merge_price(id: &str, old: &RawPrice, mut newer: RawPrice, notes: &mut Vec<Note>) -> RawPrice {
    let mut agree = true;
    for key in [PriceKey::Prompt, PriceKey::Completion, PriceKey::CacheRead] {
        let (Some(a), Some(b)) = (old.base.get(key), newer.base.get(key)) else {
            continue;
        };
        if !are_close(a, b) {
            agree &= key == PriceKey::CacheRead;
            notes.push(Note::new(
                "sources disagree; the later one was taken",
                format!(
                    "`{id}` {key}: {} ({} {}) → {} ({} {})",
                    key.write(a),
                    old.source,
                    old.as_of,
                    key.write(b),
                    newer.source,
                    newer.as_of
                ),
            ));
        }
    }
    // Only while the two describe the same prices may one fill the other's
    // gaps: an old cache price beside a new input price is nobody's offer.
    if agree {
        let mut gaps = old.base;
        // One fee under two names would be charged twice.
        if gaps.request == newer.base.web_search {
            gaps.request = None;
        }
        newer.base = gaps.overlaid(&newer.base);
        if newer.tiers.is_empty() {
            newer.tiers.clone_from(&old.tiers);
        }
        if newer.services.is_empty() {
            newer.services.clone_from(&old.services);
        }
        newer.searches = newer.searches.or(old.searches);
    }
    newer
}

fn are_close(a: PicosPerUnit, b: PicosPerUnit) -> bool {
    let (low, high) = (a.get().min(b.get()), a.get().max(b.get()));
    (high - low).saturating_mul(100) <= high.saturating_mul(AGREEMENT_PERCENT)
}

/// Takes away prices that cannot be meant, above all zeros: a list that
/// states zero for one kind of token beside a price for others means "not
/// offered" or "not known", and believing it would give tokens away.
pub(crate) fn without_nonsense(prices: &mut Prices) -> bool {
    let zero = Some(PicosPerUnit::FREE);
    if prices
        .prompt
        .is_none_or(|price| price == PicosPerUnit::FREE)
    {
        return false;
    }
    let mut changed = false;
    for &key in PriceKey::ALL {
        if key != PriceKey::Completion && prices.get(key) == zero {
            prices.set(key, None);
            changed = true;
        }
    }
    // Nobody caches at a loss to the caller: such a price is of another
    // model, or of another unit.
    if prices.cache_read > prices.prompt {
        prices.cache_read = None;
        changed = true;
    }
    changed
}

/// Whether answers would cost nothing while questions do cost something:
/// for text that is a gap in the list.
pub(crate) fn gives_answers_away(prices: &Prices, output: Modalities) -> bool {
    let zero = Some(PicosPerUnit::FREE);
    output.contains(Modality::Text) && prices.completion == zero && prices.prompt != zero
}

/// Sorts out names that several models claim: one whose slug ends in just
/// that name keeps it, else nobody does, since guessing would call (and
/// bill) a model that was not asked for.
pub fn settle_aliases(catalog: &mut RawCatalog) -> Vec<Note> {
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (slug, model) in &catalog.models {
        for alias in &model.aliases {
            claims.entry(alias.clone()).or_default().push(slug.clone());
        }
    }
    let slugs: BTreeSet<String> = catalog.models.keys().cloned().collect();
    let mut notes = Vec::new();
    for (slug, model) in &mut catalog.models {
        let bare = slug.split_once('/').map_or("", |(_, bare)| bare);
        model.aliases.retain(|alias| {
            let claimants = claims.get(alias).map_or(0, Vec::len);
            let is_kept = !slugs.contains(alias) && (claimants <= 1 || alias == bare);
            if !is_kept {
                notes.push(Note::new(
                    "alias left out: several models claim it",
                    format!("{alias} for {slug}"),
                ));
            }
            is_kept
        });
        model.aliases.sort();
        model.aliases.dedup();
    }
    notes
}
