//! What clients are told of a film: OpenRouter's answer to `GET /videos/{id}`,
//! and the message to a callback (openrouter.ai's API document of 27 October
//! 2026, and docs, guides, video generation).

use bourse_vocab::Nanos;

use crate::object::Object;

/// What is known of a job.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The job, and the call that pays for it.
    pub id: &'a str,
    /// `pending`, `in_progress`, `completed`, `failed`, `cancelled`, `expired`.
    pub status: &'a str,
    /// The model that makes it.
    pub model: &'a str,
    /// Why there is no film.
    pub error: Option<&'a str>,
    /// How many films there are.
    pub films: usize,
    /// What it cost, once that is settled.
    pub cost: Option<Nanos>,
    /// Whether the callback has its message: `pending`, `delivered`, `failed`;
    /// `None` where there is no callback.
    pub callback: Option<&'a str>,
}

impl Told<'_> {
    /// The answer to a question.
    #[must_use]
    pub fn answer(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut whole = Object::open(&mut out);
        whole
            .put("id", self.id)
            .put("generation_id", self.id)
            .put("polling_url", &format!("/api/v1/videos/{}", self.id))
            .put("status", self.status);
        self.put(&mut whole);
        if let Some(callback) = self.callback {
            whole.nested("bourse", |out| {
                let mut ours = Object::open(out);
                ours.put("callback", callback);
                ours.close();
            });
        }
        whole.close();
        out
    }

    /// The message to a callback.
    #[must_use]
    pub fn event(&self, at_s: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut whole = Object::open(&mut out);
        whole
            .put("type", &format!("video.generation.{}", self.status))
            .put("created_at", &at_s);
        whole.nested("data", |out| {
            let mut data = Object::open(out);
            data.put("id", self.id)
                .put("generation_id", self.id)
                .put("status", self.status)
                .put("model", self.model);
            self.put(&mut data);
            data.close();
        });
        whole.close();
        out
    }

    fn put(&self, whole: &mut Object<'_>) {
        whole.put_some("error", self.error.as_ref());
        if self.films > 0 {
            let at = |index| format!("/api/v1/videos/{}/content?index={index}", self.id);
            let urls: Vec<_> = (0..self.films).map(at).collect();
            whole.put("unsigned_urls", &urls);
        }
        if let Some(cost) = self.cost {
            whole.nested("usage", |out| {
                let mut usage = Object::open(out);
                usage.put("cost", &cost).put("is_byok", &false);
                usage.close();
            });
        }
    }
}
