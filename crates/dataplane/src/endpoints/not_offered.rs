//! What OpenRouter offers beside models and this server does not. It is
//! refused, because an answer without it would look like one with it.

use std::collections::BTreeMap;

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use serde::de::IgnoredAny;

/// The plugin that searches.
const WEB: &str = "web";
/// What the provider's own search is called among engines.
const NATIVE: &str = "native";
/// Settings that say how an engine's finds are put into the prompt, which a
/// provider that searches by itself does in its own way.
const OF_ENGINES: &[&str] = &["max_results", "mode", "search_prompt"];

/// The members of a request by which it is asked for, as JSON text; a preset by
/// its name.
#[derive(Debug, Default)]
pub(super) struct NotOffered<'a> {
    pub debug: Option<&'a [u8]>,
    pub preset: Option<&'a str>,
    pub plugins: Option<&'a [u8]>,
    pub transforms: Option<&'a [u8]>,
}

/// A search that the plugin `web` asks for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Search {
    /// What of its settings the provider is not told.
    pub losses: Vec<Loss>,
}

impl NotOffered<'_> {
    /// Refuses what is asked for; what is switched off is not.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        if let Some(debug) = self.debug {
            refuse_debug(debug)?;
        }
        if let Some(preset) = self.preset {
            return Err(Failure::invalid(format!(
                "preset: there is no preset `{preset}` on this server; send its parameters instead"
            )));
        }
        if plugins(self.plugins)?.is_some() {
            return Err(Failure::invalid(
                "plugins: `web` is for chat completions alone; remove it, or send the request to /api/v1/chat/completions",
            ));
        }
        refuse_transforms(self.transforms)
    }

    /// The same where a search can be asked for; whether one is.
    pub(super) fn or_search(mut self) -> Result<Option<Search>, Failure> {
        let search = plugins(self.plugins.take())?;
        self.refuse()?;
        Ok(search)
    }
}

fn refuse_debug(debug: &[u8]) -> Result<(), Failure> {
    #[derive(serde::Deserialize)]
    struct Debug {
        echo_upstream_body: Option<bool>,
    }
    let asked = serde_json::from_slice(debug)
        .map_err(|error| Failure::invalid(format!("debug: not as it is documented ({error})")))?;
    match asked {
        Debug {
            echo_upstream_body: Some(true),
        } => Err(Failure::invalid(
            "debug.echo_upstream_body: this server does not show what a provider was sent; \
             remove it, and ask for X-OpenRouter-Metadata instead",
        )),
        Debug { .. } => Ok(()),
    }
}

/// The search that is asked for, if one is. What a provider finds by itself is
/// all there is: there is no engine here (openrouter.ai/docs, web search,
/// October 2026: `engine: "native"`).
fn plugins(listed_as: Option<&[u8]>) -> Result<Option<Search>, Failure> {
    #[derive(serde::Deserialize)]
    struct Plugin {
        id: String,
        enabled: Option<bool>,
        engine: Option<String>,
        /// Its other settings. Those of a plugin that is not run do not matter.
        #[serde(flatten)]
        settings: BTreeMap<String, IgnoredAny>,
    }
    let plugins: Vec<Plugin> = listed("plugins", listed_as)?;
    let mut search = None;
    for (at, plugin) in plugins.into_iter().enumerate() {
        if plugin.enabled == Some(false) {
            continue;
        }
        if plugin.id != WEB {
            return Err(Failure::invalid(format!(
                "plugins: this server runs no plugin `{}`; remove it, or say `\"enabled\": false`",
                plugin.id
            )));
        }
        if let Some(engine) = plugin.engine.filter(|engine| engine != NATIVE) {
            return Err(Failure::invalid(format!(
                "plugins[{at}].engine: this server has no search engine `{engine}`; remove it, so that the provider searches, or say `{NATIVE}`"
            )));
        }
        let asked = search.get_or_insert_with(Search::default);
        for name in plugin.settings.into_keys() {
            let path = format!("plugins[{at}].{name}");
            // What is found elsewhere than it may be is no answer.
            if !OF_ENGINES.contains(&name.as_str()) {
                return Err(Failure::invalid(format!(
                    "{path}: cannot be told to a provider that searches by itself; remove it"
                )));
            }
            asked
                .losses
                .push(Loss::new(path, "the provider searches in its own way"));
        }
    }
    Ok(search)
}

/// All but `middle-out`: what that cuts is what does not fit, and that is
/// refused.
fn refuse_transforms(transforms: Option<&[u8]>) -> Result<(), Failure> {
    let transforms: Vec<String> = listed("transforms", transforms)?;
    match transforms.iter().find(|name| *name != "middle-out") {
        Some(other) => Err(Failure::invalid(format!(
            "transforms: `{other}` is not one that this server knows; remove it"
        ))),
        None => Ok(()),
    }
}

/// What is in a list that the scanner left as it came.
fn listed<T: serde::de::DeserializeOwned>(
    field: &str,
    json: Option<&[u8]>,
) -> Result<Vec<T>, Failure> {
    let list = json.map(serde_json::from_slice::<Option<Vec<T>>>);
    let list = list.transpose().map_err(|error| {
        Failure::invalid(format!("{field}: not a list as it is documented ({error})"))
    })?;
    Ok(list.flatten().unwrap_or_default())
}
