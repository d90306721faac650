//! Open holds: calls that are neither posted nor voided.

use bourse_ledger::OpenHold;
use bourse_ledger::fold::begun_before;
use bourse_ledger::record::Checkpoint;
use bourse_vocab::{AccountId, GenerationId, KeyId, Nanos, NodeId};

use super::Session;
use super::text::{Many, texts};
use super::value::{Row, Value};
use crate::StoreError;

/// A statement that returns open holds, with its own end.
macro_rules! select_holds {
    ($tail:literal) => {
        concat!(
            "SELECT node_id, id, account_id, key_id, amount, at_ms, model, provider, endpoint, \
             earlier, ck_charge, ck_upstream, ck_prompt, ck_completion FROM holds ",
            $tail
        )
    };
}

texts! {
    OF_NODE = select_holds!("WHERE node_id = $1 ORDER BY id");
}

static BY_ID: Many = Many::list(select_holds!("WHERE id IN"), "");
static CLOSE: Many = Many::list("DELETE FROM holds WHERE id IN", "");
static OPEN: Many = Many::rows(
    "INSERT INTO holds (id, node_id, account_id, key_id, amount, at_ms, model, provider, \
     endpoint, earlier, ck_charge, ck_upstream, ck_prompt, ck_completion)",
    14,
    "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, model = excluded.model, \
     provider = excluded.provider, endpoint = excluded.endpoint, earlier = excluded.earlier, \
     ck_charge = excluded.ck_charge, ck_upstream = excluded.ck_upstream, \
     ck_prompt = excluded.ck_prompt, ck_completion = excluded.ck_completion",
);
/// The statements above that take lists.
#[cfg(test)]
pub(in crate::sql) static LISTS: &[(&str, &Many)] =
    &[("BY_ID", &BY_ID), ("CLOSE", &CLOSE), ("OPEN", &OPEN)];

/// Open holds of a node's calls.
pub(super) async fn of_node(
    session: &mut dyn Session,
    node: NodeId,
) -> Result<Vec<OpenHold>, StoreError> {
    let rows = session.rows(OF_NODE, &[node.into()]).await?;
    let holds = rows.into_iter().map(|row| Ok(open_hold(row)?.1));
    holds.collect()
}

/// Whose call it is, and its hold.
fn open_hold(mut row: Row) -> Result<(NodeId, OpenHold), StoreError> {
    let node = row.node()?;
    let mut hold = OpenHold {
        id: row.id()?,
        account: AccountId(row.unsigned()?),
        key: KeyId(row.unsigned()?),
        amount: row.nanos()?,
        at_ms: row.unsigned()?,
        model: row.text()?,
        provider: row.text()?,
        endpoint: row.text()?,
        earlier: Vec::new(),
        checkpoint: None,
    };
    // Slugs contain no spaces, so a list of them needs no table.
    let earlier = row.string()?;
    hold.earlier = earlier.split_whitespace().map(Into::into).collect();
    if let Some(charge) = row.maybe_int()? {
        hold.checkpoint = Some(Checkpoint {
            id: hold.id,
            charge: Nanos(charge),
            upstream: row.nanos()?,
            prompt: row.unsigned()?,
            completion: row.unsigned()?,
        });
    }
    Ok((node, hold))
}

/// Loads the open holds of the calls that the batch mentions without
/// beginning them. Another node's are none of its business: only the node
/// that runs a call closes its hold.
pub(super) async fn earlier(
    session: &mut dyn Session,
    node: NodeId,
    records: &[&[u8]],
) -> Result<Vec<OpenHold>, StoreError> {
    let wanted = begun_before(records)?;
    let wanted: Vec<Value<'_>> = wanted.into_iter().map(Value::from).collect();
    let mut holds = Vec::with_capacity(wanted.len());
    for (text, ids) in BY_ID.pieces(&wanted) {
        for row in session.rows(text, ids).await? {
            let (of, hold) = open_hold(row)?;
            if of == node {
                holds.push(hold);
            }
        }
    }
    Ok(holds)
}

/// Writes what a batch opened or changed, and takes out what it closed.
pub(super) async fn write(
    session: &mut dyn Session,
    node: NodeId,
    opened: &[OpenHold],
    closed: &[GenerationId],
) -> Result<(), StoreError> {
    let closed: Vec<Value<'_>> = closed.iter().copied().map(Value::from).collect();
    for (text, ids) in CLOSE.pieces(&closed) {
        session.change(text, ids).await?;
    }
    for (text, piece) in OPEN.pieces(opened) {
        let mut values: Vec<Value<'_>> = Vec::with_capacity(piece.len() * OPEN.width);
        for hold in piece {
            let checkpoint = hold.checkpoint;
            values.extend([
                hold.id.into(),
                node.into(),
                hold.account.into(),
                hold.key.into(),
                hold.amount.into(),
                hold.at_ms.into(),
                (&hold.model).into(),
                (&hold.provider).into(),
                (&hold.endpoint).into(),
                hold.earlier.join(" ").into(),
                checkpoint.map(|at| at.charge).into(),
                checkpoint.map(|at| at.upstream).into(),
                checkpoint.map(|at| at.prompt).into(),
                checkpoint.map(|at| at.completion).into(),
            ]);
        }
        session.change(text, &values).await?;
    }
    Ok(())
}
