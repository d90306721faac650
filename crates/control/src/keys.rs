//! `/keys`: what a management key may do with the keys of its account.
//!
//! Keys are named by the SHA-256 of their text. A key of another account is
//! answered exactly like one that does not exist.

mod settings;

use axum::http::Method;
use bourse_policy::{KeyHash, KeyKind, KeyText, Period};
use bourse_store::{External, KeyPatch, KeyRow, NewKey};
use bourse_vocab::{Failure, FailureKind, Nanos};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Manager;
use crate::args::{Args, Fields, FromFields, Segments, Sent};
use crate::error::{Refused, Result, invalid, not_found};
use crate::key::{Spending, WORKSPACE};
use crate::reply::{Created, Data, Json};
use crate::route::{Operation, Route};
use crate::schema::{Dollars, Interval, Null, inline};
use crate::state::{ControlState, Shared};
use crate::time::{iso, moment};
use settings::{ExternalWanted, OwnChanges, OwnSettings};

/// Keys on a page, as at OpenRouter (API document, October 2026).
const PAGE_KEYS: u64 = 100;
/// Longest name of a key, in characters.
const NAME_CHARS_MAX: usize = 200;
/// What a key can belong to at OpenRouter and not here.
const UNSUPPORTED: &[&str] = &["creator_user_id", "external_user", "user_id"];
const WHY_UNSUPPORTED: &str = "keys belong to an account, not to a user";

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let of_one = |summary| {
        Operation::new("Keys", summary).segment("hash", "SHA-256 of the key's text, in hexadecimal")
    };
    vec![
        Route::get(
            "/keys",
            Operation::new("Keys", "Lists the keys of the account")
                .about("Newest first, 100 on a page.")
                .query("offset", "Keys to skip", &inline::<u64>())
                .query("include_disabled", "Disabled keys too", &inline::<bool>())
                .query(
                    "workspace_id",
                    "Only \"default\" exists",
                    &inline::<String>(),
                ),
            list,
        ),
        Route::new(
            Method::POST,
            "/keys",
            Operation::new("Keys", "Creates an inference key"),
            create,
        ),
        Route::get("/keys/{hash}", of_one("Shows a key"), show),
        Route::new(
            Method::PATCH,
            "/keys/{hash}",
            of_one("Changes a key").about(
                "Other members than those described are ignored; without any of these nothing is \
                 changed, which is an error.",
            ),
            change,
        ),
        Route::new(
            Method::DELETE,
            "/keys/{hash}",
            of_one("Deletes a key").about("Its records stay, for the books."),
            delete,
        ),
    ]
}

/// A key, without its text.
// OpenRouter's API document, October 2026. `is_management_key` is ours: both
// kinds are listed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
struct KeyBody {
    /// SHA-256 of the key's text
    hash: String,
    name: String,
    /// The key's first and last digits
    label: String,
    disabled: bool,
    #[serde(flatten)]
    spending: Spending,
    created_at: String,
    updated_at: Option<String>,
    last_used_at: Option<String>,
    #[schemars(with = "Null")]
    creator_user_id: Option<()>,
    external_user: Option<String>,
    workspace_id: &'static str,
    is_management_key: bool,
    bourse: OwnSettings,
}

impl KeyBody {
    fn of(state: &ControlState, row: KeyRow) -> Self {
        Self {
            hash: row.key.hash.to_string(),
            spending: Spending::of(state, &row),
            is_management_key: row.key.kind == KeyKind::Management,
            name: row.key.name,
            label: row.key.label,
            disabled: row.disabled,
            created_at: iso(row.created_at_ms),
            updated_at: row.updated_at_ms.map(iso),
            last_used_at: row.last_used_at_ms.map(iso),
            creator_user_id: None,
            external_user: row.key.external.map(|external| external.user),
            bourse: row.key.calls.into(),
            workspace_id: WORKSPACE,
        }
    }
}

/// A key that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct NewlyMade {
    data: KeyBody,
    /// The key itself, shown only now
    key: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Deleted {
    deleted: bool,
}

fn no_such_key() -> Refused {
    not_found("There is no such key")
}

fn check_workspace(id: Option<&str>) -> Result<()> {
    match id {
        None | Some(WORKSPACE) => Ok(()),
        Some(_) => Err(invalid(
            "workspace_id: not supported here: the only workspace is \"default\"",
        )),
    }
}

