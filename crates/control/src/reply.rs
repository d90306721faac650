//! What handlers answer with: a body whose type is its description.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bourse_vocab::Failure;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::content::{Content, Wishes};
use crate::error::Result;
use crate::schema::Schemas;

/// An answer that describes itself.
pub(crate) trait Reply: Send {
    /// The status of success.
    const STATUS: u16 = 200;
    /// The kind of content.
    const MEDIA: &'static str = "application/json";

    /// What the content looks like.
    fn schema(schemas: &mut Schemas) -> Value;

    /// Sends it to a client with these wishes.
    fn send(self, wishes: &Wishes) -> Response;
}

/// JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize + JsonSchema + Send> Reply for Json<T> {
    fn schema(schemas: &mut Schemas) -> Value {
        schemas.reply::<T>()
    }

    fn send(self, _: &Wishes) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// JSON about something that was made.
pub(crate) struct Created<T>(pub(crate) T);

impl<T: Serialize + JsonSchema + Send> Reply for Created<T> {
    const STATUS: u16 = 201;

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.reply::<T>()
    }

    fn send(self, _: &Wishes) -> Response {
        (StatusCode::CREATED, axum::Json(self.0)).into_response()
    }
}

/// JSON that was written before.
#[derive(Debug)]
pub(crate) struct Written<T> {
    json: Arc<Content>,
    // A consumer of `T` and not an owner: text that was written from
    // something short-lived is as good as from something static, and this
    // lets the compiler see it.
    of: PhantomData<fn(T)>,
}

impl<T: Serialize> Written<T> {
    /// Writes `value`.
    pub(crate) fn new(value: &T) -> serde_json::Result<Self> {
        Ok(Self {
            json: Arc::new(serde_json::to_vec(value)?.into()),
            of: PhantomData,
        })
    }

    /// The same as a handler needs it.
    pub(crate) fn of(value: &T) -> Result<Self> {
        Self::new(value).map_err(|error| Failure::server(format!("an answer: {error}")).into())
    }
}

impl<T> Clone for Written<T> {
    fn clone(&self) -> Self {
        Self {
            json: Arc::clone(&self.json),
            of: PhantomData,
        }
    }
}

impl<T: JsonSchema> Reply for Written<T> {
    fn schema(schemas: &mut Schemas) -> Value {
        schemas.reply::<T>()
    }

    fn send(self, wishes: &Wishes) -> Response {
        self.json.answer(Self::MEDIA, wishes)
    }
}

/// `{"data": …}`, the usual envelope.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Data<T> {
    pub(crate) data: T,
}
