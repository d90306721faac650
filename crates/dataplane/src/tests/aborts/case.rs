//! Calls at random, and what they truly cost.

use bourse_catalog::ImageTokens;
use bourse_vocab::Format;
use bourse_vocab::facts::{Detail, Image, PixelSize, Source};
use serde_json::{Value, json};

use super::super::harness::{Play, ms, play, play_whole};
use super::super::script::Answer;
use crate::phases::hold::goals::Dice;

/// Nano-dollars of a token.
pub const INPUT_NANOS: u64 = 1_000;
pub const OUTPUT_NANOS: u64 = 2_000;

/// A picture of one pixel.
const PICTURE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// What the calls of one server are like.
#[derive(Debug, Clone, Copy)]
pub struct Sort {
    pub format: Format,
    pub is_whole: bool,
    /// Whether the provider shows a summary of what its model thinks.
    pub sums_up: bool,
}

/// A call, and what its provider does.
pub struct Case {
    sort: Sort,
    thinks: bool,
    prompt: String,
    pictures: usize,
    prompt_tokens: u64,
    /// Hidden thoughts: for how long, and how many.
    thought: (u64, u64),
    /// What is shown of them, evenly over that time.
    summary: Vec<String>,
    /// Pieces of the answer: text, and tokens.
    pieces: Vec<(String, u64)>,
    /// Between two pieces.
    piece_ms: u64,
}

/// So much more or less, in percent.
fn about(number: u64, percent: u64, dice: &mut Dice) -> u64 {
    number * (100 - percent + dice.upto(2 * percent)) / 100
}

/// What the rule of the model says of the picture.
fn picture_tokens() -> u64 {
    let image = Image {
        source: Source::Inline { bytes: 0 },
        detail: Detail::Auto,
        size: PixelSize::new(1, 1),
    };
    ImageTokens::Undocumented.estimate(&image)
}

fn letters(letter: &str, count: u64) -> String {
    letter.repeat(usize::try_from(count).unwrap())
}

impl Case {
    pub fn new(sort: Sort, dice: &mut Dice) -> Self {
        let bytes = 200 + dice.upto(4_000);
        let thinks = dice.one_in(2);
        let pictures = if dice.one_in(3) { 1 + dice.upto(3) } else { 0 };
        // Sixty tokens a second, more or less, thought or said.
        let thought_ms = if thinks { 500 + dice.upto(9_500) } else { 0 };
        let summary = match thinks && sort.sums_up {
            true => (0..1 + thought_ms / 2_000)
                .map(|_| letters("s", 20 + dice.upto(40)))
                .collect(),
            false => Vec::new(),
        };
        let pieces = (0..6 + dice.upto(12))
            .map(|_| {
                let tokens = 2 + dice.upto(10);
                let length = (0..tokens).map(|_| 2 + dice.upto(5)).sum();
                (letters("x", length), tokens)
            })
            .collect();
        // 3.7 bytes a token, more or less, and the template around it.
        let text_tokens = about((bytes + 60) * 10 / 37, 8, dice);
        Self {
            sort,
            thinks,
            prompt: letters("y", bytes),
            pictures: usize::try_from(pictures).unwrap(),
            prompt_tokens: text_tokens + about(pictures * picture_tokens(), 5, dice),
            thought: (thought_ms, about(thought_ms * 60 / 1_000, 15, dice)),
            summary,
            pieces,
            piece_ms: about(117, 15, dice),
        }
    }

    fn said(&self) -> u64 {
        self.pieces.iter().map(|(_, tokens)| tokens).sum()
    }

    /// What the provider sends; half a second is for the way and the prompt.
    fn answer(&self, dice: &mut Dice) -> Answer {
        if self.sort.is_whole {
            let whole = Answer::reply(&self.whole());
            let takes = ms(self.takes_ms());
            // Some say at once that an answer will come.
            return match dice.one_in(2) {
                true => whole.head_after(takes),
                false => whole.body_after(takes),
            };
        }
        match self.sort.format {
            Format::OpenAiChat => self.chat(),
            Format::OpenAiResponses => self.response(),
            Format::Anthropic => self.messages(),
            Format::Gemini => self.gemini(),
            Format::Bedrock => self.converse(),
            Format::Ollama => self.ollama(),
            Format::Cohere => self.cohere(),
        }
    }

    /// The time of thinking, with what is shown of it.
    fn thinking(&self, answer: Answer, show: impl Fn(Answer, &str) -> Answer) -> Answer {
        let pieces = self.summary.len() as u64 + 1;
        let part = self.thought.0 / pieces;
        let shown = self
            .summary
            .iter()
            .fold(answer.wait(ms(500)), |answer, text| {
                show(answer.wait(ms(part)), text)
            });
        shown.wait(ms(self.thought.0 - part * (pieces - 1)))
    }

