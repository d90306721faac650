//! Features of requests: each from every client API to every column, down the
//! road that a call takes, and judged by what is really sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use bourse_dataplane::endpoints::ClientRequest;
use bourse_dataplane::phases::write::write;
use bourse_dataplane::way::Way;
use bourse_providers::{Attempt, Interface};
use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_wire::dialect::service::MEMBER;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use crate::clients::{CLIENTS, Client};
use crate::columns::{COLUMNS, Column, Columns};
use crate::paths::{Path, leaves};
use crate::pattern::holds;
use crate::{Cell, Problems, fixtures};

/// Something that a client can ask for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What people call it.
    pub name: String,
    /// The members that ask for it, by client API. Where one is missing the
    /// API has no words for it.
    pub ask: BTreeMap<String, Value>,
    /// Where in the request it stands, if not in all of these members.
    #[serde(default)]
    at: BTreeMap<String, Vec<String>>,
    /// What a request holds that asks for the same, by column or format.
    #[serde(default)]
    native: BTreeMap<String, Value>,
    /// What a request holds that does the same in another way.
    #[serde(default)]
    emulated: BTreeMap<String, Value>,
    /// What the gateway does by itself, whoever is asked.
    here: Option<Here>,
}

/// What the gateway does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Here {
    /// It keeps the labels of a call.
    Labels,
    /// It does not show what the model thought.
    Thoughts,
    /// It shows what the model thought, where it does.
    Shown,
}

/// A request as it was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub client: &'static str,
    pub column: &'static str,
    pub format: &'static str,
    pub feature: String,
    pub path: String,
    pub body: Value,
}

/// The cells of one feature, by client and column.
pub struct Row {
    pub group: String,
    pub feature: Feature,
    pub cells: BTreeMap<(&'static str, &'static str), Cell>,
}

/// What came of all of it.
pub struct Asked {
    pub rows: Vec<Row>,
    pub sent: Vec<Sent>,
    /// What was told of losses, by column: the sentence, and by which features.
    pub told: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

/// Asks everything of everybody.
pub async fn ask_all(columns: &Columns, problems: &mut Problems) -> Asked {
    let mut asked = Asked {
        rows: Vec::new(),
        sent: Vec::new(),
        told: BTreeMap::new(),
    };
    for (group, features) in fixtures::<Feature>("requests") {
        for feature in features {
            let mut cells = BTreeMap::new();
            for client in CLIENTS {
                for column in COLUMNS {
                    let cell = match feature.ask.get(client.id) {
                        None => Cell::Unsaid,
                        Some(members) => {
                            let case = Case {
                                feature: &feature,
                                members,
                                client,
                                column,
                                columns,
                            };
                            case.run(&mut asked, problems).await
                        }
                    };
                    cells.insert((client.id, column.id), cell);
                }
            }
            let group = group.clone();
            asked.rows.push(Row {
                group,
                feature,
                cells,
            });
        }
    }
    asked
}

/// One cell.
struct Case<'a> {
    feature: &'a Feature,
    members: &'a Value,
    client: &'a Client,
    column: &'static Column,
    columns: &'a Columns,
}

