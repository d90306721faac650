//! The mistakes that are planted, one at a time.

/// A mistake.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// What is wrong then.
    pub name: &'static str,
    /// Where.
    pub file: &'static str,
    /// What stands there, once.
    pub find: &'static str,
    /// What is put there.
    pub put: &'static str,
}

const fn mutant(
    name: &'static str,
    file: &'static str,
    find: &'static str,
    put: &'static str,
) -> Mutant {
    Mutant {
        name,
        file,
        find,
        put,
    }
}

const TREE: &str = "crates/ledger/src/books/tree.rs";
const PURSE: &str = "crates/ledger/src/books/purse.rs";
const RECOVER: &str = "crates/ledger/src/recover.rs";
const FOLD: &str = "crates/ledger/src/fold.rs";
const TILL: &str = "crates/store/src/till.rs";
const PLAN: &str = "crates/routing/src/plan.rs";
const BREAKER: &str = "crates/routing/src/breaker.rs";
const BUDGET: &str = "crates/routing/src/budget.rs";
const HEALTH: &str = "crates/routing/src/health.rs";
const TICKET: &str = "crates/routing/src/health/ticket.rs";
const PATIENCE: &str = "crates/routing/src/patience.rs";
const WRITER: &str = "crates/spool/src/writer.rs";
const ATTEMPT: &str = "crates/dataplane/src/phases/attempt.rs";
const SETTLE: &str = "crates/dataplane/src/phases/settle.rs";
const RELAY: &str = "crates/wire/src/openai_chat/passthrough/relay.rs";

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    mutant(
        "nobody asks whether there is money",
        TREE,
        "self.check(purse, amount.saturating_add(leaving), &on)\n            .map_err(Refusal::Exhausted)?;",
        "let _ = leaving;",
    ),
    mutant(
        "only the key pays, and not its account",
        TREE,
        "next = purse.parent;",
        "next = None;",
    ),
    mutant(
        "more is paid than was set aside",
        TREE,
        "if charge > call.amount {",
        "if false {",
    ),
    mutant(
        "what was held stays on hold",
        PURSE,
        "self.held = self.held.saturating_sub(held);",
        "",
    ),
    mutant(
        "a payment is booked twice",
        PURSE,
        "self.spent = self.spent.saturating_add(paid);",
        "self.spent = self.spent.saturating_add(paid).saturating_add(paid);",
    ),
    mutant(
        "a start forgets what the journal paid",
        RECOVER,
        "self.pay(&open, settle.paid);",
        "",
    ),
    mutant(
        "a start forgets what was delivered",
        RECOVER,
        "let Some(checkpoint) = open.checkpoint else {",
        "let Some(checkpoint) = open.checkpoint.filter(|_| false) else {",
    ),
    mutant(
        "a start leaves calls open",
        TILL,
        "for hold in open {",
        "for hold in open.iter().skip(1) {",
    ),
    mutant(
        "the database is told another sum than memory",
        FOLD,
        "self.movements.pay(open.account, paid);",
        "self.movements.pay(open.account, paid.saturating_add(paid));",
    ),
    mutant(
        "a hold reaches the disk after the request has left",
        TILL,
        "self.append(Kind::Begin, &Record::Hold(*hold))",
        "self.append(Kind::Note, &Record::Hold(*hold))",
    ),
    mutant(
        "a price is told before the journal has it",
        TILL,
        "let posted = self.books.post(account, id, charge)?;\n        let booked = Booked {\n            node: self.node,\n            key: posted.key,\n            held: posted.held,\n            paid: posted.paid,\n        };\n        self.spool.append_with(Kind::End,",
        "let posted = self.books.post(account, id, charge)?;\n        let booked = Booked {\n            node: self.node,\n            key: posted.key,\n            held: posted.held,\n            paid: posted.paid,\n        };\n        self.spool.append_with(Kind::Note,",
    ),
    mutant(
        "an answer that nobody has counted is free",
        SETTLE,
        "Ending::Complete => End::FinishedUncounted,",
        "Ending::Complete => End::NothingDelivered,",
    ),
    mutant(
        "a call whose client has left goes on asking",
        ATTEMPT,
        "if running.call.status.is_detached() {",
        "if false {",
    ),
    mutant(
        "somebody is asked who said to wait",
        PLAN,
        "            if may_use(target) {\n                self.attempts += 1;",
        "            if may_use(target) || true {\n                self.attempts += 1;",
    ),
    mutant(
        "an announced rest is forgotten",
        TICKET,
        "health.cooldown_until_ms.fetch_max(until, Relaxed);",
        "health.cooldown_until_ms.fetch_max(0, Relaxed);",
    ),
    mutant(
        "an announced rest is over too early",
        HEALTH,
        ".checked_sub(now_ms)\n            .filter(|rest| *rest > 0)",
        ".checked_sub(now_ms.saturating_add(900))\n            .filter(|rest| *rest > 0)",
    ),
    mutant(
        "the last target is asked again and again",
        PLAN,
        "const TRIES_MAX: u32 = 3;",
        "const TRIES_MAX: u32 = 30;",
    ),
    mutant(
        "nobody is ever left alone",
        BREAKER,
        "if Tally::of(counted).failed(weight).is_too_much() {",
        "if false {",
    ),
    mutant(
        "whoever was left alone never comes back",
        BREAKER,
        "if is_due && self.probing_until.load(Relaxed) <= now_ms {",
        "if is_due && false {",
    ),
    mutant(
        "second attempts have no budget",
        BUDGET,
        "if !is_allowed {",
        "if false {",
    ),
    mutant(
        "a silent provider is waited for as long as there is time",
        PATIENCE,
        "Some(deadline.min(most_ms))",
        "Some(deadline.max(most_ms))",
    ),
    mutant(
        "after a failure nobody else is asked",
        ATTEMPT,
        "let another = plan.after(&step, then, may_use, is_well);",
        "let another = plan.after(&step, then, may_use, is_well).filter(|_| false);",
    ),
    mutant(
        "an attempt that ended in vain stays in flight",
        TICKET,
        "health.last_failure_ms.fetch_max(now_ms, Relaxed);",
        "health.last_failure_ms.fetch_max(now_ms, Relaxed);\n            health.in_flight.fetch_add(1, Relaxed);",
    ),
    mutant(
        "an answer that was cut short is a whole one",
        RELAY,
        "if named && self.state.endings.is_complete() {",
        "if named {",
    ),
    mutant(
        "what came before a break is free",
        SETTLE,
        "Ending::Broke(_) => End::BrokeMidway,",
        "Ending::Broke(_) => End::NothingDelivered,",
    ),
    // Only a disk that fails shows these.
    mutant(
        "an end that the disk refuses is forgotten",
        WRITER,
        "let keeps = tail.buffer.len() <= kind.owed_bytes_max();",
        "let keeps = kind != Kind::End && tail.buffer.len() <= kind.owed_bytes_max();",
    ),
    mutant(
        "what is left of a refused write stays in the journal",
        WRITER,
        "tail.is_ragged = true;\n            let error",
        "let error",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::MUTANTS;

    #[test]
    fn every_mistake_has_its_one_place() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for mutant in MUTANTS {
            let text = std::fs::read_to_string(root.join(mutant.file)).unwrap();
            let places = text.matches(mutant.find).count();
            assert_eq!(places, 1, "{} in {}", mutant.name, mutant.file);
            assert_ne!(mutant.find, mutant.put, "{}", mutant.name);
        }
        let names: BTreeSet<_> = MUTANTS.iter().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), MUTANTS.len());
        assert!(MUTANTS.len() >= 20);
    }
}
