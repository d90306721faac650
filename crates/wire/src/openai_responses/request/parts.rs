//! What messages and results of tools are made of.

use bourse_vocab::chat::{CacheControl, Media, Part};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format};

use super::PARTS_MAX;
use crate::dialect::media;
use crate::fields::{Fields, Path};

/// Reads `content` or `output`: a text, or an array of parts.
pub fn content(
    fields: &mut Fields<'_>,
    name: &str,
    extras: &mut Map,
) -> Result<Option<Vec<Part>>, Failure> {
    let path = Path::Member(fields.path(), name);
    match fields.take(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(vec![Part::text(text)])),
        Some(value @ Value::Array(_)) => path
            .array(value, PARTS_MAX)?
            .into_iter()
            .enumerate()
            .map(|(index, item)| part(item, &Path::Item(&path, index), extras))
            .collect::<Result<Vec<_>, _>>()
            .map(Some),
        Some(other) => Err(path.expected("a string or an array of parts", &other)),
    }
}

fn part(item: Value, path: &Path<'_>, extras: &mut Map) -> Result<Part, Failure> {
    let mut fields = Fields::of(item, path)?;
    let kind = fields.required_text("type")?;
    let part = match kind.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" => {
            // What an answer had beside its text; the lists are mostly empty.
            for name in ["annotations", "logprobs"] {
                if let Some(value) = fields.take(name)
                    && value != Value::Array(Vec::new())
                {
                    fields.put_back(name, value);
                }
            }
            Part::Text {
                text: fields.required_text("text")?,
                cache: breakpoint(&mut fields)?,
            }
        }
        "refusal" => Part::Refusal(fields.required_text("refusal")?),
        "input_image" => image(&mut fields)?,
        "input_file" => file(&mut fields)?,
        "input_audio" => audio(&mut fields)?,
        "input_video" => Part::Video {
            media: media::read(fields.required_text("video_url")?),
        },
        _ => {
            fields.put_back("type", Value::String(kind));
            return Ok(Part::Opaque {
                format: Format::OpenAiResponses,
                value: Value::Object(fields.rest()),
            });
        }
    };
    fields.rest_into(extras);
    Ok(part)
}

/// Takes out OpenAI's breakpoint for the cache of the prompt.
fn breakpoint(fields: &mut Fields<'_>) -> Result<Option<CacheControl>, Failure> {
    let mark = fields.object("prompt_cache_breakpoint")?;
    Ok(mark.map(|_| CacheControl::default()))
}

/// A file of an upload is somebody's, and no provider could tell whose.
fn refuse_upload(fields: &mut Fields<'_>) -> Result<(), Failure> {
    match fields.text("file_id")? {
        None => Ok(()),
        Some(_) => Err(fields.invalid(
            "file_id",
            "no files are kept here; send the data, or an address",
        )),
    }
}

fn image(fields: &mut Fields<'_>) -> Result<Part, Failure> {
    refuse_upload(fields)?;
    let url = fields.required_text("image_url")?;
    if url.is_empty() {
        return Err(fields.invalid("image_url", "must not be empty"));
    }
    Ok(Part::Image {
        media: media::read(url),
        detail: fields.text("detail")?.filter(|detail| detail != "auto"),
        cache: breakpoint(fields)?,
    })
}

fn file(fields: &mut Fields<'_>) -> Result<Part, Failure> {
    refuse_upload(fields)?;
    let filename = fields.text("filename")?;
    let media = match (fields.text("file_data")?, fields.text("file_url")?) {
        (Some(data), _) => media::read(data),
        (None, Some(url)) => Media::Url(url),
        (None, None) => return Err(fields.invalid("file_data", "or file_url is required")),
    };
    Ok(Part::File {
        filename,
        media,
        cache: breakpoint(fields)?,
    })
}

fn audio(fields: &mut Fields<'_>) -> Result<Part, Failure> {
    let path = Path::Member(fields.path(), "input_audio");
    let Some(value) = fields.take("input_audio") else {
        return Err(path.invalid("is required"));
    };
    let mut inner = Fields::of(value, &path)?;
    Ok(Part::Audio {
        data: inner.required_text("data")?,
        format: inner.required_text("format")?,
    })
}
