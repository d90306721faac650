//! Finding who we are to Amazon's cloud: the chain of places, gone through once
//! (the documents are named above).

use super::{Amazon, Base, ContainerToken, Kind, Role};
use crate::identity::profiles::{Profile, Profiles};
use crate::identity::{Found, Identity, Surroundings, Wanted};
use crate::place::is_region;
use crate::{Credential, Key};

const MACHINE: &str = "http://169.254.169.254";
/// Where `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is asked for.
const CONTAINER: &str = "http://169.254.170.2";
/// Hosts that may be asked without TLS for a container's credentials
/// ("Container credential provider", November 2026).
const CONTAINER_HOSTS: [&str; 4] = [
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::23]",
    "localhost",
];
/// Profiles that borrow from one another.
const PROFILES_MAX: usize = 4;
/// What sessions of ours are called, where nothing else is said.
const SESSION_NAME: &str = "bourse";

/// Finds what the operator means.
///
/// # Errors
/// A sentence for the operator.
pub(crate) fn chain(wanted: &Wanted, around: &dyn Surroundings) -> Result<Found, String> {
    let known = [
        "default",
        "machine",
        "profile",
        "role_arn",
        "session_name",
        "token_file",
    ];
    wanted.only("Amazon's cloud", &known)?;
    let chain = Chain {
        around,
        region: region(wanted, around)?,
        session_name: wanted.session_name.clone(),
    };
    if wanted.is_machine {
        return chain.machine();
    }
    if let Some(name) = &wanted.profile {
        let profiles = Profiles::read(around)?;
        let base = chain.profile(&profiles, name, PROFILES_MAX)?;
        let base = base.ok_or_else(|| format!("profile: `{name}` has no credentials"))?;
        return Ok(base.found());
    }
    match (&wanted.role_arn, &wanted.token_file) {
        (Some(arn), Some(path)) => return chain.web_identity(arn, path).map(Base::found),
        (Some(_), None) => {
            return Err(
                "token_file: required beside role_arn; a role that is taken on with keys is a profile"
                    .to_owned(),
            );
        }
        (None, Some(_)) => return Err("role_arn: required beside token_file".to_owned()),
        (None, None) => {}
    }
    chain.default()
}

fn region(wanted: &Wanted, around: &dyn Surroundings) -> Result<String, String> {
    let region = wanted
        .region
        .clone()
        .or_else(|| around.variable("AWS_REGION"))
        .or_else(|| around.variable("AWS_DEFAULT_REGION"))
        .unwrap_or_else(|| "us-east-1".to_owned());
    if is_region(&region) {
        Ok(region)
    } else {
        Err(format!("region: `{region}` is no region of Amazon's"))
    }
}

struct Chain<'a> {
    around: &'a dyn Surroundings,
    region: String,
    session_name: Option<String>,
}

