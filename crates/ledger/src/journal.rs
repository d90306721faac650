//! Double entry: every movement of money leaves one account and enters
//! another.
//!
//! An entry's amount is positive when money flows into its account. A
//! customer's accounts hold what we owe the customer, so they are never
//! negative; clearing accounts hold what has not yet met its counterpart in
//! the outside world (a bank statement, a provider's invoice) and tend to
//! zero; `house_loss` is negative by whatever we paid for a customer.
//! A [`Journal`] cannot be built unless its entries sum to zero.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bourse_vocab::{AccountId, Nanos};

/// One account of the double-entry books.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerAccount {
    /// What a customer may spend.
    CustomerAvailable(AccountId),
    /// What is set aside for a customer's running calls.
    CustomerHeld(AccountId),
    /// What a provider charges us for calls, by the provider's slug.
    ProviderCost(Box<str>),
    /// What a provider has charged and not yet invoiced, by slug.
    ProviderInvoiceClearing(Box<str>),
    /// What calls are worth at our prices, whoever pays.
    Revenue,
    /// What we paid in a customer's stead (negative).
    HouseLoss,
    /// Credit that we gave away (negative).
    Promo,
    /// Payments received and not yet seen at the bank (negative).
    TopUpClearing,
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CustomerAvailable(id) => write!(f, "customer:{}:available", id.0),
            Self::CustomerHeld(id) => write!(f, "customer:{}:held", id.0),
            Self::ProviderCost(slug) => write!(f, "provider_cost:{slug}"),
            Self::ProviderInvoiceClearing(slug) => write!(f, "provider_invoice_clearing:{slug}"),
            Self::Revenue => f.write_str("revenue"),
            Self::HouseLoss => f.write_str("house_loss"),
            Self::Promo => f.write_str("promo"),
            Self::TopUpClearing => f.write_str("top_up_clearing"),
        }
    }
}

/// A text that names no account of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a ledger account")]
pub struct NotALedgerAccount;

impl FromStr for LedgerAccount {
    type Err = NotALedgerAccount;

    fn from_str(text: &str) -> Result<Self, NotALedgerAccount> {
        match text {
            "revenue" => return Ok(Self::Revenue),
            "house_loss" => return Ok(Self::HouseLoss),
            "promo" => return Ok(Self::Promo),
            "top_up_clearing" => return Ok(Self::TopUpClearing),
            _ => {}
        }
        let (room, rest) = text.split_once(':').ok_or(NotALedgerAccount)?;
        match room {
            "provider_cost" => Ok(Self::ProviderCost(rest.into())),
            "provider_invoice_clearing" => Ok(Self::ProviderInvoiceClearing(rest.into())),
            "customer" => {
                let (id, side) = rest.split_once(':').ok_or(NotALedgerAccount)?;
                let id = AccountId(id.parse().map_err(|_| NotALedgerAccount)?);
                match side {
                    "available" => Ok(Self::CustomerAvailable(id)),
                    "held" => Ok(Self::CustomerHeld(id)),
                    _ => Err(NotALedgerAccount),
                }
            }
            _ => Err(NotALedgerAccount),
        }
    }
}

/// Why entries do not make a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The entries do not sum to zero: the sum is given.
    #[error("journal does not balance: its entries sum to {0} nano-dollars")]
    Unbalanced(i128),
    /// An account would move by more than an amount can hold.
    #[error("journal moves more than an account can hold")]
    OutOfRange,
}

/// Entries that sum to zero, at most one for an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    entries: Vec<(LedgerAccount, Nanos)>,
}

