//! From a provider's name for a model to ours.
//!
//! Hosts spell the same open model in a dozen ways (`Llama-3.3-70B-Instruct-Turbo`,
//! `llama-v3p3-70b-instruct`, `@cf/meta/llama-3.3-70b-instruct-fp8-fast`).
//! Names are compared without case and punctuation; words at the end that
//! say how a model is served, not which it is, are taken off one by one and
//! become the endpoint's tag or quantization.

use std::collections::HashMap;

use crate::model::Quantization;
use crate::raw::RawCatalog;
use crate::slug::is_slug;

/// Whether an unknown name may become a new model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown<'a> {
    /// It is this author's, whatever it is called like.
    Own(&'a str),
    /// Leave it out.
    Skip,
    /// Name it if its author can be told from the name.
    Guess,
    /// Name it as a model of this author.
    Author(&'a str),
}

/// What a provider's name says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// Our name for the model.
    pub slug: String,
    /// How it is served, such as `turbo` or `eu`; empty if nothing is said.
    pub kind: String,
    /// How the weights are stored.
    pub quantization: Quantization,
}

/// Names that are known so far.
#[derive(Debug, Default)]
pub struct Names {
    by_key: HashMap<String, String>,
}

/// Authors by the first letters of a model's name, longest match first
/// where one begins another.
const AUTHORS: &[(&str, &str)] = &[
    ("chatgpt", "openai"),
    ("gpt", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude", "anthropic"),
    ("gemini", "google"),
    ("gemma", "google"),
    ("llama", "meta-llama"),
    ("qwen", "qwen"),
    ("qwq", "qwen"),
    ("qvq", "qwen"),
    ("deepseek", "deepseek"),
    ("glm", "z-ai"),
    ("kimi", "moonshotai"),
    ("minimax", "minimax"),
    ("mistral", "mistralai"),
    ("mixtral", "mistralai"),
    ("ministral", "mistralai"),
    ("magistral", "mistralai"),
    ("devstral", "mistralai"),
    ("codestral", "mistralai"),
    ("pixtral", "mistralai"),
    ("voxtral", "mistralai"),
    ("grok", "x-ai"),
    ("command", "cohere"),
    ("nova", "amazon"),
    ("phi", "microsoft"),
    ("hermes", "nousresearch"),
    ("nemotron", "nvidia"),
    ("granite", "ibm-granite"),
    ("ernie", "baidu"),
    ("doubao", "bytedance-seed"),
    ("seed", "bytedance-seed"),
    ("step", "stepfun"),
    ("mimo", "xiaomi"),
    ("hunyuan", "tencent"),
    ("jamba", "ai21"),
    ("sonar", "perplexity"),
    ("solar", "upstage"),
    ("lfm", "liquid"),
    ("mercury", "inception"),
    ("ling", "inclusionai"),
    ("ring", "inclusionai"),
    ("kat", "kwaipilot"),
    ("longcat", "meituan"),
    ("olmo", "allenai"),
    ("trinity", "arcee-ai"),
    ("muse", "meta"),
    ("palmyra", "writer"),
    ("laguna", "poolside"),
];

/// Authors by the organisation that a host puts before a model's name, and
/// by models.dev's names for them.
const ORGANISATIONS: &[(&str, &str)] = &[
    ("alibaba", "qwen"),
    ("allenai", "allenai"),
    ("amazon", "amazon"),
    ("anthropic", "anthropic"),
    ("arcee-ai", "arcee-ai"),
    ("baai", "baai"),
    ("baidu", "baidu"),
    ("bytedance", "bytedance"),
    ("bytedance-seed", "bytedance-seed"),
    ("cohere", "cohere"),
    ("coherelabs", "cohere"),
    ("deepreinforce", "deepreinforce"),
    ("deepcogito", "deepcogito"),
    ("deepseek", "deepseek"),
    ("deepseek-ai", "deepseek"),
    ("google", "google"),
    ("gryphe", "gryphe"),
    ("ibm-granite", "ibm-granite"),
    ("inclusionai", "inclusionai"),
    ("intfloat", "intfloat"),
    ("kwaipilot", "kwaipilot"),
    ("liquidai", "liquid"),
    ("meituan-longcat", "meituan"),
    ("meta", "meta-llama"),
    ("meta-llama", "meta-llama"),
    ("meta-models", "meta"),
    ("microsoft", "microsoft"),
    ("minimax", "minimax"),
    ("minimaxai", "minimax"),
    ("mistral", "mistralai"),
    ("mistralai", "mistralai"),
    ("moonshotai", "moonshotai"),
    ("nousresearch", "nousresearch"),
    ("nvidia", "nvidia"),
    ("openai", "openai"),
    ("openbmb", "openbmb"),
    ("perplexity", "perplexity"),
    ("poolside", "poolside"),
    ("prime-intellect", "prime-intellect"),
    ("qwen", "qwen"),
    ("sakana", "sakana"),
    ("sao10k", "sao10k"),
    ("sarvam", "sarvam"),
    ("stepfun", "stepfun"),
    ("stepfun-ai", "stepfun"),
    ("tencent", "tencent"),
    ("thedrummer", "thedrummer"),
    ("thinkingmachines", "thinkingmachines"),
    ("writer", "writer"),
    ("x-ai", "x-ai"),
    ("xai", "x-ai"),
    ("xiaomi", "xiaomi"),
    ("xiaomimimo", "xiaomi"),
    ("z-ai", "z-ai"),
    ("zai", "z-ai"),
    ("zai-org", "z-ai"),
    ("zhipuai", "z-ai"),
];

/// Names that differ in more than spelling from the ones callers type.
const SYNONYMS: &[(&str, &str)] = &[
    ("claude-opus-4-0", "anthropic/claude-opus-4"),
    ("claude-sonnet-4-0", "anthropic/claude-sonnet-4"),
    ("deepseek-v3", "deepseek/deepseek-chat"),
    ("deepseek-v3-0324", "deepseek/deepseek-chat-v3-0324"),
    ("deepseek-v3.1", "deepseek/deepseek-chat-v3.1"),
    ("grok-code-fast", "x-ai/grok-code-fast-1"),
    ("grok-code-fast-1-0825", "x-ai/grok-code-fast-1"),
    ("grok-4.20-0309-reasoning", "x-ai/grok-4.20"),
    ("grok-4.20-reasoning", "x-ai/grok-4.20"),
    ("grok-4.20-multi-agent-0309", "x-ai/grok-4.20-multi-agent"),
    (
        "omni-moderation-latest",
        "openai/omni-moderation-2024-09-26",
    ),
    ("nova-lite", "amazon/nova-lite-v1"),
    ("nova-micro", "amazon/nova-micro-v1"),
    ("nova-premier", "amazon/nova-premier-v1"),
    ("nova-pro", "amazon/nova-pro-v1"),
    ("kimi-k2-instruct", "moonshotai/kimi-k2"),
    ("kimi-k2-instruct-0905", "moonshotai/kimi-k2-0905"),
    (
        "llama-4-maverick-17b-128e-instruct",
        "meta-llama/llama-4-maverick",
    ),
    (
        "llama-4-maverick-17b-instruct",
        "meta-llama/llama-4-maverick",
    ),
    // How Vertex lists them: there is no Maverick of 16 experts.
    (
        "llama-4-maverick-17b-16e-instruct",
        "meta-llama/llama-4-maverick",
    ),
    (
        "llama-4-scout-17b-128e-instruct",
        "meta-llama/llama-4-scout",
    ),
    ("llama-4-scout-17b-16e-instruct", "meta-llama/llama-4-scout"),
    ("llama-4-scout-17b-instruct", "meta-llama/llama-4-scout"),
    ("ministral-3-14b-2512", "mistralai/ministral-14b-2512"),
    ("ministral-3-8b-2512", "mistralai/ministral-8b-2512"),
    ("ministral-3-3b-2512", "mistralai/ministral-3b-2512"),
    ("mistral-large-4-0", "mistralai/mistral-large-4"),
    ("mistral-nemo-instruct-2407", "mistralai/mistral-nemo"),
    (
        "mistral-small-3.1-24b-instruct-2503",
        "mistralai/mistral-small-3.1-24b-instruct",
    ),
    (
        "mistral-small-3.2-24b-instruct-2506",
        "mistralai/mistral-small-3.2-24b-instruct",
    ),
    ("mistral-medium-2604", "mistralai/mistral-medium-3-5"),
    (
        "ministral-3-14b-instruct-2512",
        "mistralai/ministral-14b-2512",
    ),
    (
        "ministral-3-8b-instruct-2512",
        "mistralai/ministral-8b-2512",
    ),
    (
        "ministral-3-3b-instruct-2512",
        "mistralai/ministral-3b-2512",
    ),
    ("devstral-2-123b-instruct-2512", "mistralai/devstral-2512"),
    ("qwen3-235b-a22b-instruct-2507", "qwen/qwen3-235b-a22b-2507"),
    ("qwen3-235b-a22b-instruct", "qwen/qwen3-235b-a22b-2507"),
    ("qwen3-coder-480b-a35b-instruct", "qwen/qwen3-coder"),
    ("qwen3-coder-480b-a35b", "qwen/qwen3-coder"),
];

/// Words at the end of a name that say how fast, where or in what wrapping
/// a model is served.
const KINDS: &[&str] = &[
    "turbo",
    "tput",
    "fast",
    "highspeed",
    "lightning",
    "tee",
    "basic",
    "ultraspeed",
    "throughput",
    "flex",
    "us",
    "eu",
];

/// Words at the end of a name that say nothing we keep.
const NOISE: &[&str] = &["maas", "latest", "hf", "default", "dynamic", "gguf", "mlx"];

/// Regions that Bedrock puts in front of a name.
const REGIONS: &[&str] = &["us", "eu", "global", "apac", "au", "jp", "us-gov", "ca"];

impl Names {
    /// The names in `catalog`.
    #[must_use]
    pub fn of(catalog: &RawCatalog) -> Self {
        let mut names = Self::default();
        for slug in catalog.models.keys() {
            names.learn(slug);
        }
        names
    }

    /// Makes `slug` known.
    pub fn learn(&mut self, slug: &str) {
        if slug.contains(':') {
            return;
        }
        if let Some((_, model)) = slug.split_once('/') {
            self.by_key
                .entry(key(model))
                .or_insert_with(|| slug.to_owned());
        }
    }

    /// Our slug for models.dev's `author/model`, new if need be.
    pub fn base(&mut self, base: &str) -> Option<String> {
        let (author, model) = base.split_once('/')?;
        let mut rest = words(model);
        loop {
            if let Some(known) = self.find(&rest) {
                return Some(known);
            }
            // Only dates and the like: a base model's speed is its own.
            let is_wording = |word: &String| {
                KINDS.contains(&word.as_str()) || Quantization::by_name(word).is_some()
            };
            if rest.last().is_some_and(is_wording) || !peel(&mut rest, &mut Named::default()) {
                break;
            }
        }
        let author = organisation(author).unwrap_or(author);
        self.invent(author, model)
    }

    /// Whether `name` is the base model's with words added that hold no
    /// number: the same model in some wrapping, and not a relative.
    #[must_use]
    pub fn is_wrapping_of(name: &str, base_slug: &str) -> bool {
        let base = base_slug
            .split_once('/')
            .map_or(base_slug, |(_, model)| model);
        let name = name.rsplit('/').next().unwrap_or(name);
        key(&words(name).join("-"))
            .strip_prefix(&key(base))
            .is_some_and(|rest| !rest.contains(is_digit))
    }

    /// Whether a provider's name for a model tells who made it.
    #[must_use]
    pub fn has_known_author(name: &str) -> bool {
        author_of(&words(name.rsplit('/').next().unwrap_or(name)).join("-")).is_some()
    }

    /// What a provider's name for a model says. `None` if it is not known
    /// and may not become a new one.
    pub fn read(&mut self, upstream: &str, unknown: Unknown<'_>) -> Option<Named> {
        let mut named = Named::default();
        let mut segments = upstream.rsplit(['/', '|']);
        let model = segments.next()?.trim_start_matches("hf:");
        let organisation_word = segments.next().unwrap_or("").trim_start_matches("hf:");
        let model = model.split('@').next().unwrap_or(model);
        // Bedrock's versions of an interface: `…-v1:0`, `…-1:0`.
        let model = match model.split_once(':') {
            Some((start, rest)) if rest.starts_with(is_digit) => {
                let start = start
                    .strip_suffix("-v1")
                    .or_else(|| start.strip_suffix("-v2"));
                let plain = model.split_once(':').map_or(model, |(start, _)| start);
                start.or_else(|| plain.strip_suffix("-1")).unwrap_or(plain)
            }
            _ => model
                .strip_suffix("-v1")
                .filter(|m| m.contains("anthropic."))
                .unwrap_or(model),
        };
        let (model, vendor) = strip_region(model, &mut named);
        let mut rest = words(model);
        loop {
            if let Some(slug) = self.find(&rest) {
                named.slug = slug;
                return Some(named);
            }
            if !peel(&mut rest, &mut named) {
                break;
            }
        }
        for other in alternatives(&rest.join("-")) {
            if let Some(slug) = self.by_key.get(&key(&other)) {
                named.slug.clone_from(slug);
                return Some(named);
            }
        }
        if let Some(slug) = self.by_size(&rest.join("-")) {
            named.slug = slug;
            return Some(named);
        }
        // For a model of its own only what surely is not part of the name
        // comes off: `qwen-turbo` is no quicker `qwen`.
        named.quantization = Quantization::Unknown;
        let bare = without_wrapping(words(model), &mut named).join("-");
        let author = match unknown {
            Unknown::Skip => return None,
            Unknown::Own(author) => author,
            // Makers also serve what others made.
            Unknown::Author(author) => author_of(&bare).unwrap_or(author),
            Unknown::Guess => organisation(&organisation_word.to_ascii_lowercase())
                .or_else(|| organisation(vendor))
                .or_else(|| author_of(&bare))?,
        };
        named.slug = self.invent(author, &bare)?;
        Some(named)
    }

    fn find(&self, words: &[String]) -> Option<String> {
        let name = words.join("-");
        let wanted = key(&name);
        if let Some(slug) = self.by_key.get(&wanted) {
            return Some(slug.clone());
        }
        let synonym = SYNONYMS.iter().find(|(other, _)| key(other) == wanted)?;
        // A synonym of a model that nobody offers would be a dead end.
        let (_, model) = synonym.1.split_once('/')?;
        self.by_key.get(&key(model)).cloned()
    }

    /// Hosts often leave out how many parameters are active: the only known
    /// name that goes on with just that.
    fn by_size(&self, name: &str) -> Option<String> {
        let start = key(name);
        let mut longer = self.by_key.iter().filter(|(known, _)| {
            let Some(rest) = known.strip_prefix(&start) else {
                return false;
            };
            let rest = rest.strip_suffix("instruct").unwrap_or(rest);
            let active = rest
                .strip_prefix('a')
                .and_then(|rest| rest.strip_suffix('b'));
            active.is_some_and(|n| !n.is_empty() && n.chars().all(is_digit))
        });
        match (longer.next(), longer.next()) {
            (Some((_, slug)), None) => Some(slug.clone()),
            _ => None,
        }
    }

    fn invent(&mut self, author: &str, model: &str) -> Option<String> {
        let mut model = model
            .to_ascii_lowercase()
            .replace([':', ' ', '(', ')'], "-");
        if matches!(author, "anthropic" | "google" | "openai" | "z-ai") {
            model = with_point(&model);
        }
        if let Some(rest) = model.strip_prefix("qwen-3") {
            model = format!("qwen3{rest}");
        }
        // A name that moves from model to model has no price of its own.
        if model.ends_with("latest") {
            return None;
        }
        let slug = format!("{author}/{model}");
        if !is_slug(&slug) {
            return None;
        }
        self.learn(&slug);
        Some(slug)
    }
}

/// Makers and hosts write `claude-opus-4-8-20260101` where callers of a
/// router write `claude-opus-4.8`.
fn with_point(model: &str) -> String {
    let mut out = String::new();
    for word in model.split('-') {
        let is_number = word.len() == 1 && word.starts_with(is_digit);
        if word.len() == 8 && word.chars().all(is_digit) {
            continue;
        }
        match out.chars().next_back() {
            None => {}
            Some(last) if is_number && is_digit(last) => out.push('.'),
            Some(_) => out.push('-'),
        }
        out.push_str(word);
    }
    out
}

/// Our name for an organisation.
#[must_use]
pub fn organisation(name: &str) -> Option<&'static str> {
    ORGANISATIONS
        .iter()
        .find(|(theirs, _)| *theirs == name)
        .map(|(_, ours)| *ours)
}