impl Case<'_> {
    async fn run(&self, asked: &mut Asked, problems: &mut Problems) -> Cell {
        let (body, streams) = self.client.body(self.members);
        let incoming = match self.client.read(&body, streams) {
            Ok(incoming) => incoming,
            Err(failure) => return self.refused(&body, streams, &failure, problems),
        };
        let (ask, request) = (incoming.ask, incoming.request);
        let (target, offer) = self.columns.target(self.column, ask.tier);
        let endpoint = self.client.endpoint(streams);
        let way = target.way(|way| endpoint.rank(way)).unwrap();
        let said = (None, target.told(ask.tier));
        let mut prepared = match write(&request, offer, said, way).await {
            Ok(prepared) => prepared,
            Err(failure) => return self.refused(&body, streams, &failure, problems),
        };
        let name = request.name_of(MEMBER);
        prepared.losses.extend(target.loss_of(ask.tier, name));
        let sent: Value = serde_json::from_slice(&prepared.body.concat()).unwrap();
        let path = self.address(way, &offer.upstream_model, ask.stream);
        let mut seen = sent.clone();
        seen["$address"] = path.clone().into();
        asked.sent.push(Sent {
            client: self.client.id,
            column: self.column.id,
            format: way.format.slug(),
            feature: self.feature.name.clone(),
            path,
            body: sent,
        });
        let here = self.is_done_here(&ask.attribution.labels, &*request, way);
        self.judge(
            (&body, &seen),
            &prepared.losses,
            (way, here),
            asked,
            problems,
        )
    }

    fn address(&self, way: &Way, model: &str, stream: bool) -> String {
        let provider = self.columns.provider(self.column);
        let base = provider.base_url().unwrap_or_default();
        let base_path = base
            .splitn(4, '/')
            .nth(3)
            .map_or_else(String::new, |path| format!("/{path}"));
        let interface = Interface {
            operation: way.operation,
            format: way.format,
            framing: way.framing,
        };
        provider
            .address(&Attempt {
                interface,
                model,
                stream,
                base_path: &base_path,
            })
            .path
    }

    fn is_done_here(&self, labels: &str, request: &dyn ClientRequest, way: &Way) -> bool {
        match self.feature.here {
            None => false,
            Some(Here::Labels) => labels.contains("team"),
            Some(Here::Thoughts) => crate::answers::shows_thoughts(request, way) == Some(false),
            Some(Here::Shown) => crate::answers::shows_thoughts(request, way) == Some(true),
        }
    }

    /// What arrived, by what was sent and what was told.
    fn judge(
        &self,
        (body, seen): (&Value, &Value),
        losses: &[Loss],
        (way, here): (&Arc<Way>, bool),
        asked: &mut Asked,
        problems: &mut Problems,
    ) -> Cell {
        for loss in losses {
            let path = Path::read(&loss.field);
            if path.beyond(body) > usize::from(path.len() > 1) {
                problems.add(
                    self.what(),
                    format!("`{}` is nothing that was sent: {body}", loss.field),
                );
            }
        }
        let about: Vec<&Loss> = losses
            .iter()
            .filter(|loss| self.is_about(&loss.field))
            .collect();
        for loss in &about {
            let sentences = asked.told.entry(self.column.id).or_default();
            let features = sentences.entry(loss.reason.clone()).or_default();
            if !features.contains(&self.feature.name) {
                features.push(self.feature.name.clone());
            }
        }
        let finds = |patterns: &BTreeMap<String, Value>| {
            let of_column = patterns.get(self.column.id);
            let pattern = of_column.or_else(|| patterns.get(way.format.slug()));
            pattern.is_some_and(|pattern| holds(pattern, Some(seen)))
        };
        let is_native = here || finds(&self.feature.native);
        let is_emulated = finds(&self.feature.emulated);
        match (is_native, is_emulated, about.is_empty()) {
            (true, _, true) => Cell::Native,
            (false, true, true) => Cell::Emulated,
            (true, _, false) | (_, true, false) if !about.iter().any(|loss| loss.is_less()) => {
                Cell::Emulated
            }
            (_, _, false) => Cell::Degraded,
            (false, false, true) => {
                problems.add(self.what(), format!("lost in silence: sent {seen}"));
                Cell::Silent
            }
        }
    }

    /// A refusal in the client's format that says where.
    fn refused(
        &self,
        body: &Value,
        streams: bool,
        failure: &Failure,
        problems: &mut Problems,
    ) -> Cell {
        let said = failure.message.split(": ").next().unwrap_or_default();
        let path = Path::read(said);
        if path.beyond(body) > usize::from(path.len() > 1) || !self.is_about(said) {
            problems.add(
                self.what(),
                format!("refused without saying where: {}", failure.message),
            );
        }
        let endpoint = self.client.endpoint(streams);
        let told = endpoint.failure(failure, &mut HeaderMap::new());
        let told: Value = serde_json::from_slice(&told).unwrap();
        let message = told["error"]["message"].as_str().unwrap_or_default();
        if !message.contains(&*failure.message) {
            problems.add(self.what(), format!("refused in another shape: {told}"));
        }
        Cell::Refused
    }

    /// Whether a path is about the feature.
    fn is_about(&self, path: &str) -> bool {
        let path = Path::read(path);
        match self.feature.at.get(self.client.id) {
            Some(places) => places.iter().any(|place| path.is_about(&Path::read(place))),
            None => leaves(self.members).iter().any(|leaf| path.is_about(leaf)),
        }
    }

    fn what(&self) -> String {
        let Self {
            feature,
            client,
            column,
            ..
        } = self;
        format!("{}: {} -> {}", feature.name, client.id, column.id)
    }
}
