//! Films, in OpenAI's and in Google's shape: jobs that are asked after.
//!
//! A job's name says how long its film is, and what becomes of it is the
//! script's ([`Film`]): so a simulator that was started anew goes on with jobs
//! that it was given before.
//!
//! Facts: openai-python, `types/video.py` and `resources/videos.py`, read
//! 2026-11: a film is queued, in progress, and completed or failed with a code
//! and a message. Gemini API, "Generate videos with Veo", read 2026-11: an
//! operation is done with samples that have an address, with reasons for which
//! they were filtered, or with an error.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

pub use crate::film::{Fate, Film};

use crate::ask::{Refusal, Request, required_str};
use crate::reply::{CREATED, Reply};

/// What a film's bytes are: the beginning of an MP4, and some.
pub const FILM: &[u8] = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2 a film of the simulator";
/// Jobs whose questions are counted.
const JOBS_MAX: usize = 65_536;

/// How often jobs were asked after.
#[derive(Debug, Default)]
pub struct Looks(Mutex<BTreeMap<String, u32>>);

impl Looks {
    /// Counts one more; how many there were before.
    fn count(&self, job: &str) -> u32 {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= JOBS_MAX {
            looks.clear();
        }
        let count = looks.entry(job.to_owned()).or_default();
        let before = *count;
        *count = before.saturating_add(1);
        before
    }
}

/// What is asked of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// How far OpenAI's is.
    Video(&'a str),
    /// OpenAI's film.
    Content(&'a str),
    /// How far Google's is: all that is in front of its name, and that.
    Operation(&'a str, &'a str),
    /// Google's film.
    Download,
}

/// An answer: its status, its type and itself, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// JSON.
    Json(u16, Value),
    /// A film.
    Film,
    /// Another path.
    At(String),
}

impl<'a> Question<'a> {
    /// What a path asks.
    #[must_use]
    pub fn of(method: &[u8], path: &'a str) -> Option<Self> {
        if method != b"GET" {
            return None;
        }
        let plain = path.split('?').next().unwrap_or(path);
        if let Some((_, rest)) = plain.split_once("/videos/") {
            return Some(match rest.strip_suffix("/content") {
                Some(id) => Self::Content(id),
                None => Self::Video(rest),
            });
        }
        if plain.ends_with(":download") {
            return Some(Self::Download);
        }
        let (base, _) = plain.split_once("/models/")?;
        let (_, name) = plain.rsplit_once("/operations/")?;
        Some(Self::Operation(base, name))
    }

