//! Films that providers make, and what callbacks are signed with.

use super::{ACCOUNT, Caller, NOW, id, set_up};
use crate::video::{VideoRow, VideoState};
use crate::{Store, StoreError};

fn video(n: u64, state: VideoState) -> VideoRow {
    VideoRow {
        id: id(n),
        account: ACCOUNT,
        state,
        is_open: !state.is_ended(),
        job: format!("{{\"n\":{n}}}"),
        created_at_ms: NOW + n,
        due_at_ms: NOW + n,
    }
}

pub async fn a_job_comes_back_as_it_was_made_and_as_it_was_saved(store: &dyn Store) {
    set_up(store, 0).await;
    let mut row = video(1, VideoState::Submitting);
    assert!(store.create_video(row.clone(), 9).await.unwrap());
    assert_eq!(store.video(id(1)).await.unwrap(), Some(row.clone()));
    assert_eq!(store.video(id(2)).await.unwrap(), None);
    row.state = VideoState::Running;
    row.job = "{\"says\":\"„ä“\"}".to_owned();
    row.due_at_ms = NOW + 77;
    assert!(store.save_video(row.clone()).await.unwrap());
    assert_eq!(store.video(id(1)).await.unwrap(), Some(row.clone()));
    let again = store.create_video(row, 9).await;
    assert!(
        matches!(again, Err(StoreError::Exists("video"))),
        "{again:?}"
    );
    assert!(
        !store
            .save_video(video(2, VideoState::Failed))
            .await
            .unwrap()
    );
    let stranger = VideoRow {
        account: bourse_vocab::AccountId(7),
        ..video(3, VideoState::Submitting)
    };
    let made = store.create_video(stranger, 9).await;
    assert!(
        matches!(made, Err(StoreError::NotFound("account"))),
        "{made:?}"
    );
}

pub async fn an_account_has_no_more_running_jobs_than_it_may(store: &dyn Store) {
    set_up(store, 0).await;
    let other = Caller::new(store, "other", 0).await;
    for n in 1..=2 {
        assert!(
            store
                .create_video(video(n, VideoState::Running), 2)
                .await
                .unwrap()
        );
    }
    assert!(
        !store
            .create_video(video(3, VideoState::Submitting), 2)
            .await
            .unwrap()
    );
    let of_other = VideoRow {
        account: other.account,
        ..video(4, VideoState::Submitting)
    };
    assert!(store.create_video(of_other, 2).await.unwrap());
    let ended = VideoRow {
        state: VideoState::Completed,
        ..video(1, VideoState::Running)
    };
    assert!(store.save_video(ended).await.unwrap());
    assert!(
        store
            .create_video(video(3, VideoState::Submitting), 2)
            .await
            .unwrap()
    );
}

pub async fn what_is_due_comes_oldest_first_and_what_is_closed_never(store: &dyn Store) {
    set_up(store, 0).await;
    for n in [3, 1, 2, 9] {
        assert!(
            store
                .create_video(video(n, VideoState::Running), 99)
                .await
                .unwrap()
        );
    }
    assert!(
        store
            .create_video(video(4, VideoState::Completed), 99)
            .await
            .unwrap()
    );
    let due = |at: u64, most: u64| async move {
        let rows = store.videos_due(NOW + at, most).await.unwrap();
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(due(5, 10).await, [id(1), id(2), id(3)]);
    assert_eq!(due(5, 2).await, [id(1), id(2)]);
    assert_eq!(due(0, 10).await, []);
}

pub async fn holds_of_jobs_that_a_provider_has_taken_outlive_a_restart(store: &dyn Store) {
    set_up(store, 0).await;
    for (n, state) in (1..).zip(VideoState::ALL) {
        assert!(store.create_video(video(n, state), 99).await.unwrap());
    }
    assert_eq!(store.videos_held().await.unwrap(), [id(2), id(3)]);
}

pub async fn old_jobs_are_forgotten_when_nothing_is_left_to_do(store: &dyn Store) {
    set_up(store, 0).await;
    for (n, state) in (1..).zip(VideoState::ALL) {
        assert!(store.create_video(video(n, state), 99).await.unwrap());
    }
    let untold = VideoRow {
        is_open: true,
        ..video(7, VideoState::Failed)
    };
    assert!(store.create_video(untold, 99).await.unwrap());
    assert_eq!(store.forget_videos(NOW, 10).await.unwrap(), 0);
    assert_eq!(store.forget_videos(NOW + 100, 2).await.unwrap(), 2);
    assert_eq!(store.forget_videos(NOW + 100, 10).await.unwrap(), 1);
    for n in [1, 2, 3, 7] {
        assert!(store.video(id(n)).await.unwrap().is_some(), "{n}");
    }
}

pub async fn an_account_has_one_secret_which_a_new_one_replaces(store: &dyn Store) {
    set_up(store, 0).await;
    assert_eq!(store.webhook_secret(ACCOUNT).await.unwrap(), None);
    for secret in [vec![1, 0, 255], vec![2; 32]] {
        store
            .set_webhook_secret(ACCOUNT, secret.clone(), NOW)
            .await
            .unwrap();
        assert_eq!(store.webhook_secret(ACCOUNT).await.unwrap(), Some(secret));
    }
    let none = store
        .set_webhook_secret(bourse_vocab::AccountId(7), vec![1], NOW)
        .await;
    assert!(
        matches!(none, Err(StoreError::NotFound("account"))),
        "{none:?}"
    );
}
