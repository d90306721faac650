//! What is known of files.

use bourse_vocab::{AccountId, FileId};

use super::{ACCOUNT, Caller, NOW, set_up};
use crate::batch::{BatchPatch, BatchState};
use crate::{FileQuota, FileRow, FilesPage, OverQuota, Purpose, Store, StoreError};

pub const ROOMY: FileQuota = FileQuota {
    account_files_max: 100,
    account_bytes_max: 1_000,
    bytes_max: 10_000,
};

pub fn file(n: u64) -> FileRow {
    FileRow {
        id: FileId::at_ms(NOW + n, n.into()),
        account: ACCOUNT,
        name: format!("lines {n}.jsonl"),
        purpose: Purpose::Batch,
        bytes: 10,
        digest: [u8::try_from(n).unwrap(); 32],
        created_at_ms: NOW + n,
        expires_at_ms: NOW + 1_000 + n,
    }
}

fn page(count_max: u64) -> FilesPage {
    FilesPage {
        purpose: None,
        after: None,
        oldest_first: false,
        count_max,
    }
}

async fn keep(store: &dyn Store, files: impl IntoIterator<Item = FileRow>) {
    for file in files {
        assert_eq!(store.create_file(file, ROOMY).await.unwrap(), None);
    }
}

async fn listed(store: &dyn Store, account: AccountId, page: FilesPage) -> Vec<FileId> {
    let rows = store.files(account, page).await.unwrap();
    rows.iter().map(|row| row.id).collect()
}

pub async fn a_file_is_kept_found_listed_and_forgotten(store: &dyn Store) {
    set_up(store, 10).await;
    let one = file(1);
    keep(store, [one.clone()]).await;
    assert_eq!(store.file(one.id).await.unwrap(), Some(one.clone()));
    assert_eq!(listed(store, ACCOUNT, page(10)).await, [one.id]);
    let again = store.create_file(one.clone(), ROOMY).await;
    assert!(
        matches!(again, Err(StoreError::Exists("file"))),
        "{again:?}"
    );
    assert!(store.delete_file(one.id).await.unwrap());
    assert!(!store.delete_file(one.id).await.unwrap());
    assert_eq!(store.file(one.id).await.unwrap(), None);
    let nobodys = FileRow {
        account: AccountId(1),
        ..file(2)
    };
    let refused = store.create_file(nobodys, ROOMY).await;
    assert!(matches!(refused, Err(StoreError::NotFound("account"))));
}

pub async fn pages_of_files_hold_each_once_in_either_order(store: &dyn Store) {
    set_up(store, 10).await;
    keep(store, (1..=5).map(file)).await;
    let inside = FileRow {
        purpose: Purpose::Inside,
        ..file(6)
    };
    keep(store, [inside.clone()]).await;
    let ids: Vec<FileId> = (1..=5).map(|n| file(n).id).collect();
    for oldest_first in [true, false] {
        let mut expected = ids.clone();
        if !oldest_first {
            expected.reverse();
        }
        let mut found = Vec::new();
        loop {
            let next = FilesPage {
                after: found.last().copied(),
                oldest_first,
                ..page(2)
            };
            let rows = listed(store, ACCOUNT, next).await;
            if rows.is_empty() {
                break;
            }
            found.extend(rows);
        }
        assert_eq!(found, expected);
    }
    let of = |purpose| FilesPage {
        purpose: Some(purpose),
        ..page(10)
    };
    assert_eq!(listed(store, ACCOUNT, of(Purpose::Batch)).await.len(), 5);
    assert_eq!(
        listed(store, ACCOUNT, of(Purpose::Inside)).await,
        [inside.id]
    );
    assert!(
        listed(store, ACCOUNT, of(Purpose::BatchOutput))
            .await
            .is_empty()
    );
}

pub async fn files_of_one_account_are_no_other_accounts(store: &dyn Store) {
    set_up(store, 10).await;
    let other = Caller::new(store, "other", 5).await.account;
    keep(store, [file(1)]).await;
    assert!(listed(store, other, page(10)).await.is_empty());
    let sums = store.file_sums(other).await.unwrap();
    assert_eq!(
        (sums.account_files, sums.account_bytes, sums.bytes),
        (0, 0, 10)
    );
    let sums = store.file_sums(ACCOUNT).await.unwrap();
    assert_eq!((sums.account_files, sums.account_bytes), (1, 10));
}

pub async fn a_quota_is_filled_to_the_last_byte_and_not_beyond(store: &dyn Store) {
    set_up(store, 10).await;
    let other = Caller::new(store, "other", 5).await.account;
    let quota = FileQuota {
        account_files_max: 3,
        account_bytes_max: 25,
        bytes_max: 40,
    };
    let sized = |n: u64, bytes, account| FileRow {
        bytes,
        account,
        ..file(n)
    };
    let create = async |row| store.create_file(row, quota).await.unwrap();
    assert_eq!(create(sized(1, 20, ACCOUNT)).await, None);
    assert_eq!(
        create(sized(2, 6, ACCOUNT)).await,
        Some(OverQuota::AccountBytes)
    );
    assert_eq!(create(sized(3, 5, ACCOUNT)).await, None);
    assert_eq!(create(sized(4, 16, other)).await, Some(OverQuota::Bytes));
    assert_eq!(create(sized(5, 15, other)).await, None);
    assert_eq!(create(sized(6, 0, ACCOUNT)).await, None);
    assert_eq!(
        create(sized(7, 0, ACCOUNT)).await,
        Some(OverQuota::AccountFiles)
    );
    assert_eq!(listed(store, ACCOUNT, page(10)).await.len(), 3);
}

pub async fn many_who_keep_files_at_once_do_not_exceed_a_quota_together(store: &dyn Store) {
    set_up(store, 10).await;
    let quota = FileQuota {
        account_bytes_max: 50,
        ..ROOMY
    };
    let tries = (1..=12).map(|n| store.create_file(file(n), quota));
    let made = futures_util::future::join_all(tries).await;
    let kept = made.iter().filter(|made| matches!(made, Ok(None))).count();
    assert_eq!(kept, 5, "{made:?}");
}

pub async fn files_whose_time_is_up_come_oldest_first_unless_a_batch_reads_them(store: &dyn Store) {
    set_up(store, 10).await;
    keep(store, (1..=3).map(file)).await;
    let batch = super::batches::batch(1, &file(2));
    assert!(store.create_batch(batch.clone(), 10).await.unwrap());
    let expired = async |now| {
        let rows = store.files_expired(now, 10).await.unwrap();
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert!(expired(NOW + 1_000).await.is_empty());
    assert_eq!(expired(NOW + 1_001).await, [file(1).id]);
    assert_eq!(expired(NOW + 9_000).await, [file(1).id, file(3).id]);
    super::batches::claim(store, NOW).await;
    let done = BatchPatch {
        state: Some((BatchState::Failed, NOW)),
        ..BatchPatch::default()
    };
    store.update_batch(batch.id, done).await.unwrap().unwrap();
    assert_eq!(expired(NOW + 9_000).await.len(), 3);
    let one = store.files_expired(NOW + 9_000, 1).await.unwrap();
    assert_eq!(one.len(), 1);
}
