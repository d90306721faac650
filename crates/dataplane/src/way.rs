//! One way to call a target: in which format, framed how, with which head.

use std::sync::Arc;

use bourse_net::{HeadTemplate, Origin, OutgoingRequest, Segments};
use bourse_providers::{Address, Attempt, Credential, Interface, Provider, Signing, ToSign};
use bourse_vocab::chat::Efforts;
use bourse_vocab::{Failure, Format, Operation, speech};
use bourse_wire::Dialect;
use bourse_wire::framing::Framing;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{HeaderName, Method};

use crate::clock::now_ms;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("bourse/", env!("CARGO_PKG_VERSION")));

/// One way to call a target. A target that speaks several formats has
/// several; the client's endpoint ranks them.
pub struct Way {
    /// What it is for.
    pub operation: Operation,
    /// The format of requests and replies.
    pub format: Format,
    /// How streams are cut into frames.
    pub framing: Framing,
    /// How the vendor strays from the format for this model.
    pub dialect: Dialect,
    /// The efforts that the model accepts, where the catalog knows.
    pub efforts: Efforts,
    /// How what it began is asked after, where it begins jobs.
    pub follow: Option<Box<Follow>>,
    whole: Head,
    streamed: Head,
}

/// How jobs are asked after.
pub struct Follow {
    origin: Origin,
    /// What stands in front of their paths.
    pub base_path: String,
    provider: Arc<dyn Provider>,
    credential: Credential,
}

/// What precedes a body.
enum Head {
    /// The same for every request: rendered once, credential included.
    Constant(HeadTemplate),
    /// To be signed with each request.
    Signed(Box<Unsigned>),
}

/// A head without its signature.
struct Unsigned {
    template: HeadTemplate,
    authority: String,
    path: String,
    headers: HeaderMap,
    provider: Arc<dyn Provider>,
    credential: Credential,
}

impl Way {
    /// Prepares one of a provider's interfaces for a model.
    ///
    /// # Errors
    /// A sentence for the operator: the address cannot stand in a request, or
    /// the credential in a header.
    pub fn new(
        provider: &Arc<dyn Provider>,
        interface: Interface,
        model: &str,
        (origin, base_path): (&Origin, &str),
        credential: &Credential,
    ) -> Result<Self, String> {
        let head = |stream: bool| {
            let attempt = Attempt {
                interface,
                model,
                stream,
                base_path,
            };
            Head::new(provider, &attempt, origin, credential)
        };
        Ok(Self {
            operation: interface.operation,
            format: interface.format,
            framing: interface.framing,
            dialect: provider.dialect(interface.format, model).clone(),
            efforts: Efforts::default(),
            follow: matches!(interface.operation, Operation::Videos(_)).then(|| {
                Box::new(Follow {
                    origin: origin.clone(),
                    base_path: provider.jobs_path(base_path),
                    provider: Arc::clone(provider),
                    credential: credential.clone(),
                })
            }),
            whole: head(false)?,
            streamed: head(true)?,
        })
    }

    /// The same way to a model that accepts only these efforts.
    #[must_use]
    pub const fn with_efforts(mut self, efforts: Efforts) -> Self {
        self.efforts = efforts;
        self
    }

    /// Whether a model can be told to search here.
    #[must_use]
    pub fn takes_searches(&self) -> bool {
        self.dialect.takes_searches(self.format)
    }

    /// The provider does not take what a request was signed with: where that is a
    /// token, a new one may do better.
    pub fn refused(&self) {
        if let Head::Signed(head) = &self.whole
            && let Some(source) = head.credential.token_source()
        {
            source.refused();
        }
    }

    /// A request with this body, signed if the provider wants it; `tail` comes
    /// behind its path.
    ///
    /// # Errors
    /// There is no token to be had, the credential does not fit, or the tail
    /// cannot stand there.
    pub async fn request(
        &self,
        stream: bool,
        body: Segments,
        tail: Option<&str>,
    ) -> Result<OutgoingRequest, Failure> {
        let head = if stream { &self.streamed } else { &self.whole };
        match (head, tail) {
            (Head::Constant(template), None) => Ok(OutgoingRequest::new(template.clone(), body)),
            (Head::Constant(template), Some(tail)) => match template.with_tail(tail) {
                Ok(template) => Ok(OutgoingRequest::new(template, body)),
                Err(error) => Err(Failure::server(format!("an address has no end: {error}"))),
            },
            // No vendor that signs has addresses that differ from call to call.
            (Head::Signed(_), Some(_)) => Err(Failure::server(
                "an address that is signed is asked to be another",
            )),
            // Boxed: few providers need it, and every call would carry it.
            (Head::Signed(head), None) => Box::pin(head.sign(body)).await,
        }
    }
}

