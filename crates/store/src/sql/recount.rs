//! The sums beside the finished calls, for whoever has counted them again.

use bourse_ledger::GrantKind;
use bourse_ledger::fold::{ActivityKey, ActivitySums, Unreconciled};
use bourse_vocab::{AccountId, KeyId};

use super::Session;
use super::text::texts;
use super::value::damaged;
use crate::StoreError;
use crate::recount::Recount;

texts! {
    DAYS = "SELECT day, account_id, key_id, model, endpoint, provider, requests, paid, byok, \
        prompt, completion, reasoning, cached FROM activity";
    KEY_DAYS = "SELECT key_id, day, spent FROM key_days";
    KEY_USES = "SELECT key_id, MAX(last_used_at_ms) FROM key_sums GROUP BY key_id";
    COSTS = "SELECT account, CAST(SUM(amount) AS BIGINT) FROM postings GROUP BY account";
    GRANTS = "SELECT id, kind, account_id, amount FROM grants";
    /// Their journals are named `grant:` and their number.
    GRANTED = "SELECT journals.source, postings.account, postings.amount FROM journals \
        JOIN postings ON postings.node_id = journals.node_id AND postings.seq = journals.seq \
        WHERE journals.source >= $1 AND journals.source < $2";
    QUESTIONS = "SELECT generation_id, provider, at_most, at_ms FROM reconcile";
}

/// Journals of grants are named so, and by the grant's number.
const GRANT: &str = "grant:";
/// What follows all of these: a semicolon follows a colon.
const AFTER_GRANT: &str = "grant;";
/// The ledger accounts of what providers charge begin so.
const PROVIDER_COST: &str = "provider_cost:";

/// Takes away from `recount` what is stored.
pub(super) async fn subtract(
    session: &mut dyn Session,
    recount: &mut Recount,
) -> Result<(), StoreError> {
    super::retired::count(session, recount).await?;
    for mut row in session.rows(DAYS, &[]).await? {
        let key = ActivityKey {
            day: row.unsigned()?,
            account: AccountId(row.unsigned()?),
            key: KeyId(row.unsigned()?),
            model: row.text()?,
            endpoint: row.text()?,
            provider: row.text()?,
        };
        let sums = ActivitySums {
            requests: row.unsigned()?,
            paid: row.nanos()?,
            byok: row.nanos()?,
            prompt: row.unsigned()?,
            completion: row.unsigned()?,
            reasoning: row.unsigned()?,
            cached: row.unsigned()?,
        };
        recount.stored_day(key, &sums);
    }
    for mut row in session.rows(KEY_DAYS, &[]).await? {
        let (key, day) = (KeyId(row.unsigned()?), row.unsigned()?);
        recount.stored_key_day(key, day, row.int()?.into());
    }
    for mut row in session.rows(KEY_USES, &[]).await? {
        let key = KeyId(row.unsigned()?);
        recount.stored_use(key, row.int()?.into());
    }
    for mut row in session.rows(COSTS, &[]).await? {
        let account = row.string()?;
        let amount = row.int()?.into();
        if let Some(provider) = account.strip_prefix(PROVIDER_COST) {
            recount.stored_cost(provider, amount);
        }
    }
    subtract_grants(session, recount).await?;
    for mut row in session.rows(QUESTIONS, &[]).await? {
        recount.stored_question(&Unreconciled {
            id: row.id()?,
            provider: row.text()?,
            at_most: row.nanos()?,
            at_ms: row.unsigned()?,
        });
    }
    Ok(())
}

async fn subtract_grants(
    session: &mut dyn Session,
    recount: &mut Recount,
) -> Result<(), StoreError> {
    for mut row in session.rows(GRANTS, &[]).await? {
        let (id, kind) = (row.unsigned()?, row.string()?);
        let kind = GrantKind::from_name(&kind).ok_or_else(|| damaged("kind of a grant", kind))?;
        recount.grant(id, kind, AccountId(row.unsigned()?), row.nanos()?);
    }
    for mut row in session
        .rows(GRANTED, &[GRANT.into(), AFTER_GRANT.into()])
        .await?
    {
        let (source, ledger) = (row.string()?, row.string()?);
        let id = source.strip_prefix(GRANT).unwrap_or_default();
        recount.stored_grant(id, ledger, row.int()?.into());
    }
    Ok(())
}