fn author_of(model: &str) -> Option<&'static str> {
    AUTHORS
        .iter()
        .find(|(start, _)| model.starts_with(start))
        .map(|(_, author)| *author)
}

/// Bedrock writes `us.anthropic.claude-…`: region, vendor, model.
fn strip_region<'a>(model: &'a str, named: &mut Named) -> (&'a str, &'a str) {
    let mut rest = model;
    if let Some((region, after)) = rest.split_once('.')
        && REGIONS.contains(&region)
    {
        region.clone_into(&mut named.kind);
        rest = after;
    }
    match rest.split_once('.') {
        Some((vendor, after))
            if vendor.bytes().all(|b| b.is_ascii_lowercase()) && author_of(vendor).is_none()
                || rest.starts_with("minimax.")
                || rest.starts_with("mistral.")
                || rest.starts_with("qwen.") =>
        {
            (after, vendor)
        }
        _ => (rest, ""),
    }
}

/// The name in lower case, cut at hyphens; `p` between digits is a point.
fn words(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let mut plain = String::with_capacity(lower.len());
    for (index, letter) in lower.char_indices() {
        let digit = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(u8::is_ascii_digit)
        };
        let letter = match letter {
            'p' if digit(index.checked_sub(1)) && digit(index.checked_add(1)) => '.',
            '_' | ' ' | ':' => '-',
            other => other,
        };
        plain.push(letter);
    }
    let plain = plain.replace("deepseek.", "deepseek-");
    let plain = plain
        .strip_prefix("meta-llama")
        .map(|rest| format!("llama{rest}"))
        .or_else(|| plain.strip_prefix("nvidia-").map(str::to_owned))
        .or_else(|| plain.strip_prefix("databricks-").map(str::to_owned))
        .or_else(|| {
            plain
                .strip_prefix("zai-glm")
                .map(|rest| format!("glm{rest}"))
        })
        .unwrap_or(plain);
    // Some hosts write `llama-v3` for Llama 3.
    let has_plain_numbers = plain.starts_with("llama") || plain.starts_with("qwen");
    plain
        .split('-')
        .filter(|word| !word.is_empty())
        .map(|word| match word.strip_prefix('v') {
            Some(number) if has_plain_numbers && number.starts_with(is_digit) => number.to_owned(),
            _ => word.to_owned(),
        })
        .collect()
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

