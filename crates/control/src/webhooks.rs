//! `/webhooks/secret`: what messages to an account's callbacks are signed with.
//! Ours: OpenRouter has it in its workspace's settings.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Manager;
use crate::error::Result;
use crate::reply::{Created, Data};
use crate::route::{Operation, Route};
use crate::state::Shared;

/// Bytes of a secret, as Standard Webhooks advises (24 to 64).
const SECRET_BYTES: usize = 32;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![Route::new(
        Method::POST,
        "/webhooks/secret",
        Operation::new(
            "Webhooks",
            "Makes the secret that callbacks are signed with",
        )
        .about(
            "Messages to every callback_url of the account are signed with it, by Standard \
             Webhooks. It is shown once; a new one takes the place of the old one at once.",
        ),
        create,
    )]
}

/// What callbacks are signed with.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookSecret")]
struct SecretBody {
    /// `whsec_` and 32 bytes in base64
    secret: String,
}

async fn create(state: Shared, manager: Manager) -> Result<Created<Data<SecretBody>>> {
    let random = state.backend.random()?;
    let secret = random.get(..SECRET_BYTES).unwrap_or(&random).to_vec();
    let shown = format!("whsec_{}", STANDARD.encode(&secret));
    let (store, now_ms) = (state.backend.store(), state.backend.now_ms());
    store
        .set_webhook_secret(manager.account(), secret, now_ms)
        .await?;
    Ok(Created(Data {
        data: SecretBody { secret: shown },
    }))
}