impl Chain<'_> {
    /// The places in their order: variables, a web identity, a profile, the
    /// container, the machine.
    fn default(&self) -> Result<Found, String> {
        if let Some(pair) = self.of_variables() {
            return Ok(pair.found());
        }
        let variable = |name: &str| self.around.variable(name);
        if let (Some(path), Some(arn)) = (
            variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
            variable("AWS_ROLE_ARN"),
        ) {
            return self.web_identity(&arn, &path).map(Base::found);
        }
        let profiles = Profiles::read(self.around)?;
        match self.profile(&profiles, &profiles.name, PROFILES_MAX)? {
            Some(base) => return Ok(base.found()),
            None if variable("AWS_PROFILE").is_some() => {
                let name = &profiles.name;
                return Err(format!("AWS_PROFILE: `{name}` has no credentials"));
            }
            None => {}
        }
        match self.container()? {
            Some(container) => Ok(Base::Other(container).found()),
            None => self.machine(),
        }
    }

    fn of_variables(&self) -> Option<Base> {
        let variable = |name: &str| self.around.variable(name).map(|text| Key::new(&text));
        Some(Base::Pair {
            id: variable("AWS_ACCESS_KEY_ID")?,
            secret: variable("AWS_SECRET_ACCESS_KEY")?,
            session: variable("AWS_SESSION_TOKEN"),
        })
    }

    fn role(&self, arn: &str, session_name: Option<&str>) -> Result<Role, String> {
        if !arn.starts_with("arn:") || arn.len() > 2_048 {
            return Err(format!("role_arn: `{arn}` is no ARN of a role"));
        }
        let session_name = self
            .session_name
            .clone()
            .or_else(|| session_name.map(str::to_owned))
            .or_else(|| self.around.variable("AWS_ROLE_SESSION_NAME"))
            .unwrap_or_else(|| SESSION_NAME.to_owned());
        let region = &self.region;
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        // "Service-specific endpoints" (docs.aws.amazon.com/sdkref, 2026).
        let other = self.around.variable("AWS_ENDPOINT_URL_STS");
        Ok(Role {
            arn: arn.to_owned(),
            session_name,
            url: other.map_or_else(
                || format!("https://sts.{region}.{domain}"),
                |url| url.trim_end_matches('/').to_owned(),
            ),
            region: region.clone(),
        })
    }

    fn web_identity(&self, arn: &str, path: &str) -> Result<Base, String> {
        Ok(Base::Other(Amazon(Kind::WebIdentity {
            role: self.role(arn, None)?,
            path: path.to_owned(),
        })))
    }

    /// What a profile says; `None` if it has no credentials.
    fn profile(
        &self,
        profiles: &Profiles,
        name: &str,
        left: usize,
    ) -> Result<Option<Base>, String> {
        let Some(profile) = profiles.get(name) else {
            return Ok(None);
        };
        if let Some(arn) = profile.get("role_arn") {
            return self
                .role_of(profiles, &profile, (name, arn), left)
                .map(Some);
        }
        if let Some(pair) = pair_of(&profile) {
            return Ok(Some(pair));
        }
        let unspoken = [
            "credential_process",
            "sso_session",
            "sso_start_url",
            "login_session",
        ];
        match profile.first(&unspoken) {
            None => Ok(None),
            Some("credential_process") => Err(format!(
                "profile {name}: credential_process is not started; no program is. Take a role, a web identity or the machine's own"
            )),
            Some(other) => Err(format!(
                "profile {name}: {other} is a person's sign-on, which a server cannot renew. Take a role, a web identity or the machine's own"
            )),
        }
    }

    fn role_of(
        &self,
        profiles: &Profiles,
        profile: &Profile,
        (name, arn): (&str, &str),
        left: usize,
    ) -> Result<Base, String> {
        let role = self.role(arn, profile.get("role_session_name"))?;
        if profile.get("mfa_serial").is_some() {
            return Err(format!("profile {name}: mfa_serial asks for a person"));
        }
        if let Some(path) = profile.get("web_identity_token_file") {
            let path = path.to_owned();
            return Ok(Base::Other(Amazon(Kind::WebIdentity { role, path })));
        }
        let with = match (
            profile.get("source_profile"),
            profile.get("credential_source"),
        ) {
            // The keys of the same profile.
            (Some(source), None) if source == name => pair_of(profile),
            (Some(source), None) => {
                let left = left.checked_sub(1).ok_or_else(|| {
                    format!(
                        "profile {name}: more than {PROFILES_MAX} profiles borrow from one another"
                    )
                })?;
                self.profile(profiles, source, left)?
            }
            (None, Some("Environment")) => self.of_variables(),
            (None, Some("Ec2InstanceMetadata")) => Some(Base::Other(self.machine_itself())),
            (None, Some("EcsContainer")) => self.container()?.map(Base::Other),
            (None, Some(other)) => {
                return Err(format!(
                    "profile {name}: credential_source: `{other}` is not one of Environment, Ec2InstanceMetadata, EcsContainer"
                ));
            }
            _ => {
                return Err(format!(
                    "profile {name}: beside role_arn either source_profile or credential_source is required"
                ));
            }
        };
        let with = with
            .ok_or_else(|| format!("profile {name}: there is nothing to take the role on with"))?;
        Ok(Base::Other(Amazon(Kind::Assumed {
            role,
            external_id: profile.get("external_id").map(str::to_owned),
            with: Box::new(with),
        })))
    }

    fn container(&self) -> Result<Option<Amazon>, String> {
        let variable = |name: &str| self.around.variable(name);
        let url = if let Some(path) = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            if !path.starts_with('/') {
                return Err(
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: does not begin with a slash"
                        .to_owned(),
                );
            }
            format!("{CONTAINER}{path}")
        } else if let Some(url) = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            check_container(&url)?;
            url
        } else {
            return Ok(None);
        };
        let token = match (
            variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
            variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        ) {
            (Some(path), _) => ContainerToken::File(path),
            (None, Some(text)) => ContainerToken::Text(Key::new(&text)),
            (None, None) => ContainerToken::None,
        };
        Ok(Some(Amazon(Kind::Container { url, token })))
    }

    fn machine_itself(&self) -> Amazon {
        let other = self.around.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        Amazon(Kind::Machine {
            at: other.map_or_else(
                || MACHINE.to_owned(),
                |at| at.trim_end_matches('/').to_owned(),
            ),
        })
    }

    fn machine(&self) -> Result<Found, String> {
        let disabled = self.around.variable("AWS_EC2_METADATA_DISABLED");
        if disabled.is_some_and(|word| word.eq_ignore_ascii_case("true")) {
            return Err(
                "no credentials are found, and AWS_EC2_METADATA_DISABLED forbids to ask the machine"
                    .to_owned(),
            );
        }
        Ok(Base::Other(self.machine_itself()).found())
    }
}

fn pair_of(profile: &Profile) -> Option<Base> {
    let key = |name: &str| profile.get(name).map(Key::new);
    Some(Base::Pair {
        id: key("aws_access_key_id")?,
        secret: key("aws_secret_access_key")?,
        session: key("aws_session_token"),
    })
}

fn check_container(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("http://");
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    let is_known = |host: &str| {
        let is_loopback = host.starts_with("127.");
        let mut known = CONTAINER_HOSTS.iter();
        is_loopback || known.any(|known| host == *known || host.starts_with(&format!("{known}:")))
    };
    match host {
        None if url.starts_with("https://") => Ok(()),
        Some(host) if is_known(host) => Ok(()),
        _ => Err(format!(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI: {url} is neither https nor a container's own service"
        )),
    }
}

impl Base {
    fn found(self) -> Found {
        match self {
            Self::Pair {
                id,
                secret,
                session,
            } => Found::Fixed(Credential::KeyPair {
                id,
                secret,
                session,
            }),
            Self::Other(amazon) => Found::identity(Identity::Amazon(amazon)),
        }
    }
}