async fn list(state: Shared, manager: Manager, args: Args) -> Result<Json<Data<Vec<KeyBody>>>> {
    check_workspace(args.text("workspace_id"))?;
    let offset = args.number("offset")?.unwrap_or(0);
    let include_disabled = args.flag("include_disabled")?.unwrap_or(false);
    let account = Some(manager.account());
    let store = state.backend.store();
    let rows = store
        .keys(account, include_disabled, offset, PAGE_KEYS)
        .await?;
    let rows = rows.into_iter();
    let data = rows.map(|row| KeyBody::of(&state, row)).collect();
    Ok(Json(Data { data }))
}

/// Finds a key of the manager's account.
async fn find(state: &ControlState, manager: &Manager, hash: &str) -> Result<KeyRow> {
    let hash: KeyHash = hash.parse().map_err(|_| no_such_key())?;
    let row = state.backend.store().key_by_hash(hash).await?;
    row.filter(|row| row.key.account == manager.account())
        .ok_or_else(no_such_key)
}

async fn show(
    state: Shared,
    manager: Manager,
    Segments([hash]): Segments<1>,
) -> Result<Json<Data<KeyBody>>> {
    let row = find(&state, &manager, &hash).await?;
    let data = KeyBody::of(&state, row);
    Ok(Json(Data { data }))
}

/// What both `POST` and `PATCH` may say; what is absent is absent.
#[derive(JsonSchema)]
struct Settings {
    #[schemars(with = "Option<Dollars>", extend("nullable" = true))]
    limit: Option<Option<Nanos>>,
    #[schemars(with = "Option<Interval>", extend("nullable" = true))]
    limit_reset: Option<Option<Period>>,
    include_byok_in_limit: Option<bool>,
    /// Only "default" exists
    #[expect(dead_code, reason = "checked, and the same for every key")]
    workspace_id: Option<Workspace>,
    #[schemars(with = "Option<OwnSettings>", extend("nullable" = true))]
    bourse: OwnChanges,
}

/// The workspace that there is.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum Workspace {
    Default,
}

impl Settings {
    fn take(fields: &mut Fields) -> Result<Self> {
        let workspace = fields.take::<String>("workspace_id", "a text")?.flatten();
        check_workspace(workspace.as_deref())?;
        Ok(Self {
            limit: fields
                .take_raw("limit")
                .map(|raw| read_limit(raw.get()))
                .transpose()?,
            limit_reset: fields.take("limit_reset", "daily, weekly, monthly or null")?,
            include_byok_in_limit: fields
                .take("include_byok_in_limit", "true or false")?
                .flatten(),
            workspace_id: workspace.map(|_| Workspace::Default),
            bourse: OwnChanges::take(fields)?,
        })
    }
}

/// A key to be made.
#[derive(JsonSchema)]
#[schemars(rename = "NewKey")]
struct Wanted {
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    name: String,
    #[schemars(flatten)]
    settings: Settings,
    /// RFC 3339
    #[schemars(extend("nullable" = true))]
    expires_at: Option<String>,
    #[schemars(with = "Option<ExternalWanted>", extend("nullable" = true))]
    external: Option<External>,
}

impl FromFields for Wanted {
    fn take(fields: &mut Fields) -> Result<Self> {
        fields.refuse(UNSUPPORTED, WHY_UNSUPPORTED)?;
        let name = fields.take::<String>("name", "a text")?;
        let name = name.map(read_name).transpose()?;
        Ok(Self {
            settings: Settings::take(fields)?,
            expires_at: fields
                .take::<String>("expires_at", "a moment in RFC 3339, or null")?
                .flatten(),
            external: settings::external(fields)?,
            name: name.ok_or_else(|| invalid("name: must be given"))?,
        })
    }
}

/// What changes about a key; the rest stays.
#[derive(JsonSchema)]
#[schemars(rename = "KeyPatch")]
struct Change {
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    name: Option<String>,
    #[schemars(flatten)]
    settings: Settings,
    disabled: Option<bool>,
}

/// What a change may say (OpenRouter's `UpdateKeysRequestBody`, and what is
/// ours).
const CHANGES: &[&str] = &[
    "name",
    "disabled",
    "limit",
    "limit_reset",
    "include_byok_in_limit",
    "workspace_id",
    "bourse",
];

impl FromFields for Change {
    // As documented. A body that means something else altogether is still
    // told so.
    const IGNORES_OTHERS: bool = true;

    fn take(fields: &mut Fields) -> Result<Self> {
        if !fields.has_any(CHANGES) {
            return Err(invalid("No update fields provided"));
        }
        let name = fields.take::<String>("name", "a text")?;
        Ok(Self {
            name: name.map(read_name).transpose()?,
            settings: Settings::take(fields)?,
            disabled: fields.take::<bool>("disabled", "true or false")?.flatten(),
        })
    }
}

