//! Replies as vendors might send them, made up member by member.

/// A generator of numbers that are random enough: xorshift (Marsaglia, 2003).
pub struct Dice {
    state: u64,
    /// Values of members that nobody knows, as they were written.
    pub unknown: Vec<String>,
    /// Whether thoughts may come in pieces, of which one way tells the text
    /// twice and the other only the pieces.
    pub with_pieces: bool,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            unknown: Vec::new(),
            with_pieces: true,
        }
    }

    fn below(&mut self, sides: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        ((self.state >> 11) as usize) % sides
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one_of(&mut self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].to_owned()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    /// White space, mostly none.
    fn space(&mut self) -> &'static str {
        ["", "", "", "", "", " ", "\n", "\t\r "][self.below(8)]
    }

    /// An object of these members, in another order once in a while.
    fn object(&mut self, mut members: Vec<(String, String)>) -> String {
        if self.once_in(3) {
            self.shuffle(&mut members);
        }
        let mut text = String::from("{");
        for (number, (name, value)) in members.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            text.push_str(self.space());
            text.push_str(&format!("\"{name}\""));
            text.push_str(self.space());
            text.push(':');
            text.push_str(self.space());
            text.push_str(value);
            text.push_str(self.space());
        }
        text.push('}');
        text
    }

    /// A text, with escapes and everything that looks like structure.
    fn text(&mut self) -> String {
        let long = "The brokers agreed on a price. ".repeat(1 + self.below(9));
        let mut text = String::from("\"");
        for _ in 0..self.below(5) {
            let piece = self.one_of(&[
                "Hi",
                " there",
                "\\n",
                "\\\"",
                "\\\\",
                "\\u00e9",
                "\\ud83e",
                "é",
                "🦀",
                "{\\\"a\\\":[1,2]}",
                "],}:",
                &long,
            ]);
            text.push_str(&piece);
        }
        text.push('"');
        text
    }

    /// A value that nobody knows.
    fn any(&mut self, levels: usize) -> String {
        match self.below(if levels == 0 { 6 } else { 9 }) {
            0 => "null".to_owned(),
            1 => self.one_of(&["true", "false"]),
            2 | 3 => self.number(),
            4 | 5 => self.text(),
            6 => self.one_of(&["{}", "[]", "{ }", "[ ]"]),
            7 => {
                let items: Vec<_> = (0..self.below(4)).map(|_| self.any(levels - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let members = (0..self.below(4))
                    .map(|_| {
                        (
                            self.one_of(&["a", "b\\\"", "usage", "é", "content"]),
                            self.any(levels - 1),
                        )
                    })
                    .collect();
                self.object(members)
            }
        }
    }

    fn unknown(&mut self, levels: usize) -> String {
        let value = self.any(levels);
        self.unknown.push(value.clone());
        value
    }

    /// A number in any of its spellings.
    fn number(&mut self) -> String {
        self.one_of(&[
            "0",
            "-0",
            "7",
            "10.0",
            "1e2",
            "1E+2",
            "2.50",
            "-3",
            "1.5",
            "12345678901",
            "1e400",
            "123456789012345678901234567890",
            "0.0",
            "300",
            "20",
        ])
    }

    /// A count of tokens, or what a server may send for one.
    fn count(&mut self) -> String {
        match self.below(8) {
            0 => self.number(),
            1 => self.one_of(&["null", "null", "\"7\"", "true", "[]", "{}"]),
            _ => self.below(2_000).to_string(),
        }
    }

    fn details(&mut self, names: &[&str]) -> String {
        match self.below(12) {
            0 => "null".to_owned(),
            1 => "[]".to_owned(),
            2 => self.one_of(&["[1]", "7", "\"x\"", "[ ]"]),
            _ => {
                let mut members = Vec::new();
                for name in names {
                    if self.once_in(2) {
                        let value = self.count();
                        members.push(((*name).to_owned(), value));
                    }
                }
                self.object(members)
            }
        }
    }

    fn usage(&mut self) -> String {
        if self.once_in(12) {
            return self.one_of(&["null", "{}", "[]", "7", "\"lots\""]);
        }
        let mut members = Vec::new();
        for name in ["prompt_tokens", "completion_tokens", "total_tokens"] {
            if !self.once_in(10) {
                members.push((name.to_owned(), self.count()));
            }
        }
        for name in [
            "input_tokens",
            "output_tokens",
            "prompt_cache_hit_tokens",
            "cached_tokens",
            "reasoning_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cache_write_tokens",
            "vendor_count",
        ] {
            if self.once_in(10) {
                members.push((name.to_owned(), self.count()));
            }
        }
        for name in ["prompt_tokens_details", "input_tokens_details"] {
            if self.once_in(3) {
                let mut value = self.details(&[
                    "cached_tokens",
                    "audio_tokens",
                    "cache_write_tokens",
                    "cache_creation_input_tokens",
                    "x",
                ]);
                if value.ends_with('}') && value.len() > 2 && self.once_in(4) {
                    let inner =
                        self.details(&["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]);
                    value.truncate(value.len() - 1);
                    value.push_str(&format!(",\"cache_creation\":{inner}}}"));
                }
                members.push((name.to_owned(), value));
            }
        }
        for name in ["completion_tokens_details", "output_tokens_details"] {
            if self.once_in(3) {
                let value =
                    self.details(&["reasoning_tokens", "audio_tokens", "image_tokens", "x"]);
                members.push((name.to_owned(), value));
            }
        }
        if self.once_in(8) {
            let value = self.details(&["web_search_requests", "x"]);
            members.push(("server_tool_use".to_owned(), value));
        }
        if self.once_in(8) {
            let value = self.details(&["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]);
            members.push(("cache_creation".to_owned(), value));
        }
        if self.once_in(16) {
            members.push(("completion_tokens".to_owned(), self.count()));
        }
        self.object(members)
    }

    fn calls(&mut self) -> String {
        let calls: Vec<_> = (0..self.below(4))
            .map(|number| {
                let arguments = match self.below(5) {
                    0 => "{\"b\":1.0,\"a\":2}".to_owned(),
                    1 => "null".to_owned(),
                    2 => "\"\"".to_owned(),
                    _ => "\"{\\\"a\\\":1}\"".to_owned(),
                };
                let function = self.object(vec![
                    ("name".to_owned(), "\"f\"".to_owned()),
                    ("arguments".to_owned(), arguments),
                ]);
                let mut members = Vec::new();
                if !self.once_in(4) {
                    let id = self.one_of(&["\"c1\"", "\"c2\"", "\"\"", "null"]);
                    members.push(("id".to_owned(), id));
                }
                if self.once_in(2) {
                    members.push(("index".to_owned(), number.to_string()));
                }
                if !self.once_in(4) {
                    members.push(("type".to_owned(), "\"function\"".to_owned()));
                }
                members.push(("function".to_owned(), function));
                if self.once_in(8) {
                    members.push(("signature".to_owned(), self.any(1)));
                }
                self.object(members)
            })
            .collect();
        format!("[{}]", calls.join(","))
    }

    /// Content, with thoughts among its parts unless they are elsewhere.
    fn content(&mut self, thinks: bool) -> String {
        match self.below(10) {
            0 => "null".to_owned(),
            1 => "\"\"".to_owned(),
            2 => "[]".to_owned(),
            3 => {
                let text = self.text();
                format!("[{{\"type\":\"text\",\"text\":{text}}}]")
            }
            4 if thinks => {
                let (thought, text) = (self.text(), self.text());
                format!(
                    "[{{\"type\":\"thinking\",\"thinking\":[{{\"type\":\"text\",\"text\":{thought}}}]}},{{\"type\":\"text\",\"text\":{text}}}]"
                )
            }
            _ => self.text(),
        }
    }

    fn message(&mut self) -> String {
        let mut members = Vec::new();
        if !self.once_in(5) {
            let role = self.one_of(&["\"assistant\"", "\"assistant\"", "\"\"", "null"]);
            members.push(("role".to_owned(), role));
        }
        let thinks_apart = self.once_in(3);
        if !self.once_in(6) {
            members.push(("content".to_owned(), self.content(!thinks_apart)));
        }
        for name in ["reasoning", "reasoning_content"] {
            if thinks_apart && self.once_in(2) {
                let value = if self.once_in(5) {
                    "null".to_owned()
                } else {
                    self.text()
                };
                members.push((name.to_owned(), value));
            }
        }
        if thinks_apart && self.with_pieces && self.once_in(3) {
            let text = self.text();
            members.push((
                "reasoning_details".to_owned(),
                format!("[{{\"type\":\"reasoning.text\",\"text\":{text},\"index\":0}}]"),
            ));
        }
        if self.once_in(3) {
            let value = if self.once_in(2) {
                "null".to_owned()
            } else {
                self.text()
            };
            members.push(("refusal".to_owned(), value));
        }
        if self.once_in(4) {
            members.push(("tool_calls".to_owned(), self.calls()));
        }
        if self.once_in(8) {
            let value = self.one_of(&[
                "[]",
                "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]",
            ]);
            members.push(("images".to_owned(), value));
        }
        if self.once_in(8) {
            members.push(("annotations".to_owned(), "[]".to_owned()));
        }
        if self.once_in(4) {
            members.push(("vendor".to_owned(), self.unknown(2)));
        }
        self.object(members)
    }

    fn choice(&mut self, number: usize) -> String {
        let mut members = Vec::new();
        if !self.once_in(6) {
            members.push(("index".to_owned(), number.to_string()));
        }
        members.push(("message".to_owned(), self.message()));
        if self.once_in(3) {
            members.push(("logprobs".to_owned(), "null".to_owned()));
        }
        if !self.once_in(6) {
            let word = self.one_of(&[
                "\"stop\"",
                "\"eos\"",
                "\"length\"",
                "null",
                "\"\"",
                "\"tool_calls\"",
            ]);
            members.push(("finish_reason".to_owned(), word));
        }
        if self.once_in(8) {
            members.push(("native_finish_reason".to_owned(), "\"END\"".to_owned()));
        }
        if self.once_in(4) {
            members.push(("vendor".to_owned(), self.unknown(2)));
        }
        self.object(members)
    }

    /// A whole reply. Its id comes first: calls without ids are named after it,
    /// and one pass does not look ahead for it.
    pub fn whole_reply(&mut self) -> String {
        let mut members = Vec::new();
        members.push(("object".to_owned(), "\"chat.completion\"".to_owned()));
        if !self.once_in(4) {
            members.push(("created".to_owned(), self.number()));
        }
        if !self.once_in(8) {
            members.push(("model".to_owned(), "\"gpt-4o-mini-2024-07-18\"".to_owned()));
        }
        let count = [1, 1, 1, 1, 2, 3][self.below(6)];
        let choices: Vec<_> = (0..count).map(|number| self.choice(number)).collect();
        let space = self.space();
        let choices = format!("[{space}{}{space}]", choices.join(","));
        members.push(("choices".to_owned(), choices));
        if !self.once_in(6) {
            members.push(("usage".to_owned(), self.usage()));
        }
        if self.once_in(3) {
            members.push(("service_tier".to_owned(), "\"default\"".to_owned()));
        }
        if self.once_in(3) {
            let print = self.one_of(&["null", "\"fp\""]);
            members.push(("system_fingerprint".to_owned(), print));
        }
        if self.once_in(3) {
            members.push(("vendor".to_owned(), self.unknown(3)));
        }
        if self.once_in(16) {
            members.push(("error".to_owned(), "null".to_owned()));
        }
        let reply = self.object(members);
        if self.once_in(8) {
            return reply;
        }
        let id = self.one_of(&["\"r1\"", "\"r\\n2\"", "7", "null"]);
        format!("{{\"id\":{id},{}", &reply[1..])
    }
}
