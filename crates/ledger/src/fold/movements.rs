//! What moves between the accounts of the books.
//!
//! A movement has two sides, so each is one number here, and the sum of all
//! entries that come of them is zero by construction.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bourse_vocab::{AccountId, Nanos};

use crate::journal::{Journal, JournalError, LedgerAccount};
use crate::names::Names;

/// Sums of movements.
#[derive(Debug, Default)]
pub(super) struct Movements {
    customers: BTreeMap<AccountId, Customer>,
    /// From the clearing of their invoices to what providers cost.
    costs: BTreeMap<Arc<str>, i128>,
    /// From what the house loses to revenue.
    lost: i128,
}

#[derive(Debug, Default)]
struct Customer {
    /// From what may be spent to what is held.
    held: i128,
    /// From what may be spent to revenue.
    paid: i128,
}

impl Movements {
    /// Sets aside more, or (negative) less.
    pub(super) fn hold(&mut self, account: AccountId, amount: Nanos) {
        if amount != Nanos::ZERO {
            add(&mut self.customers.entry(account).or_default().held, amount);
        }
    }

    /// A customer pays.
    pub(super) fn pay(&mut self, account: AccountId, amount: Nanos) {
        if amount != Nanos::ZERO {
            add(&mut self.customers.entry(account).or_default().paid, amount);
        }
    }

    /// The house pays in a customer's stead.
    pub(super) fn lose(&mut self, amount: Nanos) {
        add(&mut self.lost, amount);
    }

    /// A provider charges.
    pub(super) fn cost(&mut self, names: &mut Names, provider: &str, amount: Nanos) {
        if let Some(sum) = self.costs.get_mut(provider) {
            add(sum, amount);
        } else {
            self.costs.insert(names.keep(provider), amount.0.into());
        }
    }

    /// All of it, one entry for an account.
    pub(super) fn journal(&self) -> Result<Journal, JournalError> {
        use LedgerAccount as L;
        let mut entries = Vec::new();
        let mut flow = |from, to, amount: i128| {
            let sum = i64::try_from(amount).map_err(|_| JournalError::OutOfRange)?;
            let minus = sum.checked_neg().ok_or(JournalError::OutOfRange)?;
            entries.extend([(from, Nanos(minus)), (to, Nanos(sum))]);
            Ok::<_, JournalError>(())
        };
        for (account, sums) in &self.customers {
            let available = L::CustomerAvailable(*account);
            flow(available.clone(), L::CustomerHeld(*account), sums.held)?;
            flow(available, L::Revenue, sums.paid)?;
        }
        for (provider, sum) in &self.costs {
            let clearing = L::ProviderInvoiceClearing((&**provider).into());
            flow(clearing, L::ProviderCost((&**provider).into()), *sum)?;
        }
        flow(L::HouseLoss, L::Revenue, self.lost)?;
        Journal::new(entries)
    }
}

fn add(sum: &mut i128, amount: Nanos) {
    *sum = sum.saturating_add(amount.0.into());
}