fn read_name(name: Option<String>) -> Result<String> {
    let name = name.unwrap_or_default();
    let length = name.trim().chars().count();
    if !(1..=NAME_CHARS_MAX).contains(&length) || name.chars().any(char::is_control) {
        return Err(invalid(format!(
            "name: must have 1 to {NAME_CHARS_MAX} printable characters"
        )));
    }
    Ok(name.trim().to_owned())
}

/// Reads dollars from the digits in the body, so that no float is involved.
fn read_limit(text: &str) -> Result<Option<Nanos>> {
    if text == "null" {
        return Ok(None);
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let amount: Option<Nanos> = is_number.then(|| text.parse().ok()).flatten();
    match amount {
        Some(amount) if !amount.is_negative() => Ok(Some(amount)),
        _ => Err(invalid(
            "limit: must be US dollars, 0 or more, with at most 9 decimal places, or null",
        )),
    }
}

async fn create(state: Shared, manager: Manager, sent: Sent<Wanted>) -> Result<Created<NewlyMade>> {
    let wanted = sent.read().await?;
    let now_ms = state.backend.now_ms();
    let expires_at_ms = wanted
        .expires_at
        .map(|text| moment("expires_at", &text))
        .transpose()?;
    if expires_at_ms.is_some_and(|end| end <= now_ms) {
        return Err(invalid("expires_at: must be in the future"));
    }
    let key = KeyText::generate(KeyKind::Inference, &state.backend.random()?);
    let settings = wanted.settings;
    let new = NewKey {
        account: manager.account(),
        hash: key.hash(),
        label: key.label(),
        name: wanted.name,
        kind: KeyKind::Inference,
        limit: settings.limit.flatten(),
        limit_reset: settings.limit_reset.flatten(),
        include_byok_in_limit: settings.include_byok_in_limit.unwrap_or(false),
        expires_at_ms,
        external: wanted.external,
        calls: settings.bourse.of_new(),
    };
    let row = state.backend.store().create_key(new, now_ms).await?;
    state.backend.refresh().await;
    tracing::info!(label = row.key.label, "a key was created");
    Ok(Created(NewlyMade {
        data: KeyBody::of(&state, row),
        key: key.reveal().to_owned(),
    }))
}

/// Refuses to let a management key remove itself: it could be the last one
/// that administers the account.
fn refuse_itself(manager: &Manager, row: &KeyRow, act: &str) -> Result<()> {
    if row.id != manager.principal().key {
        return Ok(());
    }
    Err(Refused(Failure::new(
        FailureKind::Conflict,
        format!("A management key cannot {act} itself: use another one"),
    )))
}

async fn change(
    state: Shared,
    manager: Manager,
    Segments([hash]): Segments<1>,
    sent: Sent<Change>,
) -> Result<Json<Data<KeyBody>>> {
    let row = find(&state, &manager, &hash).await?;
    let change = sent.read().await?;
    if change.disabled == Some(true) {
        refuse_itself(&manager, &row, "disable")?;
    }
    let patch = KeyPatch {
        // The public API sets it when a key is made, and not again.
        expires_at_ms: None,
        name: change.name,
        disabled: change.disabled,
        limit: change.settings.limit,
        limit_reset: change.settings.limit_reset,
        include_byok_in_limit: change.settings.include_byok_in_limit,
        continues: change.settings.bourse.continues,
        hedges: change.settings.bourse.hedges,
        strict: change.settings.bourse.strict,
    };
    let now_ms = state.backend.now_ms();
    let store = state.backend.store();
    let changed = store.update_key(row.key.hash, patch, now_ms).await?;
    state.backend.refresh().await;
    let changed = changed.ok_or_else(no_such_key)?;
    tracing::info!(label = changed.key.label, "a key was changed");
    let data = KeyBody::of(&state, changed);
    Ok(Json(Data { data }))
}

async fn delete(
    state: Shared,
    manager: Manager,
    Segments([hash]): Segments<1>,
) -> Result<Json<Deleted>> {
    let row = find(&state, &manager, &hash).await?;
    refuse_itself(&manager, &row, "delete")?;
    let store = state.backend.store();
    let deleted = store
        .delete_key(row.key.hash, state.backend.now_ms())
        .await?;
    state.backend.refresh().await;
    if !deleted {
        return Err(no_such_key());
    }
    tracing::info!(label = row.key.label, "a key was deleted");
    Ok(Json(Deleted { deleted }))
}
