//! The first start: an account, two keys and some credit to try with.

use std::net::SocketAddr;
use std::sync::Arc;

use bourse_dataplane::clock::now_ms;
use bourse_dataplane::gateway::Gateway;
use bourse_ledger::GrantKind;
use bourse_policy::KeyKind;
use bourse_store::{Grant, Store};
use bourse_vocab::Nanos;

use crate::keys;
use crate::office::LiveOffice;

/// The account that a single-operator installation uses.
pub const DEFAULT_ACCOUNT: &str = "default";
/// Credit that the first account starts with, so that the first request
/// works. It is booked as given away.
const STARTING_CREDIT: Nanos = Nanos::from_usd(10);

/// What is shown once.
pub struct Welcome {
    inference: String,
    management: String,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sets an empty installation up. `None` if it is not empty.
pub async fn welcome(
    store: &dyn Store,
    office: &Arc<LiveOffice>,
    _: &Arc<Gateway>,
) -> Result<Option<Welcome>, Error> {
    if !store.accounts().await?.is_empty() {
        return Ok(None);
    }
    let at_ms = now_ms();
    let account = store.create_account(DEFAULT_ACCOUNT, at_ms).await?;
    store
        .grant(Grant {
            account: account.id,
            kind: GrantKind::Promo,
            amount: STARTING_CREDIT,
            note: "starting credit".to_owned(),
            reference: Some("starting-credit".to_owned()),
            at_ms,
        })
        .await?;
    let key = |kind, name| keys::NewKeyRequest {
        account: account.id,
        kind,
        name,
        limit: None,
    };
    let inference = keys::create(store, key(KeyKind::Inference, "first key"), at_ms).await?;
    let management = keys::create(
        store,
        key(KeyKind::Management, "first management key"),
        at_ms,
    )
    .await?;
    office.look().await?;
    Ok(Some(Welcome {
        inference: inference.reveal().to_owned(),
        management: management.reveal().to_owned(),
    }))
}

/// A model that the printed request can use.
fn example_model(gateway: &Gateway) -> Option<String> {
    let market = gateway.market.load();
    let callable = |slug: &str| {
        market
            .catalog
            .resolve(slug)
            .is_some_and(|r| !market.targets_of(r.model).1.is_empty())
    };
    [
        "openai/gpt-4o-mini",
        "anthropic/claude-haiku-4.5",
        "google/gemini-2.5-flash",
    ]
    .into_iter()
    .find(|slug| callable(slug))
    .map(str::to_owned)
    .or_else(|| {
        let target = market.targets().first()?;
        Some(market.catalog.model(target.model).slug.to_string())
    })
}

/// Says where the server is and, on the first start, with which keys.
pub fn print(welcome: &Option<Welcome>, address: SocketAddr, gateway: &Gateway) {
    let simulated = gateway.market.load().is_simulated();
    let mut out = String::new();
    out.push_str(&format!("\nBourse serves on http://{address}  (API: http://{address}/api/v1, documents: http://{address}/docs)\n"));
    if simulated {
        out.push_str("No provider key is set, so answers come from SIMULATED providers. Set OPENAI_API_KEY, ANTHROPIC_API_KEY, … and start again.\n");
        tracing::warn!("no provider is configured: answers come from simulated providers");
    }
    let example = example_model(gateway);
    if let Some(welcome) = welcome {
        out.push_str("\nThese keys are shown once:\n");
        out.push_str(&format!("  API key         {}\n", welcome.inference));
        out.push_str(&format!("  management key  {}\n", welcome.management));
        if let Some(model) = &example {
            out.push_str("\nTry it:\n");
            out.push_str(&format!(
                "  curl -s http://{address}/api/v1/chat/completions -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n",
                welcome.inference
            ));
        }
    }
    print_stdout(&out);
}

/// What a person reads goes to standard output; logs go to standard error.
fn print_stdout(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    // A closed pipe is no reason to stop serving.
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}
