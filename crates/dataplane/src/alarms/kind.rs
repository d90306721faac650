//! What there is to know: a row for each kind of alarm.

/// Of what an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Our account at a provider has no money, or has reached a limit that
    /// somebody set there.
    AccountEmpty,
    /// A provider does not take our key.
    CredentialRefused,
    /// A cloud's token service gives no token.
    NoToken,
    /// All targets of a model are broken.
    NoTargetLeft,
    /// Calls are refused because the server does not get them done.
    CallsShed,
    /// The database is behind the journal by a large part of what that takes.
    JournalGrowing,
    /// The database is away, or takes nothing over.
    DatabaseBehind,
    /// The journal's disk takes no records.
    JournalRefuses,
    /// A target was given up after a deadline that few answers have taught.
    DeadlineUnsure,
    /// A changed configuration makes no sense.
    ConfigurationRefused,
    /// The files of the server's certificate hold none that can be shown.
    CertificateRefused,
    /// The server's certificate ends soon, or has ended.
    CertificateExpires,
    /// A provider gives more output than it was told.
    LimitNotKept,
    /// A provider says that answers cost what cannot be true.
    CostNotBelieved,
    /// A provider serves by a tier of service that nobody asked for, or whose
    /// price is not known.
    TierNotAgreed,
    /// Attempts at an endpoint fail in some way. Told in the log alone: calls go
    /// elsewhere.
    EndpointFails,
    /// Somebody wants to know whether alarms arrive.
    Test,
}

/// How soon somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Now: calls fail, or soon will.
    Critical,
    /// In the next days: it costs money, or will.
    Warning,
}

impl Severity {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// How an alarm ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Somebody sees that it is over.
    Seen,
    /// It did not happen again for so many milliseconds.
    QuietFor(u64),
}

/// What is said of every alarm of a kind.
#[derive(Debug)]
pub struct About {
    /// Its name in metrics and messages.
    pub name: &'static str,
    /// How soon somebody should look.
    pub severity: Severity,
    /// Whether it is an error of this installation, and not of somebody else's:
    /// how its line is logged.
    pub is_error: bool,
    /// How it ends.
    pub end: End,
    /// After how many milliseconds one that lasts is told again, where that is
    /// not the operator's to say.
    pub repeat_ms: Option<u64>,
    /// Whether it is told elsewhere than in the log.
    pub is_sent: bool,
    /// What helps.
    pub remedy: &'static str,
    /// What is said once it is over.
    pub over: &'static str,
}

/// What happens with an answer now and then is over after an hour without.
const HOUR_MS: u64 = 3_600_000;
/// What lasts for weeks is told again every day.
const DAY_MS: u64 = 24 * HOUR_MS;
/// Calls are shed in waves: a minute without is an end.
const MINUTE_MS: u64 = 60_000;

const ROW: About = About {
    name: "",
    severity: Severity::Warning,
    is_error: false,
    end: End::Seen,
    repeat_ms: None,
    is_sent: true,
    remedy: "",
    over: "",
};

