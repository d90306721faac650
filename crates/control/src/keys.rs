//! `/keys`: what a management key may do with the keys of its account.
//!
//! Keys are named by the SHA-256 of their text. A key of another account is
//! answered exactly like one that does not exist.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use bourse_policy::{KeyHash, KeyKind, KeyText, Period};
use bourse_store::{KeyPatch, KeyRow, NewKey};
use bourse_vocab::{Failure, FailureKind, Nanos};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::{Args, Fields, Segments};
use crate::auth::Manager;
use crate::error::{Answer, Refused, invalid, not_found};
use crate::key::{Spending, spending_members};
use crate::route::{Access, Route};
use crate::schema::{
    Operation, boolean, data, dollars, integer, list, named, null, nullable, object, one_of,
    partial, text, text_about,
};
use crate::time::{iso, moment};
use crate::{Desk, Shared};

/// Keys on a page, as at OpenRouter (API document, October 2026).
const PAGE_KEYS: u64 = 100;
/// Longest name of a key, in characters.
const NAME_CHARS_MAX: usize = 200;
/// There is one workspace; OpenRouter's SDKs insist on its id being a text.
const WORKSPACE: &str = "default";
/// What a key can belong to at OpenRouter and not here.
const UNSUPPORTED: &[&str] = &["creator_user_id", "external", "external_user", "user_id"];
const WHY_UNSUPPORTED: &str = "keys belong to an account, not to a user";

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    let access = Access::Management;
    let operation = |summary, answer| Operation::new("Keys", summary, answer);
    let hash = |operation: Operation| {
        operation.segment("hash", "SHA-256 of the key's text, in hexadecimal")
    };
    vec![
        Route::get(
            "/keys",
            access,
            index,
            operation("Lists the keys of the account", data(list(named("Key"))))
                .about("Newest first, 100 on a page.")
                .query("offset", "Keys to skip", integer())
                .query("include_disabled", "Disabled keys too", boolean())
                .query("workspace_id", "Only \"default\" exists", text()),
        ),
        Route::new(
            Method::POST,
            "/keys",
            access,
            create,
            operation(
                "Creates an inference key",
                object([
                    ("data", named("Key")),
                    ("key", text_about("The key itself, shown only now")),
                ]),
            )
            .status(201)
            .body(named("NewKey")),
        ),
        Route::get(
            "/keys/{hash}",
            access,
            show,
            hash(operation("Shows a key", data(named("Key")))),
        ),
        Route::new(
            Method::PATCH,
            "/keys/{hash}",
            access,
            change,
            hash(operation("Changes a key", data(named("Key")))).body(named("KeyPatch")),
        ),
        Route::new(
            Method::DELETE,
            "/keys/{hash}",
            access,
            delete,
            hash(operation("Deletes a key", object([("deleted", boolean())])))
                .about("Its records stay, for the books."),
        ),
    ]
}

/// A key as JSON. `is_management_key` is ours: both kinds are listed.
#[derive(Debug, Serialize)]
struct Shape {
    hash: String,
    name: String,
    label: String,
    disabled: bool,
    #[serde(flatten)]
    spending: Spending,
    created_at: String,
    updated_at: Option<String>,
    last_used_at: Option<String>,
    creator_user_id: Option<()>,
    external_user: Option<()>,
    workspace_id: &'static str,
    is_management_key: bool,
}

impl Shape {
    fn of(desk: &Desk, row: KeyRow) -> Self {
        Self {
            hash: row.key.hash.to_string(),
            spending: Spending::of(desk, &row),
            is_management_key: row.key.kind == KeyKind::Management,
            name: row.key.name,
            label: row.key.label,
            disabled: row.disabled,
            created_at: iso(row.created_at_ms),
            updated_at: row.updated_at_ms.map(iso),
            last_used_at: row.last_used_at_ms.map(iso),
            creator_user_id: None,
            external_user: None,
            workspace_id: WORKSPACE,
        }
    }
}

