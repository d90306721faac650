//! Byte pass-through for any format: the client's bytes go on, but for the
//! members that name the model or are the gateway's own, and so do the
//! frames of the answer, which are read beside that for usage and end.
//!
//! This is what an endpoint of a format is made of whose ids the client need
//! not see replaced. What is translated, for targets that speak something
//! else, is translated in the same format on the client's side.

use std::borrow::Cow;

use bourse_vocab::{Failure, Format};
use bourse_wire::dialect::service;
use bourse_wire::json::splice::Splice;
use bourse_wire::json::text::write_string;
use bourse_wire::tool_calls::Made;
use bourse_wire::{Stamp, WriteTarget, codec};
use bytes::Bytes;

use super::translation::{self, OwnedStamp, Parsed};
use super::{ClientRequest, Prepared, Scanned, WholeReply, tools_of};
use crate::relay::Feed;
use crate::relay::forward::Forward;
use crate::relay::meter::report_of;
use crate::way::Way;

/// A request in the format that its client and some targets speak.
pub struct Native {
    format: Format,
    /// The member that names the model; `None` if the address does.
    model_member: Option<&'static str>,
    /// Members between client and gateway, which no provider is sent.
    gateway_members: &'static [&'static str],
    body: Scanned,
    parsed: Parsed,
}

impl Native {
    /// Takes a request over.
    #[must_use]
    pub fn new(
        format: Format,
        model_member: Option<&'static str>,
        gateway_members: &'static [&'static str],
        body: Scanned,
    ) -> Self {
        Self {
            format,
            model_member,
            gateway_members,
            body,
            parsed: Parsed::default(),
        }
    }

    fn splice(&self, target: &WriteTarget<'_>) -> Prepared {
        let mut splice = Splice::new(&self.body.outline);
        for name in self.gateway_members {
            splice.remove(name);
        }
        if let Some(member) = self.model_member {
            let mut model = Vec::with_capacity(target.model.len().saturating_add(2));
            write_string(target.model, &mut model);
            splice.set(member, model);
        }
        // What it is told of the tier of service is what is paid for.
        splice.remove(service::MEMBER);
        if let Some(word) = target.dialect.tier_word(target.tier) {
            splice.set(service::MEMBER, format!("\"{word}\""));
        }
        Prepared {
            body: splice.write(&self.body.segments).into_iter().collect(),
            losses: Vec::new(),
        }
    }
}

impl ClientRequest for Native {
    fn bytes(&self) -> usize {
        self.body.outline.len()
    }

    fn translates(&self, way: &Way) -> bool {
        way.format != self.format
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        if !self.translates(way) {
            return Ok(self.splice(target));
        }
        let Scanned { outline, segments } = &self.body;
        let parse = || codec(self.format).read_scanned(outline, segments);
        self.parsed.write(segments, parse, way, target)
    }

    fn feed(&self, way: &Way, stamp: &Stamp<'_>) -> Box<dyn Feed> {
        if self.translates(way) {
            return translation::feed(way, codec(self.format).stream_writer(stamp), false);
        }
        Box::new(Forward::begin(way.format, way.framing, stamp))
    }

    fn tools(&self) -> Option<Cow<'_, [u8]>> {
        tools_of(&self.body.outline, &self.body.segments)
    }

    fn whole(&self, way: &Way, stamp: &Stamp<'_>, body: &Bytes) -> Result<WholeReply, Failure> {
        if self.translates(way) {
            let (format, stamp) = (self.format, OwnedStamp::of(stamp));
            let write = move |reply: &_| codec(format).write_reply(reply, &stamp.get());
            return translation::whole(way, body, false, write);
        }
        let reply = codec(way.format).read_reply(body)?;
        let report = report_of(&reply);
        let body = body.clone();
        Ok(WholeReply {
            report,
            render: Box::new(move |_, _| body),
            record: None,
            calls: Made::of_reply(&reply),
        })
    }
}
