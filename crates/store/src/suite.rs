//! What a store must do, noun by noun. One macro line runs all of it for a
//! backend: `store_suite!(fresh)`, where `fresh` is an async function that
//! makes an empty store and whatever keeps it alive.

pub mod accounts;
pub mod activity;
pub mod audit;
pub mod batches;
pub mod changes;
pub mod concurrency;
pub mod files;
pub mod generations;
pub mod journals;
pub mod keys;
pub mod purse_migration;
pub mod records;
pub mod upkeep;
pub mod videos;

use std::sync::Arc;

use bourse_ledger::record::{
    Cost, Facts, Hold, Payer, Settle, Settlement, Void, VoidReason, Voiding, encode,
};
use bourse_ledger::{GrantKind, Record};
use bourse_policy::{KeyHash, KeyKind};
use bourse_spool::Position;
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos, NodeId, RowId, Usage};

use crate::{Batch, Grant, NewKey, Store, StoreError};

/// 21 November 2026, 12:00 UTC.
pub const NOW: u64 = 1_795_262_400_000;
pub const DAY: u64 = NOW / 86_400_000;

/// What [`set_up`] makes: a node's first two ids of a millisecond.
pub const ACCOUNT: AccountId = AccountId(RowId::new(NOW, NodeId::FIRST, 0).0);
pub const KEY: KeyId = KeyId(RowId::new(NOW, NodeId::FIRST, 1).0);

pub fn id(n: u64) -> GenerationId {
    GenerationId::new(NOW / 1000, n.into())
}

pub fn new_key(account: AccountId, name: &str) -> NewKey {
    NewKey {
        account,
        hash: KeyHash::of(name),
        label: format!("sk-bourse-v1-{name}...xyz"),
        name: name.to_owned(),
        kind: KeyKind::Inference,
        limit: None,
        limit_reset: None,
        include_byok_in_limit: false,
        expires_at_ms: None,
        external: None,
        calls: bourse_policy::CallDefaults::default(),
    }
}

pub fn top_up(account: AccountId, amount: i64) -> Grant {
    Grant {
        account,
        kind: GrantKind::TopUp,
        amount: Nanos(amount),
        note: "test".to_owned(),
        reference: None,
        at_ms: NOW,
    }
}

/// Who calls, and what.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    pub account: AccountId,
    pub key: KeyId,
    pub model: &'static str,
    pub provider: &'static str,
    pub endpoint: &'static str,
}

impl Caller {
    /// As [`set_up`] makes them.
    pub const FIRST: Self = Self {
        account: ACCOUNT,
        key: KEY,
        model: "a/m",
        provider: "p",
        endpoint: "e",
    };

    /// An account of its own with credit and a key.
    pub async fn new(store: &dyn Store, name: &str, credit: i64) -> Self {
        let account = store.create_account(name, NOW).await.unwrap().id;
        let key = store.create_key(new_key(account, name), NOW).await.unwrap();
        store.grant(top_up(account, credit)).await.unwrap();
        Self {
            account,
            key: key.id,
            ..Self::FIRST
        }
    }

    pub fn hold(self, n: u64, amount: i64, at_ms: u64) -> Record<'static> {
        Record::Hold(Hold {
            id: id(n),
            account: self.account,
            key: self.key,
            amount: Nanos(amount),
            at_ms,
            model: self.model,
            provider: self.provider,
            endpoint: self.endpoint,
        })
    }

    pub fn settle(self, n: u64, held: i64, paid: i64, at_ms: u64) -> Record<'static> {
        let Record::Settle(mut settle) = settle(n, held, paid, at_ms) else {
            unreachable!("a settlement");
        };
        settle.key = self.key;
        settle.settlement.account = self.account;
        settle.settlement.facts.model = self.model;
        settle.settlement.facts.provider = self.provider;
        settle.settlement.facts.endpoint = self.endpoint;
        settle.settlement.possible = Vec::new();
        Record::Settle(settle)
    }

    /// A whole call that is held and settled at the same moment.
    pub fn call(self, n: u64, paid: i64, at_ms: u64) -> [Record<'static>; 2] {
        [self.hold(n, paid, at_ms), self.settle(n, paid, paid, at_ms)]
    }
}

pub fn hold(n: u64, amount: i64) -> Record<'static> {
    Caller::FIRST.hold(n, amount, NOW)
}

pub fn settle(n: u64, held: i64, paid: i64, at_ms: u64) -> Record<'static> {
    let usage = Usage {
        prompt: 10,
        completion: 5,
        reasoning: 2,
        cache_read: 1,
        ..Usage::default()
    };
    let facts = Facts {
        model: "a/m",
        provider: "p",
        endpoint: "e",
        counts: usage.into(),
        ..Facts::default()
    };
    Record::Settle(Settle {
        key: KEY,
        held: Nanos(held),
        paid: Nanos(paid),
        settlement: Settlement {
            id: id(n),
            account: ACCOUNT,
            at_ms,
            charge: Nanos(paid + 1),
            costs: vec![Cost {
                provider: "p",
                amount: Nanos(paid),
                payer: Payer::Customer,
            }],
            possible: vec![Cost {
                provider: "q",
                amount: Nanos(9),
                payer: Payer::House,
            }],
            facts,
        },
    })
}

