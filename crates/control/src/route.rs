//! A route, said once: where it is, what it is called, and its handler,
//! whose types say the rest. The second argument is the proof that the
//! caller may ([`Proof`]), the others are what is read ([`Input`]), and the
//! result is what is answered ([`Reply`]).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::{Value, json};

use crate::access::{Access, Proof};
use crate::content::Wishes;
use crate::error::Result;
use crate::reply::Reply;
use crate::schema::Schemas;
use crate::state::Shared;

/// Where OpenRouter's paths are served: with OpenRouter's prefix, and with
/// OpenAI's.
pub(crate) const PREFIXES: [&str; 2] = ["/api/v1", "/v1"];

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below each of [`PREFIXES`].
    Api,
    /// At the root.
    Root,
    /// At the root, and below `/api`: paths of other APIs than OpenRouter's.
    RootAndApi,
}

/// Something that a handler reads from a request.
pub(crate) trait Input: Sized + Send {
    /// Reads it.
    ///
    /// # Errors
    /// It is not what it must be; the message names the argument.
    fn read(
        parts: &mut Parts,
        body: &mut Body,
        state: &Shared,
    ) -> impl Future<Output = Result<Self>> + Send;

    /// The schema of the body that it reads, if it does.
    fn body(_: &mut Schemas) -> Option<Value> {
        None
    }
}

/// An asynchronous function from the state, a proof of access and inputs to
/// a reply. `X` is a tuple of the arguments' types.
pub(crate) trait Handler<X>: Clone + Send + Sync + 'static {
    /// What is asked of the caller.
    const ACCESS: Access;

    /// What goes in and comes out.
    fn content(schemas: &mut Schemas) -> Content;

    /// Checks the caller, reads the inputs, runs, and answers.
    fn answer(self, state: Shared, request: Request) -> impl Future<Output = Response> + Send;
}

/// What goes in and comes out.
pub(crate) struct Content {
    pub(crate) body: Option<Value>,
    pub(crate) status: u16,
    pub(crate) media: &'static str,
    pub(crate) reply: Value,
}

macro_rules! handlers {
    ($($input:ident),*) => {
        impl<F, Fut, P, R, $($input),*> Handler<(P, $($input,)*)> for F
        where
            F: Fn(Shared, P, $($input),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<R>> + Send,
            P: Proof,
            R: Reply,
            $($input: Input,)*
        {
            const ACCESS: Access = P::ACCESS;

            fn content(schemas: &mut Schemas) -> Content {
                let bodies: [Option<Value>; _] = [None, $($input::body(schemas)),*];
                Content {
                    body: bodies.into_iter().flatten().next(),
                    status: R::STATUS,
                    media: R::MEDIA,
                    reply: R::schema(schemas),
                }
            }

            #[allow(non_snake_case, unused_mut, unused_variables)]
            async fn answer(self, state: Shared, request: Request) -> Response {
                let (mut parts, mut body) = request.into_parts();
                let proof = match P::check(&parts, &state).await {
                    Ok(proof) => proof,
                    Err(refused) => return private(refused.into_response()),
                };
                let is_private = proof.is_private();
                let wishes = Wishes::of(&parts);
                let reply = async {
                    $(let $input = $input::read(&mut parts, &mut body, &state).await?;)*
                    self(state, proof, $($input),*).await
                };
                let response = reply.await.map_or_else(IntoResponse::into_response, |reply| reply.send(&wishes));
                if is_private { private(response) } else { response }
            }
        }
    };
}

handlers!();
handlers!(A);
handlers!(A, B);

/// What is for one caller must not be kept for the next.
fn private(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

/// One row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// In axum's syntax, which is OpenAPI's too.
    pub(crate) path: &'static str,
    pub(crate) place: Place,
    pub(crate) access: Access,
    pub(crate) operation: Operation,
    pub(crate) content: fn(&mut Schemas) -> Content,
    handler: MethodRouter<Shared>,
}

impl Route {
    /// A route of the API.
    pub(crate) fn new<H, X>(
        method: Method,
        path: &'static str,
        operation: Operation,
        handler: H,
    ) -> Self
    where
        H: Handler<X>,
        X: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let answer = |State(state): State<Shared>, request: Request| handler.answer(state, request);
        Self {
            method,
            path,
            place: Place::Api,
            access: H::ACCESS,
            operation,
            content: H::content,
            handler: on(filter, answer),
        }
    }

    /// A route that only reads.
    pub(crate) fn get<H, X>(path: &'static str, operation: Operation, handler: H) -> Self
    where
        H: Handler<X>,
        X: 'static,
    {
        Self::new(Method::GET, path, operation, handler)
    }

    /// Puts the route at the root.
    pub(crate) fn at_root(mut self) -> Self {
        self.place = Place::Root;
        self
    }

    /// Puts a route at the root below `/api` too.
    pub(crate) fn below_api(mut self) -> Self {
        self.place = Place::RootAndApi;
        self
    }

    /// Where it is served.
    pub(crate) fn paths(&self) -> Vec<String> {
        match self.place {
            Place::Root => vec![self.path.to_owned()],
            Place::RootAndApi => vec![self.path.to_owned(), format!("/api{}", self.path)],
            Place::Api => PREFIXES
                .iter()
                .map(|prefix| format!("{prefix}{}", self.path))
                .collect(),
        }
    }

    /// The handler, which checks its caller.
    pub(crate) fn served(&self) -> MethodRouter<Shared> {
        self.handler.clone()
    }
}

/// What a route is for, in words, and the arguments of its path and query.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) about: &'static str,
    pub(crate) parameters: Vec<Value>,
    /// The part that is a file, where a form is taken beside JSON.
    pub(crate) file: Option<&'static str>,
}

impl Operation {
    pub(crate) const fn new(tag: &'static str, summary: &'static str) -> Self {
        Self {
            tag,
            summary,
            about: "",
            parameters: Vec::new(),
            file: None,
        }
    }

    /// Says more.
    pub(crate) const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Takes a form as well: the members of the body, and a file.
    pub(crate) const fn form(mut self, file: &'static str) -> Self {
        self.file = Some(file);
        self
    }

    /// A segment of the path.
    pub(crate) fn segment(self, name: &str, about: &str) -> Self {
        self.parameter("path", name, about, true, &json!({"type": "string"}))
    }

    /// An optional argument of the query.
    pub(crate) fn query(self, name: &str, about: &str, schema: &Value) -> Self {
        self.parameter("query", name, about, false, schema)
    }

    /// A required argument of the query.
    pub(crate) fn required(self, name: &str, about: &str, schema: &Value) -> Self {
        self.parameter("query", name, about, true, schema)
    }

    fn parameter(
        mut self,
        place: &str,
        name: &str,
        about: &str,
        required: bool,
        schema: &Value,
    ) -> Self {
        self.parameters.push(json!({
            "name": name,
            "in": place,
            "required": required,
            "description": about,
            "schema": schema,
        }));
        self
    }
}