/// What is compared: letters and digits only. Claude 4 and later were once
/// written with the number first.
fn key(name: &str) -> String {
    let squeezed: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let Some(rest) = squeezed.strip_prefix("claude") else {
        return squeezed;
    };
    let family = rest.trim_start_matches(is_digit);
    let number = rest.get(..rest.len() - family.len()).unwrap_or("");
    let is_later = number.bytes().next().is_some_and(|digit| digit >= b'4');
    match ["opus", "sonnet", "haiku"]
        .iter()
        .find(|name| family.starts_with(**name))
    {
        Some(name) if is_later => {
            let after = family.get(name.len()..).unwrap_or("");
            format!("claude{name}{number}{after}")
        }
        _ => squeezed,
    }
}

/// Takes one word, or one date, off the end if it does not say which model
/// this is.
fn peel(words: &mut Vec<String>, named: &mut Named) -> bool {
    if words.len() < 2 {
        return false;
    }
    let is_digits = |word: &str, length: usize| {
        word.len() == length && word.bytes().all(|b| b.is_ascii_digit())
    };
    if let [.., year, month, day] = words.as_slice()
        && words.len() > 3
        && is_digits(year, 4)
        && is_digits(month, 2)
        && is_digits(day, 2)
    {
        words.truncate(words.len() - 3);
        return true;
    }
    let Some(last) = words.last() else {
        return false;
    };
    let quantization = Quantization::by_name(last).filter(|level| !level.is_unknown());
    if let Some(level) = quantization {
        named.quantization = level;
    } else if last == "6bit" || last == "4bit" || last == "awq" {
        named.quantization = if last == "6bit" {
            Quantization::Fp6
        } else {
            Quantization::Int4
        };
    } else if KINDS.contains(&last.as_str()) && words.first().is_none_or(|word| word != "grok") {
        named.kind = match named.kind.as_str() {
            "" => last.clone(),
            region => format!("{region}-{last}"),
        };
    } else if matches!(last.as_str(), "instant" | "versatile")
        && words.first().is_some_and(|word| word.starts_with("llama"))
    {
        // Groq's words for how it serves Llama.
    } else if !(NOISE.contains(&last.as_str()) || is_digits(last, 8) && last.starts_with("20")) {
        return false;
    }
    words.pop();
    true
}

