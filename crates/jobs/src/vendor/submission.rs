//! One batch at a vendor: gathered, sent once, followed to its end, and read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bourse_vocab::BatchId;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::api::{Api, Batch, Refused, is_name};
use super::shelf::{self, Answers, Draft, Record};
use super::{Shared, Stage, Waiting};

/// No more lines come when none has come for so long.
const GATHERS: Duration = Duration::from_secs(2);
/// Waits between tries, from the first to the longest.
const WAIT_MIN: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How often a vendor is asked to take lines before they are called by
/// themselves: for about a quarter of an hour.
const TRIES_MAX: u32 = 9;
/// How often a batch is looked for whose creation was not answered, before it
/// is taken that there is none: a list may be behind.
const LOOKS_FOR_IT: u32 = 4;
/// How often a vendor may not know a batch that it had made.
const STRANGE_MAX: u32 = 5;
/// How long a vendor may take to end what it was told to end. OpenAI documents
/// ten minutes, Anthropic that running requests come to their end.
const CANCELS_MAX: Duration = Duration::from_secs(1_200);

/// Why a submission does not go on.
enum Over {
    /// The vendor has none of it, and will not.
    Untaken,
    /// The server stops, or nobody waits any more.
    Left,
}

pub(super) struct Submission {
    shared: Arc<Shared>,
    batch: BatchId,
    record: Record,
    /// Lines that wait for their answers.
    waiting: HashMap<u32, Waiting>,
    inbox: mpsc::Receiver<Waiting>,
    stage: watch::Receiver<Stage>,
    /// Whether the vendor may have the batch, and its name for it is not known.
    may_exist: bool,
}

impl Submission {
    pub(super) fn of(
        shared: Arc<Shared>,
        batch: BatchId,
        record: Record,
        (inbox, stage): (mpsc::Receiver<Waiting>, watch::Receiver<Stage>),
    ) -> Self {
        Self {
            shared,
            batch,
            record,
            waiting: HashMap::new(),
            inbox,
            stage,
            may_exist: false,
        }
    }

    /// From its first line on.
    pub(super) async fn begin(mut self) {
        self.gather().await;
        let over = match self.api() {
            Some(api) if *self.stage.borrow() == Stage::Goes => self.send(&api).await,
            _ => Err(Over::Untaken),
        };
        match over {
            Ok(()) => self.finish().await,
            Err(Over::Left) => {}
            Err(Over::Untaken) => {
                let lines: Vec<u32> = self.waiting.keys().copied().collect();
                self.shared.give_back(self.batch, &lines);
            }
        }
        // Whoever still waits hears that there is no answer here.
    }

    /// What a server before this one has sent.
    pub(super) async fn go_on(mut self) {
        // It brings the credential.
        match self.inbox.recv().await {
            Some(first) => self.take(first),
            None => return,
        }
        self.may_exist = true;
        self.finish().await;
    }

    fn take(&mut self, waiting: Waiting) {
        self.waiting.insert(waiting.line, waiting);
    }

    fn api(&self) -> Option<Api> {
        let first = self.waiting.values().next()?;
        Some(Api {
            client: self.shared.client.clone(),
            place: first.place.clone(),
        })
    }

    async fn gather(&mut self) {
        let mut stage = self.stage.clone();
        loop {
            tokio::select! {
                arrived = timeout(GATHERS, self.inbox.recv()) => match arrived {
                    Ok(Some(waiting)) => self.take(waiting),
                    Ok(None) | Err(_) => break,
                },
                _ = stage.wait_for(|stage| *stage != Stage::Goes) => break,
            }
        }
        self.shared.close(self.batch, &self.record.name);
        // Nothing is sent into it any more but what is there.
        while let Ok(waiting) = self.inbox.try_recv() {
            self.take(waiting);
        }
    }