    fn chat(&self) -> Answer {
        let answer = Answer::stream().role();
        let mut answer = self.thinking(answer, |answer, text| answer.thought(text));
        for (text, _) in &self.pieces {
            answer = answer.text(text).wait(ms(self.piece_ms));
        }
        let usage = json!({"id": "up-1", "object": "chat.completion.chunk", "model": "m",
            "choices": [], "usage": self.chat_usage()});
        answer.finish().data(&usage).done()
    }

    fn chat_usage(&self) -> Value {
        json!({"prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.thought.1 + self.said(),
            "completion_tokens_details": {"reasoning_tokens": self.thought.1}})
    }

    /// Tells everything at the end.
    fn response(&self) -> Answer {
        let begun = json!({"type": "response.created", "response": {"id": "resp_1"}});
        let shown = |answer: Answer, text: &str| {
            answer.event(&json!({"type": "response.reasoning_summary_text.delta",
                "output_index": 0, "summary_index": 0, "delta": text}))
        };
        let mut answer = self.thinking(Answer::stream().event(&begun), shown);
        for (text, _) in &self.pieces {
            let delta = json!({"type": "response.output_text.delta", "output_index": 1,
                "content_index": 0, "delta": text});
            answer = answer.event(&delta).wait(ms(self.piece_ms));
        }
        answer.event(&json!({"type": "response.completed",
            "response": {"status": "completed", "usage": self.response_usage()}}))
    }

    fn response_usage(&self) -> Value {
        json!({"input_tokens": self.prompt_tokens,
            "output_tokens": self.thought.1 + self.said(),
            "output_tokens_details": {"reasoning_tokens": self.thought.1}})
    }