impl Journal {
    /// Adds up `entries` by account.
    ///
    /// # Errors
    /// Refuses entries that do not sum to zero.
    pub fn new(
        entries: impl IntoIterator<Item = (LedgerAccount, Nanos)>,
    ) -> Result<Self, JournalError> {
        let mut sums: BTreeMap<LedgerAccount, i128> = BTreeMap::new();
        let mut total: i128 = 0;
        for (account, amount) in entries {
            let amount = i128::from(amount.0);
            let sum = sums.entry(account).or_default();
            *sum = sum.checked_add(amount).ok_or(JournalError::OutOfRange)?;
            total = total.checked_add(amount).ok_or(JournalError::OutOfRange)?;
        }
        if total != 0 {
            return Err(JournalError::Unbalanced(total));
        }
        let entries = sums
            .into_iter()
            .filter(|(_, sum)| *sum != 0)
            .map(|(account, sum)| {
                let amount = i64::try_from(sum).map_err(|_| JournalError::OutOfRange)?;
                Ok((account, Nanos(amount)))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { entries })
    }

    /// The entries, in the order of their accounts; none is zero.
    #[must_use]
    pub fn entries(&self) -> &[(LedgerAccount, Nanos)] {
        &self.entries
    }

    /// Whether nothing moves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Where granted credit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// Paid for.
    TopUp,
    /// Given away.
    Promo,
}

impl GrantKind {
    /// How it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Promo => "promo",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::TopUp, Self::Promo]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Credit for a customer (or, negative, a correction).
///
/// # Errors
/// Refuses the one amount that has no counterpart, `i64::MIN`.
pub fn grant(kind: GrantKind, account: AccountId, amount: Nanos) -> Result<Journal, JournalError> {
    let source = match kind {
        GrantKind::TopUp => LedgerAccount::TopUpClearing,
        GrantKind::Promo => LedgerAccount::Promo,
    };
    let minus = Nanos::ZERO
        .checked_sub(amount)
        .ok_or(JournalError::OutOfRange)?;
    Journal::new([
        (source, minus),
        (LedgerAccount::CustomerAvailable(account), amount),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_do_not_sum_to_zero_make_no_journal() {
        let one = (LedgerAccount::Revenue, Nanos(5));
        assert_eq!(
            Journal::new([one.clone()]),
            Err(JournalError::Unbalanced(5))
        );
        let two = (LedgerAccount::HouseLoss, Nanos(-4));
        assert_eq!(Journal::new([one, two]), Err(JournalError::Unbalanced(1)));
    }

    #[test]
    fn entries_of_one_account_are_added_up_and_zeros_left_out() {
        let entries = [
            (LedgerAccount::Revenue, Nanos(5)),
            (LedgerAccount::Promo, Nanos(3)),
            (LedgerAccount::Promo, Nanos(-3)),
            (LedgerAccount::HouseLoss, Nanos(-5)),
        ];
        let journal = Journal::new(entries).unwrap();
        let expected = [
            (LedgerAccount::Revenue, Nanos(5)),
            (LedgerAccount::HouseLoss, Nanos(-5)),
        ];
        assert_eq!(journal.entries(), expected);
    }

    #[test]
    fn a_sum_too_large_for_an_account_is_refused() {
        let entries = [
            (LedgerAccount::Revenue, Nanos::MAX),
            (LedgerAccount::Revenue, Nanos::MAX),
            (LedgerAccount::HouseLoss, Nanos(-i64::MAX)),
            (LedgerAccount::Promo, Nanos(-i64::MAX)),
        ];
        assert_eq!(Journal::new(entries), Err(JournalError::OutOfRange));
        let least = grant(GrantKind::Promo, AccountId(1), Nanos(i64::MIN));
        assert_eq!(least, Err(JournalError::OutOfRange));
    }

    #[test]
    fn account_names_survive_printing_and_parsing() {
        for account in [
            LedgerAccount::CustomerAvailable(AccountId(7)),
            LedgerAccount::CustomerHeld(AccountId(u64::MAX)),
            LedgerAccount::ProviderCost("openai".into()),
            LedgerAccount::ProviderInvoiceClearing("my:vllm".into()),
            LedgerAccount::Revenue,
            LedgerAccount::HouseLoss,
            LedgerAccount::Promo,
            LedgerAccount::TopUpClearing,
        ] {
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        for junk in [
            "",
            "cash",
            "customer:1",
            "customer:x:held",
            "customer:1:owed",
        ] {
            assert_eq!(junk.parse::<LedgerAccount>(), Err(NotALedgerAccount));
        }
    }
}