    /// Waits, and hears of lines and of the stage meanwhile.
    async fn wait(&mut self, wait: Duration) -> Result<(), Over> {
        let until = Instant::now() + wait;
        let before = *self.stage.borrow();
        loop {
            let now = *self.stage.borrow();
            if now == Stage::Left {
                return Err(Over::Left);
            }
            if now != before {
                return Ok(());
            }
            let mut stage = self.stage.clone();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(()),
                arrived = self.inbox.recv() => match arrived {
                    Some(waiting) => self.take(waiting),
                    None => return Err(Over::Left),
                },
                _ = stage.wait_for(|stage| *stage != before) => {}
            }
        }
    }

    /// Sends the lines: their file first, which costs nothing, and then, when
    /// it is on the disk that this is done, the order to answer them.
    async fn send(&mut self, api: &Api) -> Result<(), Over> {
        let lines = self.lines();
        let (mut pause, mut tries) = (WAIT_MIN, 0_u32);
        let file = loop {
            tries = tries.saturating_add(1);
            if *self.stage.borrow() != Stage::Goes || tries > TRIES_MAX {
                return Err(Over::Untaken);
            }
            match api.prepare(&lines).await {
                Ok(file) if is_name(&file) || api.orders_with_lines() => break file,
                Ok(_) => return Err(Over::Untaken),
                Err(refused) => pause = self.pause(refused, pause).await?,
            }
        };
        self.record.file = file;
        self.record.lines = lines.iter().map(|(line, _)| *line).collect();
        if !api.orders_with_lines() {
            self.forget_bodies();
        }
        self.note()
    }

    /// The lines that wait, in order, with what is asked.
    fn lines(&self) -> Vec<(u32, Bytes)> {
        let waiting = self.waiting.values();
        let mut lines: Vec<_> = waiting
            .map(|waiting| (waiting.line, waiting.body.clone()))
            .collect();
        lines.sort_by_key(|(line, _)| *line);
        lines
    }

    /// The vendor has them.
    fn forget_bodies(&mut self) {
        for waiting in self.waiting.values_mut() {
            waiting.body = Bytes::new();
        }
    }

    /// Waits before something is tried again that did not work.
    async fn pause(&mut self, refused: Refused, pause: Duration) -> Result<Duration, Over> {
        let wait = match refused {
            Refused::Never(status) => {
                tracing::warn!(batch = %self.batch, status, "a vendor does not take a batch; its lines are called by themselves");
                return Err(Over::Untaken);
            }
            Refused::Later(asked) => pause.max(asked.unwrap_or_default().min(WAIT_MAX)),
            Refused::Unknown(why) => {
                tracing::debug!(batch = %self.batch, why, "a vendor does not answer about a batch");
                pause
            }
        };
        self.wait(wait).await?;
        Ok(pause.saturating_mul(2).min(WAIT_MAX))
    }

    fn note(&self) -> Result<(), Over> {
        let noted = shelf::note(&self.shared.dir, self.batch, &self.record);
        noted.map_err(|error| {
            tracing::warn!(batch = %self.batch, %error, "the disk does not take what is sent to a vendor");
            Over::Untaken
        })
    }

    /// From the record on the disk to the last line that asks.
    async fn finish(mut self) {
        let ended = match self.answers() {
            Some(answers) => Ok(answers),
            None => self.follow().await,
        };
        match ended {
            Ok(answers) => self.serve(&answers).await,
            Err(Over::Left) => {}
            Err(Over::Untaken) => {
                let withdrawn = shelf::withdraw(&self.shared.dir, self.batch, &self.record.name);
                if let Err(error) = withdrawn {
                    tracing::warn!(%error, "what a vendor did not take cannot be forgotten");
                }
                self.shared.give_back(self.batch, &self.record.lines);
            }
        }
    }

    fn answers(&self) -> Option<Answers> {
        let opened = Answers::open(&self.shared.dir, self.batch, &self.record.name);
        opened.unwrap_or_else(|error| {
            tracing::warn!(batch = %self.batch, %error, "answers of a vendor cannot be read");
            None
        })
    }

    async fn follow(&mut self) -> Result<Answers, Over> {
        let api = self.api().filter(|api| api.place.base == self.record.base);
        let api = api.ok_or(Over::Left)?;
        let id = match &self.record.batch {
            Some(id) => id.clone(),
            None => self.create(&api).await?,
        };
        let ended = self.until_ended(&api, &id).await?;
        let mut pause = WAIT_MIN;
        loop {
            match self.read(&api, &ended).await {
                Ok(()) => match self.answers() {
                    Some(answers) => return Ok(answers),
                    None => pause = self.pause(Refused::Later(None), pause).await?,
                },
                // What it has written cannot be had: the lines are called.
                Err(Refused::Never(_)) => return Err(Over::Left),
                Err(refused) => pause = self.pause(refused, pause).await?,
            }
        }
    }

    /// Gives the order to answer, once: where its answer is lost, the batch is
    /// looked for before the order is given again.
    async fn create(&mut self, api: &Api) -> Result<String, Over> {
        let (mut pause, mut looks, mut tries) = (WAIT_MIN, LOOKS_FOR_IT, 0_u32);
        loop {
            let refused = match self.may_exist {
                true => match api.find(&self.record).await {
                    Ok(Some(batch)) => return self.created(batch),
                    Ok(None) => {
                        looks = looks.saturating_sub(1);
                        self.may_exist = looks > 0;
                        Refused::Later(None)
                    }
                    Err(refused) => refused,
                },
                false if *self.stage.borrow() != Stage::Goes || tries >= TRIES_MAX => {
                    return Err(Over::Untaken);
                }
                false => match api.create(&self.record, &self.ordered()).await {
                    Ok(batch) => return self.created(batch),
                    Err(refused) => {
                        tries = tries.saturating_add(1);
                        self.may_exist = matches!(refused, Refused::Unknown(_));
                        looks = LOOKS_FOR_IT;
                        refused
                    }
                },
            };
            pause = self.pause(refused, pause).await?;
        }
    }

    /// The lines of the record; one that does not wait here has no request.
    fn ordered(&self) -> Vec<(u32, Bytes)> {
        let request = |line: &u32| self.waiting.get(line).map(|waiting| waiting.body.clone());
        let lines = self.record.lines.iter();
        lines
            .map(|line| (*line, request(line).unwrap_or_default()))
            .collect()
    }

    fn created(&mut self, batch: Batch) -> Result<String, Over> {
        if !is_name(&batch.id) {
            return Err(Over::Untaken);
        }
        self.forget_bodies();
        self.record.batch = Some(batch.id.clone());
        // It would be found again by its name.
        let _ = self.note();
        tracing::info!(batch = %self.batch, at_vendor = batch.id, lines = self.record.lines.len(), "a vendor has a batch");
        Ok(batch.id)
    }

    async fn until_ended(&mut self, api: &Api, id: &str) -> Result<Batch, Over> {
        let (mut told, mut strange) = (None, 0_u32);
        loop {
            let is_cancelled = *self.stage.borrow() == Stage::Cancelled;
            let looked = match (is_cancelled, told) {
                (true, None) => {
                    let cancelled = api.cancel(id).await;
                    if cancelled.is_ok() {
                        told = Some(Instant::now());
                    }
                    // One that has ended cannot be cancelled.
                    match cancelled {
                        Err(Refused::Never(_)) => api.look(id).await,
                        other => other,
                    }
                }
                _ => api.look(id).await,
            };
            match looked {
                Ok(batch) if batch.has_ended => return Ok(batch),
                Ok(_) => strange = 0,
                Err(Refused::Never(404)) => strange = strange.saturating_add(1),
                Err(_) => {}
            }
            let is_late = told.is_some_and(|at| at.elapsed() > CANCELS_MAX);
            if strange >= STRANGE_MAX || is_late {
                tracing::warn!(batch = %self.batch, at_vendor = id, "a vendor does not say what has become of its batch");
                return Err(Over::Left);
            }
            self.wait(self.shared.looks_every).await?;
        }
    }

    /// Brings the vendor's files to the disk.
    async fn read(&self, api: &Api, ended: &Batch) -> Result<(), Refused> {
        let disk = |error: std::io::Error| Refused::Unknown(error.to_string());
        let draft = Draft::new(&self.shared.dir, self.batch, &self.record.name);
        let mut draft = draft.map_err(disk)?;
        for path in &ended.results {
            let mut body = api.content(path).await?.body;
            while let Some(piece) = body.next().await {
                let piece = piece.map_err(|error| Refused::Unknown(error.to_string()))?;
                draft.push(&piece).map_err(disk)?;
            }
            draft.push(b"\n").map_err(disk)?;
        }
        let finished = tokio::task::spawn_blocking(move || draft.finish()).await;
        match finished {
            Ok(finished) => finished.map_err(disk),
            Err(error) => Err(Refused::Unknown(error.to_string())),
        }
    }

    /// Tells each line what was said to it, those that come late as well.
    async fn serve(&mut self, answers: &Answers) {
        loop {
            for (line, waiting) in self.waiting.drain() {
                let _ = waiting.tell.send(answers.of(line));
            }
            let mut stage = self.stage.clone();
            tokio::select! {
                arrived = self.inbox.recv() => match arrived {
                    Some(waiting) => self.take(waiting),
                    None => return,
                },
                _ = stage.wait_for(|stage| *stage == Stage::Left) => return,
            }
        }
    }
}