#[derive(Debug, Serialize)]
struct One {
    data: Shape,
}

#[derive(Debug, Serialize)]
struct Many {
    data: Vec<Shape>,
}

#[derive(Debug, Serialize)]
struct Created {
    data: Shape,
    key: String,
}

fn no_such_key() -> Refused {
    not_found("There is no such key")
}

fn check_workspace(id: Option<&str>) -> Answer<()> {
    match id {
        None | Some(WORKSPACE) => Ok(()),
        Some(_) => Err(invalid(
            "workspace_id: not supported here: the only workspace is \"default\"",
        )),
    }
}

async fn index(State(desk): State<Shared>, manager: Manager, args: Args) -> Answer<Json<Many>> {
    check_workspace(args.text("workspace_id"))?;
    let offset = args.number("offset")?.unwrap_or(0);
    let include_disabled = args.flag("include_disabled")?.unwrap_or(false);
    let account = Some(manager.account());
    let store = desk.office.store();
    let rows = store
        .keys(account, include_disabled, offset, PAGE_KEYS)
        .await?;
    let data = rows.into_iter().map(|row| Shape::of(&desk, row)).collect();
    Ok(Json(Many { data }))
}

/// Finds a key of the manager's account.
async fn find(desk: &Desk, manager: &Manager, hash: &str) -> Answer<KeyRow> {
    let hash: KeyHash = hash.parse().map_err(|_| no_such_key())?;
    let row = desk.office.store().key_by_hash(hash).await?;
    row.filter(|row| row.key.account == manager.account())
        .ok_or_else(no_such_key)
}

async fn show(
    State(desk): State<Shared>,
    manager: Manager,
    Segments([hash]): Segments<1>,
) -> Answer<Json<One>> {
    let row = find(&desk, &manager, &hash).await?;
    let data = Shape::of(&desk, row);
    Ok(Json(One { data }))
}

/// What both `POST` and `PATCH` may say; what is absent is absent.
struct Wishes {
    name: Option<String>,
    limit: Option<Option<Nanos>>,
    limit_reset: Option<Option<Period>>,
    include_byok_in_limit: Option<bool>,
}

impl Wishes {
    fn take(fields: &mut Fields) -> Answer<Self> {
        let name = fields.take::<String>("name", "a text")?;
        let workspace = fields.take::<String>("workspace_id", "a text")?.flatten();
        check_workspace(workspace.as_deref())?;
        fields.refuse(UNSUPPORTED, WHY_UNSUPPORTED)?;
        Ok(Self {
            name: name.map(read_name).transpose()?,
            limit: fields
                .take_raw("limit")
                .map(|raw| read_limit(raw.get()))
                .transpose()?,
            limit_reset: fields.take("limit_reset", "daily, weekly, monthly or null")?,
            include_byok_in_limit: fields
                .take("include_byok_in_limit", "true or false")?
                .flatten(),
        })
    }
}