    /// Tells the input at once.
    fn messages(&self) -> Answer {
        let answer = Answer::stream().event(&json!({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [], "stop_reason": null,
            "usage": {"input_tokens": self.prompt_tokens, "output_tokens": 1}}}));
        let delta = |answer: Answer, delta: Value| {
            answer.event(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
        };
        let block = |answer: Answer, block: Value| {
            answer
                .event(&json!({"type": "content_block_start", "index": 0, "content_block": block}))
        };
        let end = json!({"type": "content_block_stop", "index": 0});
        let answer = block(answer, json!({"type": "thinking", "thinking": ""}));
        let answer = self.thinking(answer, |answer, text| {
            delta(answer, json!({"type": "thinking_delta", "thinking": text}))
        });
        let mut answer = block(answer.event(&end), json!({"type": "text", "text": ""}));
        for (text, _) in &self.pieces {
            answer = delta(answer, json!({"type": "text_delta", "text": text}));
            answer = answer.wait(ms(self.piece_ms));
        }
        answer
            .event(&end)
            .event(&json!({"type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": self.thought.1 + self.said()}}))
            .event(&json!({"type": "message_stop"}))
    }

    /// Tells everything with every piece.
    fn gemini(&self) -> Answer {
        let thought = |answer: Answer, text: &str| {
            answer.data(&json!({"responseId": "r", "modelVersion": "m",
                "candidates": [{"index": 0, "content": {"role": "model",
                    "parts": [{"text": text, "thought": true}]}}]}))
        };
        let mut answer = self.thinking(Answer::stream(), thought);
        let mut said = 0;
        for (n, (text, tokens)) in self.pieces.iter().enumerate() {
            said += tokens;
            let is_last = n + 1 == self.pieces.len();
            answer = answer.data(&self.gemini_chunk(text, said, is_last));
            answer = answer.wait(ms(self.piece_ms));
        }
        answer
    }

    /// Tells everything at the end, and does not count thoughts apart.
    fn converse(&self) -> Answer {
        let delta = |answer: Answer, block: u64, delta: Value| {
            let event = json!({"contentBlockIndex": block, "delta": delta});
            answer.message("contentBlockDelta", &event)
        };
        let answer = Answer::binary().message("messageStart", &json!({"role": "assistant"}));
        let mut answer = self.thinking(answer, |answer, text| {
            delta(answer, 0, json!({"reasoningContent": {"text": text}}))
        });
        for (text, _) in &self.pieces {
            answer = delta(answer, 1, json!({"text": text})).wait(ms(self.piece_ms));
        }
        answer
            .message("messageStop", &json!({"stopReason": "end_turn"}))
            .message("metadata", &json!({"usage": self.converse_usage()}))
    }

    fn converse_usage(&self) -> Value {
        json!({"inputTokens": self.prompt_tokens, "outputTokens": self.thought.1 + self.said()})
    }

    /// Tells everything at the end, and does not count thoughts apart.
    fn ollama(&self) -> Answer {
        let said = |message: Value| json!({"model": "m", "message": message, "done": false});
        let mut answer = self.thinking(Answer::lines(), |answer, text| {
            answer.line(&said(
                json!({"role": "assistant", "content": "", "thinking": text}),
            ))
        });
        for (text, _) in &self.pieces {
            let line = said(json!({"role": "assistant", "content": text}));
            answer = answer.line(&line).wait(ms(self.piece_ms));
        }
        answer.line(&self.ollama_end(""))
    }

    fn ollama_end(&self, text: &str) -> Value {
        json!({"model": "m", "message": {"role": "assistant", "content": text},
            "done": true, "done_reason": "stop", "prompt_eval_count": self.prompt_tokens,
            "eval_count": self.thought.1 + self.said()})
    }

    /// Tells everything at the end, and does not count thoughts apart.
    fn cohere(&self) -> Answer {
        let said = |answer: Answer, content: Value| {
            answer.event(&json!({"type": "content-delta", "index": 0,
                "delta": {"message": {"content": content}}}))
        };
        let begun = json!({"type": "message-start", "id": "c"});
        let mut answer = self.thinking(Answer::stream().event(&begun), |answer, text| {
            said(answer, json!({"thinking": text}))
        });
        for (text, _) in &self.pieces {
            answer = said(answer, json!({"text": text})).wait(ms(self.piece_ms));
        }
        answer.event(&json!({"type": "message-end",
            "delta": {"finish_reason": "COMPLETE", "usage": self.cohere_usage()}}))
    }

    fn cohere_usage(&self) -> Value {
        json!({"billed_units": {"input_tokens": self.prompt_tokens,
            "output_tokens": self.thought.1 + self.said()}})
    }

    fn gemini_chunk(&self, text: &str, said: u64, is_last: bool) -> Value {
        let mut chunk = json!({"responseId": "r", "modelVersion": "m",
            "candidates": [{"index": 0,
                "content": {"role": "model", "parts": [{"text": text}]}}],
            "usageMetadata": {"promptTokenCount": self.prompt_tokens,
                "candidatesTokenCount": said, "thoughtsTokenCount": self.thought.1}});
        if is_last {
            chunk["candidates"][0]["finishReason"] = json!("STOP");
        }
        chunk
    }

    /// The same as one body.
    fn whole(&self) -> Value {
        let text: String = self.pieces.iter().map(|(text, _)| text.as_str()).collect();
        match self.sort.format {
            Format::OpenAiChat => json!({"id": "up-1", "usage": self.chat_usage(),
                "choices": [{"index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text}}]}),
            Format::OpenAiResponses => json!({"id": "resp_1", "status": "completed",
                "output": [{"type": "message",
                    "content": [{"type": "output_text", "text": text}]}],
                "usage": self.response_usage()}),
            Format::Anthropic => json!({"id": "msg_1", "type": "message",
                "role": "assistant", "model": "m", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": text}],
                "usage": {"input_tokens": self.prompt_tokens,
                    "output_tokens": self.thought.1 + self.said()}}),
            Format::Gemini => self.gemini_chunk(&text, self.said(), true),
            Format::Bedrock => json!({"stopReason": "end_turn",
                "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
                "usage": self.converse_usage()}),
            Format::Ollama => self.ollama_end(&text),
            Format::Cohere => json!({"id": "c", "finish_reason": "COMPLETE",
                "message": {"role": "assistant", "content": [{"type": "text", "text": text}]},
                "usage": self.cohere_usage()}),
        }
    }

    pub fn takes_ms(&self) -> u64 {
        500 + self.thought.0 + self.piece_ms * self.pieces.len() as u64
    }

    /// What the provider charges if it is let go of after so long. What is not
    /// streamed it charges to the end.
    pub fn truth(&self, after_ms: u64) -> u64 {
        let after_ms = match self.sort.is_whole {
            true => self.takes_ms(),
            false => after_ms,
        };
        let (thought_ms, thought) = self.thought;
        let thought_for = after_ms.saturating_sub(500).min(thought_ms);
        let thought = (thought * thought_for).checked_div(thought_ms).unwrap_or(0);
        let begun_ms = 500 + thought_ms;
        let said: u64 = if after_ms < begun_ms {
            0
        } else {
            let pieces = (after_ms - begun_ms) / self.piece_ms + 1;
            let pieces = self.pieces.iter().take(usize::try_from(pieces).unwrap());
            pieces.map(|(_, tokens)| tokens).sum()
        };
        self.prompt_tokens * INPUT_NANOS + (thought + said) * OUTPUT_NANOS
    }

    /// About how long the stream is that its client gets.
    pub fn stream_bytes(&self) -> u64 {
        let texts = self.pieces.iter().map(|(text, _)| text);
        let events = texts.chain(&self.summary);
        events.map(|text| 230 + text.len() as u64).sum()
    }

    pub fn play(&self, dice: &mut Dice) -> Play {
        let mut parts = vec![json!({"type": "text", "text": self.prompt})];
        let picture = json!({"type": "image_url", "image_url": {"url": PICTURE}});
        parts.extend(vec![picture; self.pictures]);
        let play = if self.sort.is_whole {
            play_whole()
        } else {
            play()
        };
        let play = play
            .setup(|setup| {
                setup.credit = 1_000_000_000_000;
                setup.format = self.sort.format;
            })
            .member("messages", json!([{"role": "user", "content": parts}]))
            .one(self.answer(dice));
        if self.thinks {
            play
        } else {
            play.member("reasoning", json!({"enabled": false}))
        }
    }
}
