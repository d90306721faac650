//! Forms with files, and the sounds in them.

use bourse_vocab::Failure;
use bourse_vocab::transcription::{Shape, Task};
use bourse_wire::multipart::{Boundary, Form, FormError, Reader};
use bourse_wire::sound::{LENGTH_MS_MAX, View, measure};
use bourse_wire::transcription::{Asked, codec};
use bytes::Bytes;

use super::sounds::SAMPLES;
use super::{Target, is_callers};
use crate::chance::Chance;
use crate::sign::{Sign, of_bytes};

/// Forms as clients write them, and as those who would smuggle a part.
pub struct Forms;

const HEADER: &str = "multipart/form-data; boundary=b";
const FILE_BYTES_MAX: usize = 4_096;

fn boundary() -> Result<Boundary, String> {
    let read = Boundary::of_content_type(HEADER).map_err(|error| error.to_string())?;
    read.ok_or_else(|| "the boundary is none".to_owned())
}

fn read(pieces: &[&[u8]]) -> Result<Result<Form, FormError>, String> {
    let mut reader = Reader::new(&boundary()?, FILE_BYTES_MAX);
    for piece in pieces {
        if let Err(error) = reader.push(piece) {
            return Ok(Err(error));
        }
    }
    Ok(reader.finish())
}

impl Target for Forms {
    fn name(&self) -> &'static str {
        "forms"
    }

    fn held_to(&self) -> &'static str {
        "a form is the same however its bytes are cut, its sound is measured within bounds, and \
         what is sent on has one model and the same file"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let part = |head: &str, value: &[u8]| {
            let head = format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            [head.as_bytes(), value, b"\r\n"].concat()
        };
        let mut seeds = vec![b"--b--".to_vec()];
        for sound in SAMPLES {
            let file = part("name=\"file\"; filename=\"a.mp3\"", sound);
            let model = part("name=\"model\"", b"whisper-1");
            let form = part("name=response_format", b"verbose_json");
            let listed = part("name=\"timestamp_granularities[]\"", b"word");
            let end = b"--b--\r\n".to_vec();
            seeds.push([model, form, listed, file, end].concat());
        }
        Ok(seeds)
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let pieces = Chance::new(of_bytes(input)).pieces(input);
        let whole = read(&[input])?;
        let cut = read(&pieces)?;
        if whole != cut {
            return Err(format!(
                "cut otherwise it is another form\n{whole:?}\n{cut:?}"
            ));
        }
        let mut sign = Sign::default();
        let form = match whole {
            Ok(form) => form,
            Err(error) => {
                let failure = Failure::from(error);
                is_callers(&failure)?;
                sign.failure(&failure);
                return Ok(sign.get());
            }
        };
        let body = Bytes::copy_from_slice(input);
        for part in &form.parts {
            let segments = std::slice::from_ref(&body);
            let measured = measure(&View::plain(segments, part.value.clone()));
            if !(1..=LENGTH_MS_MAX).contains(&measured.ms()) {
                return Err(format!("a sound lasts {} ms", measured.ms()));
            }
            sign.text(&format!("{:?} {}", measured.format, part.is_file()));
            sign.text(&format!("{}", measured.told_ms.is_some()));
        }
        for task in [Task::Transcribe, Task::Translate] {
            match Asked::of_form(task, &form, vec![body.clone()]) {
                Err(failure) => {
                    is_callers(&failure)?;
                    sign.failure(&failure);
                }
                Ok(asked) => sent_on(&asked)?,
            }
        }
        Ok(sign.get())
    }
}

/// What is sent on is a form with one model, ours, and the client's file.
fn sent_on(asked: &Asked) -> Result<(), String> {
    let boundary = Boundary::drawn(7);
    let file = asked
        .sound
        .pieces()
        .map_err(|failure| format!("{failure:?}"))?;
    for shape in Shape::ALL {
        let Ok(written) = codec(shape).write(asked, "upstream", &boundary) else {
            continue;
        };
        let body = written.body.concat();
        if shape == Shape::Deepgram {
            // All that is said of the sound is in the address.
            if body != file.concat() {
                return Err("what is sent on is another file".to_owned());
            }
            continue;
        }
        // What was a field there is a file here.
        let mut reader = Reader::new(&boundary, usize::MAX);
        let pushed = reader.push(&body);
        let form = pushed.and_then(|()| reader.finish());
        let form = form.map_err(|error| format!("what is sent on is no form: {error}"))?;
        let value = |name| match form.one(name) {
            Ok(Some(part)) => body.get(part.value.clone()),
            _ => None,
        };
        let (named, absent) = match shape {
            Shape::ElevenLabs => (Some("model_id"), "model"),
            // Has one model, which has no name.
            Shape::Xai => (None, "model"),
            _ => (Some("model"), "model_id"),
        };
        let is_named = named.is_none_or(|name| value(name) == Some(b"upstream".as_slice()));
        if !is_named || form.parts.iter().any(|part| part.name == absent) {
            return Err("what is sent on has another model".to_owned());
        }
        if value("file") != Some(file.concat().as_slice()) {
            return Err("what is sent on has another file".to_owned());
        }
    }
    Ok(())
}
