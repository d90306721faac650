//! What OpenRouter offers beside models and this server does not. It is
//! refused, because an answer without it would look like one with it.

use bourse_vocab::Failure;

/// The members of a request by which it is asked for, as JSON text; a preset by
/// its name.
#[derive(Debug, Default)]
pub(super) struct NotOffered<'a> {
    pub debug: Option<&'a [u8]>,
    pub preset: Option<&'a str>,
    pub plugins: Option<&'a [u8]>,
    pub transforms: Option<&'a [u8]>,
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
        refuse_plugins(self.plugins)?;
        refuse_transforms(self.transforms)
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

fn refuse_plugins(plugins: Option<&[u8]>) -> Result<(), Failure> {
    /// Its settings do not matter where none is run.
    #[derive(serde::Deserialize)]
    struct Plugin {
        id: String,
        enabled: Option<bool>,
    }
    let plugins: Vec<Plugin> = listed("plugins", plugins)?;
    match plugins.iter().find(|plugin| plugin.enabled != Some(false)) {
        Some(plugin) => Err(Failure::invalid(format!(
            "plugins: this server runs no plugin `{}`; remove it, or say `\"enabled\": false`",
            plugin.id
        ))),
        None => Ok(()),
    }
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