    /// Answers it; `root` is how this simulator is reached.
    #[must_use]
    pub fn answer(self, film: &Film, looks: &Looks, root: &str) -> Told {
        match self {
            Self::Content(id) => content(film, id, root),
            Self::Download => content(film, "", root),
            Self::Video(id) => match state(film, looks.count(id)) {
                State::Busy => Told::Json(429, busy_openai()),
                State::Gone => Told::Json(
                    404,
                    json!({"error": {"message": "Video not found", "type": "invalid_request_error", "code": "not_found"}}),
                ),
                state => Told::Json(200, video(film, id, state)),
            },
            Self::Operation(base, name) => match state(film, looks.count(name)) {
                State::Busy => Told::Json(
                    429,
                    json!({"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}),
                ),
                State::Gone => Told::Json(
                    404,
                    json!({"error": {"code": 404, "message": "Operation not found", "status": "NOT_FOUND"}}),
                ),
                state => Told::Json(200, operation(name, state, &format!("{root}{base}"))),
            },
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Busy,
    Gone,
    Queued,
    Working,
    Done,
    Failed,
    Refused,
}

fn state(film: &Film, looks: u32) -> State {
    if looks < film.busy_looks {
        return State::Busy;
    }
    let looks = looks - film.busy_looks;
    match film.fate {
        Fate::Forgotten => State::Gone,
        _ if looks == 0 && film.looks > 0 => State::Queued,
        Fate::Never => State::Working,
        _ if looks < film.looks => State::Working,
        Fate::Made => State::Done,
        Fate::Failed => State::Failed,
        Fate::Refused => State::Refused,
    }
}

fn content(film: &Film, id: &str, root: &str) -> Told {
    if film.is_gone {
        return Told::Json(404, json!({"error": {"message": "The video has expired"}}));
    }
    // Where it leads to does not lead on.
    if film.redirects && !id.starts_with("moved") {
        return Told::At(format!("{root}/videos/moved_{id}/content"));
    }
    Told::Film
}

fn busy_openai() -> Value {
    json!({"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}})
}

/// How long a job's film is to be, by its name.
fn seconds_of(id: &str) -> u64 {
    id.rsplit('_')
        .next()
        .and_then(|last| last.parse().ok())
        .unwrap_or(0)
}

fn video(film: &Film, id: &str, state: State) -> Value {
    let (status, progress, error) = match state {
        State::Queued => ("queued", 0, Value::Null),
        State::Done => ("completed", 100, Value::Null),
        State::Failed => (
            "failed",
            40,
            json!({"code": "internal_error", "message": "The film could not be made."}),
        ),
        State::Refused => (
            "failed",
            0,
            json!({"code": "moderation_blocked", "message": "The prompt was refused."}),
        ),
        _ => ("in_progress", 50, Value::Null),
    };
    let seconds = seconds_of(id).saturating_sub(film.seconds_short);
    json!({
        "id": id, "object": "video", "model": "sim-film", "status": status,
        "progress": progress, "created_at": CREATED, "seconds": seconds.to_string(),
        "size": "1280x720", "error": error,
        "expires_at": (state == State::Done).then_some(CREATED + 3_600),
    })
}

fn operation(name: &str, state: State, root: &str) -> Value {
    let name = format!("models/sim-film/operations/{name}");
    match state {
        State::Done => {
            let uri = format!("{root}/files/film:download?alt=media");
            json!({"name": name, "done": true, "response": {
                "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse",
                "generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]},
            }})
        }
        State::Refused => json!({"name": name, "done": true, "response": {
            "generateVideoResponse": {
                "raiMediaFilteredCount": 1,
                "raiMediaFilteredReasons": ["The film was filtered. You have not been charged."],
            },
        }}),
        State::Failed => json!({"name": name, "done": true, "error": {
            "code": 13, "message": "The film could not be made.",
        }}),
        _ => json!({"name": name}),
    }
}

/// Reads OpenAI's request.
///
/// # Errors
/// When OpenAI would refuse it.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let seconds = body.get("seconds").map_or(Some("4"), Value::as_str);
    let seconds = seconds.and_then(|text| text.parse::<u64>().ok());
    let seconds = seconds.ok_or_else(|| Refusal::bad("Invalid 'seconds': expected a string."))?;
    Ok(Request {
        model: required_str(body, "model")?.to_owned(),
        film_seconds: seconds,
        max_tokens: Some(0),
        prompt_tokens: crate::words::count(required_str(body, "prompt")?),
        n: 1,
        ..Request::default()
    })
}

/// Reads Google's request.
///
/// # Errors
/// When Google would refuse it.
pub fn read_veo(path: &str, body: &Value) -> Result<Request, Refusal> {
    let prompt = body.pointer("/instances/0/prompt").and_then(Value::as_str);
    let prompt = prompt.ok_or_else(|| Refusal::bad("instances: a prompt is required."))?;
    let seconds = body.pointer("/parameters/durationSeconds");
    let seconds = seconds.map_or(Some(8), Value::as_u64);
    let model = path
        .rsplit('/')
        .next()
        .and_then(|last| last.split(':').next());
    Ok(Request {
        model: model.unwrap_or_default().to_owned(),
        film_seconds: seconds.ok_or_else(|| Refusal::bad("durationSeconds: must be a number."))?,
        max_tokens: Some(0),
        prompt_tokens: crate::words::count(prompt),
        n: 1,
        ..Request::default()
    })
}

/// That OpenAI's job is taken.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let id = format!("video_{:x}_{}", reply.id, reply.ask.film_seconds);
    video(&Film::default(), &id, State::Queued)
}

/// That Google's is.
#[must_use]
pub fn reply_veo(reply: &Reply) -> Value {
    let name = format!("{:x}_{}", reply.id, reply.ask.film_seconds);
    operation(&name, State::Queued, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_queued_works_and_is_done_as_often_as_its_script_says() {
        let film = Film {
            looks: 2,
            busy_looks: 1,
            ..Film::default()
        };
        let looks = Looks::default();
        let question = Question::of(b"GET", "/p/x/v1/videos/video_1_8").unwrap();
        assert_eq!(question, Question::Video("video_1_8"));
        let mut said = Vec::new();
        for _ in 0..4 {
            let Told::Json(status, body) = question.answer(&film, &looks, "http://sim") else {
                panic!("no JSON");
            };
            said.push((status, body["status"].as_str().unwrap_or("").to_owned()));
        }
        let states: Vec<_> = said
            .iter()
            .map(|(status, state)| (*status, state.as_str()))
            .collect();
        assert_eq!(
            states,
            [
                (429, ""),
                (200, "queued"),
                (200, "in_progress"),
                (200, "completed")
            ]
        );
    }

    #[test]
    fn googles_paths_are_told_apart() {
        let path = "/p/g/v1beta/models/veo/operations/3_8";
        assert_eq!(
            Question::of(b"GET", path),
            Some(Question::Operation("/p/g/v1beta", "3_8"))
        );
        let path = "/p/g/v1beta/files/film:download?alt=media";
        assert_eq!(Question::of(b"GET", path), Some(Question::Download));
        assert_eq!(Question::of(b"GET", "/v1/models"), None);
        assert_eq!(Question::of(b"POST", "/v1/videos/x"), None);
    }
}
