//! Files that callers keep here.

use bourse_vocab::{AccountId, FileId, NodeId};

use super::text::texts;
use super::value::{Row, damaged};
use super::{Backend, Session, SqlStore, in_transaction};
use crate::file::{FileQuota, FileRow, FileSums, Files, FilesPage, OverQuota, Purpose};
use crate::texts::check;
use crate::{Reply, StoreError};

/// A statement that returns whole files, with its own end.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, account_id, name, purpose, bytes, digest, created_at_ms, expires_at_ms \
             FROM files ",
            $tail
        )
    };
}

texts! {
    CREATE = "INSERT INTO files (id, account_id, node_id, name, purpose, bytes, digest, \
        created_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        ON CONFLICT DO NOTHING RETURNING account_id";
    ONE = select!("WHERE id = $1");
    NEWEST = select!(
        "WHERE account_id = $1 AND ($2 IS NULL OR purpose = $2) AND purpose <> $3 \
         AND id < $4 ORDER BY id DESC LIMIT $5"
    );
    OLDEST = select!(
        "WHERE account_id = $1 AND ($2 IS NULL OR purpose = $2) AND purpose <> $3 \
         AND id > $4 ORDER BY id LIMIT $5"
    );
    DELETE = "DELETE FROM files WHERE id = $1";
    ACCOUNT = "SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM files \
        WHERE account_id = $1";
    TOTAL = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM files";
    OWNER = "SELECT id FROM accounts WHERE id = $1";
    EXPIRED = select!(
        "WHERE expires_at_ms <= $1 AND NOT EXISTS (SELECT id FROM batches \
         WHERE batches.input_file_id = files.id AND batches.is_ended = 0) \
         ORDER BY expires_at_ms, id LIMIT $2"
    );
}

fn file_row(mut row: Row) -> Result<FileRow, StoreError> {
    Ok(FileRow {
        id: row.file_id()?,
        account: AccountId(row.unsigned()?),
        name: row.string()?,
        purpose: {
            let name = row.string()?;
            Purpose::from_name(&name).ok_or_else(|| damaged("purpose", name))?
        },
        bytes: row.unsigned()?,
        digest: row.array("digest")?,
        created_at_ms: row.unsigned()?,
        expires_at_ms: row.unsigned()?,
    })
}

async fn sums(session: &mut dyn Session, account: AccountId) -> Result<FileSums, StoreError> {
    let mut of_account = session.one(ACCOUNT, &[account.into()]).await?;
    let mut total = session.one(TOTAL, &[]).await?;
    Ok(FileSums {
        account_files: of_account.unsigned()?,
        account_bytes: of_account.unsigned()?,
        bytes: total.unsigned()?,
    })
}

/// Notes a file, whatever is kept already.
pub(super) async fn note(
    session: &mut dyn Session,
    node: NodeId,
    file: &FileRow,
) -> Result<(), StoreError> {
    check("file name", &file.name)?;
    let owner = session.maybe(OWNER, &[file.account.into()]).await?;
    if owner.is_none() {
        return Err(StoreError::NotFound("account"));
    }
    let values = [
        file.id.into(),
        file.account.into(),
        node.into(),
        file.name.as_str().into(),
        file.purpose.name().into(),
        file.bytes.into(),
        file.digest.as_slice().into(),
        file.created_at_ms.into(),
        file.expires_at_ms.into(),
    ];
    match session.maybe(CREATE, &values).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::Exists("file")),
    }
}

async fn create(
    session: &mut dyn Session,
    node: NodeId,
    file: &FileRow,
    quota: FileQuota,
) -> Result<Option<OverQuota>, StoreError> {
    let kept = sums(session, file.account).await?;
    let over = quota.check(kept, file.bytes);
    if over.is_none() {
        note(session, node, file).await?;
    }
    Ok(over)
}

impl<B: Backend> Files for SqlStore<B> {
    fn create_file(&self, file: FileRow, quota: FileQuota) -> Reply<'_, Option<OverQuota>> {
        Box::pin(async move {
            in_transaction!(self, session => create(session, self.node, &file, quota))
        })
    }

    fn file(&self, id: FileId) -> Reply<'_, Option<FileRow>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let row = session.maybe(ONE, &[id.into()]).await?;
            row.map(file_row).transpose()
        })
    }

    fn files(&self, account: AccountId, page: FilesPage) -> Reply<'_, Vec<FileRow>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let (text, edge) = match page.oldest_first {
                true => (OLDEST, FileId::from_bits(0)),
                false => (NEWEST, FileId::from_bits(u128::MAX)),
            };
            let hidden = match page.purpose {
                Some(Purpose::Inside) => "",
                _ => Purpose::Inside.name(),
            };
            let values = [
                account.into(),
                page.purpose.map(Purpose::name).into(),
                hidden.into(),
                page.after.unwrap_or(edge).into(),
                page.count_max.into(),
            ];
            let rows = session.rows(text, &values).await?;
            rows.into_iter().map(file_row).collect()
        })
    }

    fn delete_file(&self, id: FileId) -> Reply<'_, bool> {
        Box::pin(async move {
            let gone = in_transaction!(self, session => session.change(DELETE, &[id.into()]))?;
            Ok(gone > 0)
        })
    }

    fn file_sums(&self, account: AccountId) -> Reply<'_, FileSums> {
        Box::pin(async move {
            let mut session = self.read().await?;
            sums(&mut *session, account).await
        })
    }

    fn files_expired(&self, now_ms: u64, count_max: u64) -> Reply<'_, Vec<FileRow>> {
        Box::pin(async move {
            let mut session = self.read().await?;
            let values = [now_ms.into(), count_max.into()];
            let rows = session.rows(EXPIRED, &values).await?;
            rows.into_iter().map(file_row).collect()
        })
    }
}