/// Takes off quantization, and speed where a size before it shows that the
/// name was complete without.
fn without_wrapping(mut words: Vec<String>, named: &mut Named) -> Vec<String> {
    let region = std::mem::take(&mut named.kind);
    let is_complete = |words: &[String]| {
        words.iter().any(|word| {
            word.strip_suffix('b')
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        })
    };
    while let Some(last) = words.last() {
        let is_wrapping = matches!(last.as_str(), "maas" | "hf" | "tee" | "dynamic" | "0")
            || Quantization::by_name(last).is_some()
            || KINDS.contains(&last.as_str()) && is_complete(&words);
        if !is_wrapping || !peel(&mut words, named) {
            break;
        }
    }
    if !region.is_empty() && !named.kind.starts_with(&region) {
        named.kind = if named.kind.is_empty() {
            region
        } else {
            format!("{region}-{}", named.kind)
        };
    }
    words
}

/// Hosts often leave out, or add, that a model follows instructions, and
/// leave out that it is a preview.
fn alternatives(name: &str) -> Vec<String> {
    let mut others = vec![format!("{name}-instruct"), format!("{name}-it")];
    if name.starts_with("gemini") {
        others.push(format!("{name}-preview"));
    }
    for ending in ["-instruct", "-it"] {
        if let Some(without) = name.strip_suffix(ending) {
            others.push(without.to_owned());
        }
    }
    others
}