static ACCOUNT_EMPTY: About = About {
    name: "provider_account_empty",
    severity: Severity::Critical,
    is_error: true,
    remedy: "put money on the account at the provider, or raise the limit that is set there; it is tried again by itself",
    over: "the provider serves our account again",
    ..ROW
};
static CREDENTIAL_REFUSED: About = About {
    name: "credential_refused",
    severity: Severity::Critical,
    is_error: true,
    remedy: "give the provider a key that is valid and may call models (providers.<slug>.api_key), and reload the configuration",
    over: "the provider takes the key again",
    ..ROW
};
static NO_TOKEN: About = About {
    name: "no_token",
    severity: Severity::Critical,
    is_error: true,
    remedy: "see that the credentials are valid and that this machine's clock is right; `bourse doctor` asks for a token once (providers.<slug>.credentials)",
    over: "the token service gives tokens again, or is asked for none any more",
    ..ROW
};
static NO_TARGET_LEFT: About = About {
    name: "no_target_left",
    severity: Severity::Critical,
    remedy: "see in `bourse top` what fails and whether its provider knows of it; another provider of this model would serve its calls",
    over: "a target of the model answers again",
    ..ROW
};
static CALLS_SHED: About = About {
    name: "calls_shed",
    severity: Severity::Critical,
    end: End::QuietFor(MINUTE_MS),
    remedy: "give the server more cores, or send it fewer calls at once: bourse_worker_delay_seconds says how late it is",
    over: "no call is shed any more",
    ..ROW
};
static JOURNAL_GROWING: About = About {
    name: "journal_growing",
    severity: Severity::Critical,
    remedy: "see why the database does not keep up, and that the data directory's disk has room for the journal",
    over: "the database has caught up with the journal",
    ..ROW
};
static DATABASE_BEHIND: About = About {
    name: "database_behind",
    severity: Severity::Critical,
    is_error: true,
    remedy: "see that the database runs, can be reached and has room; calls go on for as long as the journal has",
    over: "the database takes the journal over again",
    ..ROW
};
static JOURNAL_REFUSES: About = About {
    name: "journal_refuses",
    severity: Severity::Critical,
    is_error: true,
    remedy: "make room on the disk of the data directory, or mend it",
    over: "the journal's disk takes records again, and new calls are served",
    ..ROW
};
static DEADLINE_UNSURE: About = About {
    name: "deadline_unsure",
    end: End::QuietFor(HOUR_MS),
    remedy: "if the endpoint is slow and not silent, its calls go elsewhere until more of its answers are known; compare its first content in `bourse top`",
    over: "nothing was given up by so unsure a deadline for an hour",
    ..ROW
};
static CONFIGURATION_REFUSED: About = About {
    name: "configuration_refused",
    is_error: true,
    remedy: "mend the file; `bourse check` says all that is wrong with it. Until then the last good configuration is in force",
    over: "the configuration is taken over",
    ..ROW
};
static CERTIFICATE_REFUSED: About = About {
    name: "certificate_refused",
    is_error: true,
    remedy: "put a PEM certificate and its key where server.tls says; they are taken over at once. Until then clients are shown the last one",
    over: "the certificate's files can be used again",
    ..ROW
};
static CERTIFICATE_EXPIRES: About = About {
    name: "certificate_expires",
    repeat_ms: Some(DAY_MS),
    remedy: "renew the certificate; the new files are taken over at once",
    over: "the certificate is valid for more than two weeks",
    ..ROW
};
static LIMIT_NOT_KEPT: About = About {
    name: "limit_not_kept",
    remedy: "ask the provider why it does not keep max_tokens; until it does, all that the model may say is set aside for its calls",
    over: "the provider keeps its limits again",
    ..ROW
};
static COST_NOT_BELIEVED: About = About {
    name: "cost_not_believed",
    end: End::QuietFor(HOUR_MS),
    remedy: "compare our prices with the provider's invoice; such answers are booked by our prices",
    over: "nothing unbelievable was said for an hour",
    ..ROW
};
static TIER_NOT_AGREED: About = About {
    name: "tier_not_agreed",
    end: End::QuietFor(HOUR_MS),
    remedy: "give the endpoint the price of the tier (price.services), or have the provider serve by the usual one",
    over: "no answer came by such a tier for an hour",
    ..ROW
};
static ENDPOINT_FAILS: About = About {
    name: "endpoint_fails",
    // Longer than the longest rest of a breaker: it was asked meanwhile.
    end: End::QuietFor(2 * MINUTE_MS),
    repeat_ms: Some(MINUTE_MS),
    is_sent: false,
    remedy: "calls go to other targets where there are some; `bourse top` shows how it is doing",
    over: "the endpoint has not failed so for two minutes",
    ..ROW
};
static TEST: About = About {
    name: "test",
    end: End::QuietFor(0),
    remedy: "nothing: somebody wants to know whether alarms arrive",
    over: "the test is over",
    ..ROW
};

impl Kind {
    /// Every kind, in the order of metrics.
    pub const ALL: [Self; 17] = [
        Self::AccountEmpty,
        Self::CredentialRefused,
        Self::NoToken,
        Self::NoTargetLeft,
        Self::CallsShed,
        Self::JournalGrowing,
        Self::DatabaseBehind,
        Self::JournalRefuses,
        Self::DeadlineUnsure,
        Self::ConfigurationRefused,
        Self::CertificateRefused,
        Self::CertificateExpires,
        Self::LimitNotKept,
        Self::CostNotBelieved,
        Self::TierNotAgreed,
        Self::EndpointFails,
        Self::Test,
    ];

    /// Its row.
    #[must_use]
    pub const fn about(self) -> &'static About {
        match self {
            Self::AccountEmpty => &ACCOUNT_EMPTY,
            Self::CredentialRefused => &CREDENTIAL_REFUSED,
            Self::NoToken => &NO_TOKEN,
            Self::NoTargetLeft => &NO_TARGET_LEFT,
            Self::CallsShed => &CALLS_SHED,
            Self::JournalGrowing => &JOURNAL_GROWING,
            Self::DatabaseBehind => &DATABASE_BEHIND,
            Self::JournalRefuses => &JOURNAL_REFUSES,
            Self::DeadlineUnsure => &DEADLINE_UNSURE,
            Self::ConfigurationRefused => &CONFIGURATION_REFUSED,
            Self::CertificateRefused => &CERTIFICATE_REFUSED,
            Self::CertificateExpires => &CERTIFICATE_EXPIRES,
            Self::LimitNotKept => &LIMIT_NOT_KEPT,
            Self::CostNotBelieved => &COST_NOT_BELIEVED,
            Self::TierNotAgreed => &TIER_NOT_AGREED,
            Self::EndpointFails => &ENDPOINT_FAILS,
            Self::Test => &TEST,
        }
    }

    pub(super) const fn place(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_of_its_own_that_says_what_helps() {
        let mut names = std::collections::BTreeSet::new();
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind.place(), place);
            let about = kind.about();
            assert!(names.insert(about.name), "{} is there twice", about.name);
            let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(about.name.chars().all(is_word), "{}", about.name);
            assert!(!about.remedy.is_empty() && !about.over.is_empty());
        }
    }

    #[test]
    fn the_page_for_operators_has_every_kind_with_its_severity() {
        let page = include_str!("../../../../docs/how-to/alarms.md");
        for kind in Kind::ALL {
            let about = kind.about();
            let row = format!("| `{}` | {} | ", about.name, about.severity.name());
            assert!(page.contains(&row), "{row}");
        }
    }
}
