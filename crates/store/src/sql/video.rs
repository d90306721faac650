//! Films that providers make, and what callbacks are signed with.

use bourse_vocab::{AccountId, GenerationId};

use super::text::texts;
use super::value::{Row, damaged};
use super::{Backend, Session, SqlStore, in_transaction};
use crate::texts::check;
use crate::video::{VideoRow, VideoState, Videos};
use crate::{Reply, StoreError};

/// A statement that returns whole jobs, with its own end.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, state, is_open, job, created_at_ms, due_at_ms FROM videos ",
            $tail
        )
    };
}

texts! {
    CREATE = "INSERT INTO videos (id, account_id, node_id, state, is_open, is_running, job, \
        created_at_ms, due_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        ON CONFLICT DO NOTHING RETURNING account_id";
    RUNNING = "SELECT COUNT(*) FROM videos WHERE account_id = $1 AND is_running = 1";
    OWNER = "SELECT id FROM accounts WHERE id = $1";
    ONE = select!("WHERE id = $1");
    SAVE = "UPDATE videos SET state = $1, is_open = $2, is_running = $3, job = $4, \
        due_at_ms = $5 WHERE id = $6";
    DUE = select!(
        "WHERE is_open = 1 AND due_at_ms <= $1 AND node_id = $2 ORDER BY due_at_ms LIMIT $3"
    );
    HELD = "SELECT id FROM videos WHERE is_running = 1 AND state IN ($1, $2) AND node_id = $3 \
        ORDER BY id";
    FORGET = "DELETE FROM videos WHERE id IN (SELECT id FROM videos WHERE created_at_ms < $1 \
        AND is_open = 0 AND is_running = 0 LIMIT $2)";
    SECRET = "SELECT secret FROM webhook_secrets WHERE account_id = $1";
    SET_SECRET = "INSERT INTO webhook_secrets (account_id, secret, created_at_ms) \
        VALUES ($1, $2, $3) ON CONFLICT (account_id) DO UPDATE SET secret = excluded.secret, \
        created_at_ms = excluded.created_at_ms";
}

fn video_row(mut row: Row) -> Result<VideoRow, StoreError> {
    Ok(VideoRow {
        id: row.id()?,
        account: AccountId(row.unsigned()?),
        state: {
            let name = row.string()?;
            VideoState::from_name(&name).ok_or_else(|| damaged("state", name))?
        },
        is_open: row.flag()?,
        job: row.string()?,
        created_at_ms: row.unsigned()?,
        due_at_ms: row.unsigned()?,
    })
}

async fn require_account(session: &mut dyn Session, account: AccountId) -> Result<(), StoreError> {
    let owner = session.maybe(OWNER, &[account.into()]).await?;
    owner.map(|_| ()).ok_or(StoreError::NotFound("account"))
}

async fn create(
    session: &mut dyn Session,
    node: bourse_vocab::NodeId,
    video: &VideoRow,
    running_max: u64,
) -> Result<bool, StoreError> {
    check("job", &video.job)?;
    require_account(session, video.account).await?;
    let mut running = session.one(RUNNING, &[video.account.into()]).await?;
    if running.unsigned()? >= running_max {
        return Ok(false);
    }
    let values = [
        video.id.into(),
        video.account.into(),
        node.into(),
        video.state.name().into(),
        video.is_open.into(),
        (!video.state.is_ended()).into(),
        video.job.as_str().into(),
        video.created_at_ms.into(),
        video.due_at_ms.into(),
    ];
    match session.maybe(CREATE, &values).await? {
        Some(_) => Ok(true),
        None => Err(StoreError::Exists("video")),
    }
}

async fn save(session: &mut dyn Session, video: &VideoRow) -> Result<bool, StoreError> {
    check("job", &video.job)?;
    let values = [
        video.state.name().into(),
        video.is_open.into(),
        (!video.state.is_ended()).into(),
        video.job.as_str().into(),
        video.due_at_ms.into(),
        video.id.into(),
    ];
    Ok(session.change(SAVE, &values).await? > 0)
}

async fn set_secret(
    session: &mut dyn Session,
    account: AccountId,
    secret: &[u8],
    now_ms: u64,
) -> Result<(), StoreError> {
    require_account(session, account).await?;
    let values = [account.into(), secret.into(), now_ms.into()];
    session.change(SET_SECRET, &values).await?;
    Ok(())
}

impl<B: Backend> Videos for SqlStore<B> {
    fn create_video(&self, video: VideoRow, running_max: u64) -> Reply<'_, bool> {
        Box::pin(async move {
            in_transaction!(self, session => create(session, self.node, &video, running_max))
        })
    }

    fn video(&self, id: GenerationId) -> Reply<'_, Option<VideoRow>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let row = session.maybe(ONE, &[id.into()]).await?;
            row.map(video_row).transpose()
        })
    }

    fn save_video(&self, video: VideoRow) -> Reply<'_, bool> {
        Box::pin(async move { in_transaction!(self, session => save(session, &video)) })
    }

    fn videos_due(&self, now_ms: u64, count_max: u64) -> Reply<'_, Vec<VideoRow>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let values = [now_ms.into(), self.node.into(), count_max.into()];
            let rows = session.rows(DUE, &values).await?;
            rows.into_iter().map(video_row).collect()
        })
    }

    fn videos_held(&self) -> Reply<'_, Vec<GenerationId>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let values = [
                VideoState::Running.name().into(),
                VideoState::Settling.name().into(),
                self.node.into(),
            ];
            let rows = session.rows(HELD, &values).await?;
            rows.into_iter().map(|mut row| row.id()).collect()
        })
    }

    fn forget_videos(&self, before_ms: u64, count_max: u64) -> Reply<'_, u64> {
        Box::pin(async move {
            let values = [before_ms.into(), count_max.into()];
            in_transaction!(self, session => session.change(FORGET, &values))
        })
    }

    fn webhook_secret(&self, account: AccountId) -> Reply<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let row = session.maybe(SECRET, &[account.into()]).await?;
            row.map(|mut row| row.bytes()).transpose()
        })
    }

    fn set_webhook_secret(
        &self,
        account: AccountId,
        secret: Vec<u8>,
        now_ms: u64,
    ) -> Reply<'_, ()> {
        Box::pin(async move {
            in_transaction!(self, session => set_secret(session, account, &secret, now_ms))
        })
    }
}
