//! Keys, accounts, activity: one file per noun.