pub fn void(n: u64, cost: i64) -> Record<'static> {
    Record::Void(Void {
        key: KEY,
        held: Nanos(0),
        voiding: Voiding {
            id: id(n),
            account: ACCOUNT,
            at_ms: NOW,
            reason: VoidReason::NothingDelivered,
            costs: vec![Cost {
                provider: "p",
                amount: Nanos(cost),
                payer: Payer::House,
            }],
            possible: Vec::new(),
            facts: Facts::default(),
        },
    })
}

pub fn bytes(records: &[Record<'_>]) -> Vec<Vec<u8>> {
    let encoded = records.iter().map(|record| {
        let mut out = Vec::new();
        encode(record, &mut out);
        out
    });
    encoded.collect()
}

/// An account with credit and a key: [`ACCOUNT`] and [`KEY`].
pub async fn set_up(store: &dyn Store, credit: i64) {
    let account = store.create_account("default", NOW).await.unwrap();
    let key = store.create_key(new_key(account.id, "one"), NOW).await;
    store.grant(top_up(account.id, credit)).await.unwrap();
    assert_eq!((account.id, key.unwrap().id), (ACCOUNT, KEY));
}

/// Applies records from `from` on; each counts one in the position.
pub async fn apply(
    store: &dyn Store,
    from: u64,
    records: &[Record<'_>],
) -> Result<crate::Applied, StoreError> {
    let owned = bytes(records);
    let records: Vec<&[u8]> = owned.iter().map(Vec::as_slice).collect();
    let to = Position(from + records.len() as u64);
    store
        .apply(Batch {
            from: Position(from),
            to,
            chain: None,
            records: &records,
        })
        .await
}

pub async fn assert_balanced(store: &dyn Store) {
    let mut report = store.audit().await.unwrap().check();
    report.rows = store.check_rows().await.unwrap();
    assert!(report.is_balanced(), "{:#?}", report.findings());
    assert!(report.compared > 5);
}

/// A statement takes a store, or one to share between tasks.
pub trait Argument {
    fn of(store: &Arc<dyn Store>) -> &Self;
}

impl Argument for dyn Store {
    fn of(store: &Arc<dyn Store>) -> &Self {
        &**store
    }
}

impl Argument for Arc<dyn Store> {
    fn of(store: &Arc<dyn Store>) -> &Self {
        store
    }
}

/// Runs every statement for one backend, each in a store of its own.
macro_rules! store_suite {
    ($fresh:ident) => {
        $crate::suite::store_suite!($fresh:
            accounts {
                accounts_are_created_found_and_granted_credit,
                grants_are_listed_newest_first_with_whom_and_why,
                an_empty_store_has_no_accounts,
                names_differ_if_one_byte_does,
                the_longest_name_is_kept_whole_and_a_longer_one_refused,
                a_nul_character_is_refused_before_anything_is_written,
                moments_at_the_ends_of_time_come_back_as_they_were,
                a_reference_grants_once_whatever_comes_between,
                a_reference_with_something_else_behind_it_is_refused,
                a_grant_of_nothing_is_noted_and_moves_nothing,
                a_correction_may_take_more_than_is_left,
                a_sum_out_of_range_is_refused_and_changes_nothing,
                promotional_credit_stands_apart_in_the_books,
            }
            activity {
                daily_sums_and_key_counters_follow_every_batch,
                an_account_without_calls_has_no_sums,
                sums_are_in_the_order_of_day_and_bytes,
                keys_of_an_account_are_summed_or_told_apart,
                a_span_of_days_has_both_its_ends,
                midnight_belongs_to_the_day_that_begins,
                sums_grow_with_every_batch,
            }
            audit {
                an_empty_store_balances,
                the_view_is_what_was_written,
                every_kind_of_change_leaves_the_books_balanced,
            }
            batches {
                a_batch_comes_back_as_it_was_made_and_as_it_was_changed,
                the_files_of_a_batch_are_noted_with_its_end_or_not_at_all,
                what_was_told_to_end_does_not_go_on,
                pages_of_batches_hold_each_once_from_either_end,
                an_account_has_no_more_open_batches_than_it_may,
                claims_take_turns_between_accounts_and_keep_what_they_have,
                a_file_is_known_to_be_read_until_its_batch_has_ended,
            }
            videos {
                a_job_comes_back_as_it_was_made_and_as_it_was_saved,
                an_account_has_no_more_running_jobs_than_it_may,
                what_is_due_comes_oldest_first_and_what_is_closed_never,
                holds_of_jobs_that_a_provider_has_taken_outlive_a_restart,
                old_jobs_are_forgotten_when_nothing_is_left_to_do,
                an_account_has_one_secret_which_a_new_one_replaces,
            }
            changes {
                changes_are_noticed_once_and_spending_is_none,
                every_change_raises_the_number_and_brings_its_row_alone,
                several_changes_of_one_row_come_as_its_last_state,
                rows_of_one_answer_are_in_the_order_of_their_ids,
                a_number_from_the_future_brings_nothing,
                a_follower_misses_nothing_while_others_write,
            }
            concurrency {
                of_many_accounts_with_one_name_one_is_made,
                accounts_and_keys_made_at_once_have_ids_of_their_own,
                of_many_keys_with_one_hash_one_is_made,
                a_reference_grants_once_however_many_try,
                of_many_amounts_under_one_reference_one_is_granted,
                no_credit_is_lost_between_many_who_grant,
                changes_to_one_key_do_not_undo_each_other,
                a_key_is_deleted_by_one_of_many,
                one_batch_is_applied_once_however_many_apply_it,
                different_batches_from_one_place_are_told_apart,
                the_books_balance_at_every_moment_that_anybody_looks,
                readers_see_whole_rows_while_others_write,
                an_account_may_be_asked_for_while_it_is_made,
            }
            files {
                a_file_is_kept_found_listed_and_forgotten,
                pages_of_files_hold_each_once_in_either_order,
                files_of_one_account_are_no_other_accounts,
                a_quota_is_filled_to_the_last_byte_and_not_beyond,
                many_who_keep_files_at_once_do_not_exceed_a_quota_together,
                files_whose_time_is_up_come_oldest_first_unless_a_batch_reads_them,
            }
            generations {
                finished_calls_are_found_with_their_whole_record,
                pages_of_every_size_hold_every_settled_call_once,
                a_span_has_its_first_moment_and_not_its_last,
                a_page_begins_after_a_row_that_need_not_exist,
                what_is_not_kept_still_counts,
                an_account_has_its_own_calls_newest_first,
                ids_sort_as_numbers_over_their_whole_range,
                slugs_of_all_letters_come_back_as_they_were,
                amounts_of_any_size_come_back_as_they_were,
                questions_come_oldest_first_and_no_more_than_asked,
                what_callers_left_since_a_moment_is_told_newest_first,
            }
            journals {
                a_batch_is_applied_once,
                a_call_may_span_batches,
                a_batch_that_fails_leaves_nothing_behind,
                large_batches_of_many_sizes_balance,
                an_empty_store_has_applied_nothing,
                a_batch_without_records_moves_the_position,
                a_batch_that_overlaps_what_was_applied_is_a_gap,
                positions_are_as_large_as_a_database_can_count,
                a_payment_of_an_unknown_account_changes_nothing,
                a_payment_with_an_unknown_key_changes_nothing,
                spending_out_of_range_changes_nothing,
                a_hold_keeps_its_way_through_providers,
                the_last_checkpoint_wins_and_a_hold_without_one_has_none,
                a_list_of_checkpoints_reaches_every_hold_that_it_names,
                holds_come_back_in_the_order_of_their_ids,
                what_is_repeated_is_counted_and_left_out,
                the_longest_batch_over_many_accounts_is_taken_whole,
                many_small_batches_are_one_large_one,
                records_that_cannot_be_read_are_refused_wherever_they_stand,
            }
            keys {
                keys_are_created_found_changed_and_deleted,
                pages_of_every_size_hold_every_key_once_newest_first,
                pages_beyond_the_end_and_of_no_size_are_empty,
                a_deleted_key_is_found_nowhere_and_its_hash_stays_taken,
                a_patch_changes_what_it_names_and_nothing_else,
                every_period_kind_and_extreme_comes_back_as_it_was,
                hashes_are_told_apart_to_the_last_bit,
                texts_of_people_come_back_as_they_were,
                an_unknown_key_has_no_row_and_deleting_it_is_no_change,
                a_key_counts_what_it_spent_by_period_and_ever,
                keys_of_one_batch_are_counted_apart,
            }
            records {
                failed_calls_are_kept_and_counted_beside_the_books,
                a_batch_of_another_history_is_refused,
                consumers_are_remembered_by_name,
            }
            upkeep {
                a_store_says_what_it_is,
                a_fresh_store_has_taken_every_step_in_order,
                a_server_comes_back_to_its_place_and_leaves_it,
                closing_ends_it_for_everybody,
            }
        );
    };
    ($fresh:ident: $($noun:ident { $($statement:ident),+ $(,)? })+) => {
        $(
            mod $noun {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $statement() {
                        let (store, _alive) = super::$fresh().await;
                        let store: std::sync::Arc<dyn $crate::Store> = std::sync::Arc::new(store);
                        $crate::suite::$noun::$statement($crate::suite::Argument::of(&store)).await;
                        store.close().await;
                    }
                )+
            }
        )+
    };
}
pub(crate) use store_suite;