/// Whether its requests are forms.
const fn is_form(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Transcription(_) | Operation::Translation(_) | Operation::ImageEdits(_)
    )
}

/// How it is asked for: a connection that goes on in another protocol begins
/// with a request that has no body.
const fn method_of(operation: Operation) -> Method {
    match operation {
        Operation::Realtime => Method::GET,
        _ => Method::POST,
    }
}

impl Head {
    fn new(
        provider: &Arc<dyn Provider>,
        attempt: &Attempt<'_>,
        origin: &Origin,
        credential: &Credential,
    ) -> Result<Self, String> {
        let Address { path, headers } = provider.address(attempt);
        let mut headers: HeaderMap = headers.into_iter().collect();
        let operation = attempt.interface.operation;
        // A form has a boundary of its own in each request.
        let method = method_of(operation);
        if !is_form(operation) && method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let accept = match operation {
            // What a sound is called depends on what it is to be in.
            Operation::Speech(speech::Shape::OpenAi) => "*/*",
            _ if attempt.stream => attempt.interface.framing.media_type(),
            _ => "application/json",
        };
        if method == Method::POST {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        headers.insert(USER_AGENT, AGENT);
        let render = |headers: HeaderMap| {
            HeadTemplate::new(origin, method.clone(), &path, headers)
                .map_err(|error| error.to_string())
        };
        if provider.signing() == Signing::EachRequest || credential.token_source().is_some() {
            return Ok(Self::Signed(Box::new(Unsigned {
                template: render(headers.clone())?,
                authority: origin.authority(),
                path: path.clone(),
                headers,
                provider: Arc::clone(provider),
                credential: credential.clone(),
            })));
        }
        let to_sign = ToSign {
            method: &method,
            authority: &origin.authority(),
            path: &path,
            headers: &headers,
            body: &[],
            now_ms: 0,
        };
        let signature = provider.sign(&to_sign, credential).map_err(problem)?;
        headers.extend(signature);
        render(headers).map(Self::Constant)
    }
}

impl Follow {
    /// A question at a path of the provider's, which knows us by it.
    ///
    /// # Errors
    /// There is no token to be had, or the path cannot stand in a request.
    pub async fn get(&self, path: &str) -> Result<OutgoingRequest, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, AGENT);
        let fresh = fresh(&self.credential).await?;
        let to_sign = ToSign {
            method: &Method::GET,
            authority: &self.origin.authority(),
            path,
            headers: &headers,
            body: &[],
            now_ms: now_ms(),
        };
        let credential = fresh.as_deref().unwrap_or(&self.credential);
        let signature = self.provider.sign(&to_sign, credential)?;
        headers.extend(signature);
        let head = HeadTemplate::new(&self.origin, Method::GET, path, headers);
        let head = head.map_err(|error| Failure::server(format!("a question: {error}")))?;
        Ok(OutgoingRequest::new(head, Segments::new()))
    }
}

/// What is good now, where a credential is a source of tokens.
async fn fresh(credential: &Credential) -> Result<Option<Arc<Credential>>, Failure> {
    let Some(source) = credential.token_source() else {
        return Ok(None);
    };
    Ok(Some(match source.kept(now_ms()) {
        Some(kept) => kept,
        None => source.token(now_ms()).await?,
    }))
}

impl Unsigned {
    async fn sign(&self, body: Segments) -> Result<OutgoingRequest, Failure> {
        let fresh = fresh(&self.credential).await?;
        // Asked again: a token may have taken its time.
        let to_sign = ToSign {
            method: &Method::POST,
            authority: &self.authority,
            path: &self.path,
            headers: &self.headers,
            body: &body,
            now_ms: now_ms(),
        };
        let credential = fresh.as_deref().unwrap_or(&self.credential);
        let signature = self.provider.sign(&to_sign, credential)?;
        let mut request = OutgoingRequest::new(self.template.clone(), body);
        for (name, value) in signature {
            add(&mut request, name, value)?;
        }
        Ok(request)
    }
}

fn add(
    request: &mut OutgoingRequest,
    name: HeaderName,
    mut value: HeaderValue,
) -> Result<(), Failure> {
    value.set_sensitive(true);
    request
        .add_header(name, value)
        .map_err(|error| Failure::server(format!("a signature cannot be sent: {error}")))
}

/// What an operator is told about a failure of ours.
fn problem(failure: Failure) -> String {
    failure
        .inside
        .map_or(failure.message.into_owned(), String::from)
}

#[cfg(test)]
pub(crate) mod tests;