fn read_name(name: Option<String>) -> Answer<String> {
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
fn read_limit(text: &str) -> Answer<Option<Nanos>> {
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

async fn create(
    State(desk): State<Shared>,
    manager: Manager,
    mut fields: Fields,
) -> Answer<(StatusCode, Json<Created>)> {
    let wishes = Wishes::take(&mut fields)?;
    let expires_at = fields
        .take::<String>("expires_at", "a moment in RFC 3339, or null")?
        .flatten();
    fields.finish()?;
    let now_ms = desk.office.now_ms();
    let expires_at_ms = expires_at
        .map(|text| moment("expires_at", &text))
        .transpose()?;
    if expires_at_ms.is_some_and(|end| end <= now_ms) {
        return Err(invalid("expires_at: must be in the future"));
    }
    let key = KeyText::generate(KeyKind::Inference, &desk.office.random()?);
    let new = NewKey {
        account: manager.account(),
        hash: key.hash(),
        label: key.label(),
        name: wishes.name.ok_or_else(|| invalid("name: must be given"))?,
        kind: KeyKind::Inference,
        limit: wishes.limit.flatten(),
        limit_reset: wishes.limit_reset.flatten(),
        include_byok_in_limit: wishes.include_byok_in_limit.unwrap_or(false),
        expires_at_ms,
    };
    let row = desk.office.store().create_key(new, now_ms).await?;
    desk.office.refresh().await;
    tracing::info!(label = row.key.label, "a key was created");
    let created = Created {
        data: Shape::of(&desk, row),
        key: key.reveal().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// A management key that removes itself could leave nobody to administer
/// the account.
fn spare(manager: &Manager, row: &KeyRow, act: &str) -> Answer<()> {
    if row.id != manager.0.principal().key {
        return Ok(());
    }
    Err(Refused(Failure::new(
        FailureKind::Conflict,
        format!("A management key cannot {act} itself: use another one"),
    )))
}

async fn change(
    State(desk): State<Shared>,
    manager: Manager,
    Segments([hash]): Segments<1>,
    mut fields: Fields,
) -> Answer<Json<One>> {
    let row = find(&desk, &manager, &hash).await?;
    let wishes = Wishes::take(&mut fields)?;
    let disabled = fields.take::<bool>("disabled", "true or false")?.flatten();
    fields.refuse(&["expires_at"], "a key's end is set when it is created")?;
    fields.finish()?;
    if disabled == Some(true) {
        spare(&manager, &row, "disable")?;
    }
    let patch = KeyPatch {
        name: wishes.name,
        disabled,
        limit: wishes.limit,
        limit_reset: wishes.limit_reset,
        include_byok_in_limit: wishes.include_byok_in_limit,
    };
    let now_ms = desk.office.now_ms();
    let store = desk.office.store();
    let changed = store.update_key(row.key.hash, patch, now_ms).await?;
    desk.office.refresh().await;
    let changed = changed.ok_or_else(no_such_key)?;
    tracing::info!(label = changed.key.label, "a key was changed");
    let data = Shape::of(&desk, changed);
    Ok(Json(One { data }))
}

async fn delete(
    State(desk): State<Shared>,
    manager: Manager,
    Segments([hash]): Segments<1>,
) -> Answer<Json<Value>> {
    let row = find(&desk, &manager, &hash).await?;
    spare(&manager, &row, "delete")?;
    let store = desk.office.store();
    let was_there = store.delete_key(row.key.hash, desk.office.now_ms()).await?;
    desk.office.refresh().await;
    if !was_there {
        return Err(no_such_key());
    }
    tracing::info!(label = row.key.label, "a key was deleted");
    Ok(Json(json!({"deleted": true})))
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let members = [
        ("hash", text_about("SHA-256 of the key's text")),
        ("name", text()),
        ("label", text_about("The key's first and last digits")),
        ("disabled", boolean()),
        ("created_at", text()),
        ("updated_at", nullable(text())),
        ("last_used_at", nullable(text())),
        ("creator_user_id", null()),
        ("external_user", null()),
        ("workspace_id", text()),
        ("is_management_key", boolean()),
    ];
    let wishes = || {
        vec![
            (
                "name",
                json!({"type": "string", "minLength": 1, "maxLength": NAME_CHARS_MAX}),
            ),
            ("limit", nullable(dollars())),
            (
                "limit_reset",
                nullable(one_of(&["daily", "weekly", "monthly"])),
            ),
            ("include_byok_in_limit", boolean()),
            ("workspace_id", one_of(&[WORKSPACE])),
        ]
    };
    let mut new = partial(
        wishes()
            .into_iter()
            .chain([("expires_at", nullable(text_about("RFC 3339")))]),
    );
    if let Some(all) = new.as_object_mut() {
        all.insert("required".into(), json!(["name"]));
    }
    let patch = partial(wishes().into_iter().chain([("disabled", boolean())]));
    vec![
        ("Key", object(members.into_iter().chain(spending_members()))),
        ("NewKey", new),
        ("KeyPatch", patch),
    ]
}
