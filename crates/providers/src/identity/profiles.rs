//! Amazon's shared files of profiles ("Shared config and credentials files",
//! docs.aws.amazon.com/sdkref, November 2026).

use std::collections::BTreeMap;

use super::wanted::Surroundings;

/// Files of profiles are short, and so are the names in them.
const FILE_BYTES_MAX: usize = 256 << 10;

/// The settings of a profile, whichever of the two files has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Profile(BTreeMap<String, String>);

impl Profile {
    /// A setting that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// The first of some settings that is there.
    pub(super) fn first<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.get(name).is_some())
    }
}

/// Both files, and the name of the profile that is meant.
pub(super) struct Profiles {
    credentials: String,
    config: String,
    /// What `AWS_PROFILE` says, or `default`.
    pub(super) name: String,
}

impl Profiles {
    /// Reads both files; one that is not there is empty.
    ///
    /// # Errors
    /// One cannot be read, or is too long.
    pub(super) fn read(around: &dyn Surroundings) -> Result<Self, String> {
        let read = |variable: &str, usual: &str| {
            let home = || Some(format!("{}/.aws/{usual}", around.variable("HOME")?));
            let Some(path) = around.variable(variable).or_else(home) else {
                return Ok(String::new());
            };
            let text = around.file(&path)?.unwrap_or_default();
            if text.len() > FILE_BYTES_MAX {
                return Err(format!("{path}: more than {FILE_BYTES_MAX} bytes"));
            }
            Ok(text)
        };
        Ok(Self {
            credentials: read("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
            config: read("AWS_CONFIG_FILE", "config")?,
            name: around
                .variable("AWS_PROFILE")
                .unwrap_or_else(|| "default".to_owned()),
        })
    }

    /// A profile; `None` if neither file has it. Where both say something, the
    /// file of credentials counts.
    pub(super) fn get(&self, name: &str) -> Option<Profile> {
        let mut settings = BTreeMap::new();
        let in_config = |section: &str| {
            let named = section.strip_prefix("profile").map(str::trim);
            (section == "default" && name == "default") || named == Some(name)
        };
        let is_there = section(&self.config, in_config, &mut settings)
            | section(&self.credentials, |section| section == name, &mut settings);
        is_there.then_some(Profile(settings))
    }
}

/// Adds the settings of a section; says whether it is there.
fn section(
    text: &str,
    is_meant: impl Fn(&str) -> bool,
    settings: &mut BTreeMap<String, String>,
) -> bool {
    let (mut is_here, mut was_there) = (false, false);
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            let head = head.split(']').next().unwrap_or_default();
            is_here = is_meant(head.trim());
            was_there |= is_here;
            continue;
        }
        // Indented lines are settings of one service.
        if is_here
            && !is_nested
            && let Some((name, value)) = line.split_once('=')
        {
            // A comment begins behind a blank.
            let value = value.split(" #").next().unwrap_or_default();
            let value = value.split(" ;").next().unwrap_or_default();
            settings.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    was_there
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles() -> Profiles {
        Profiles {
            credentials: "# mine\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s=1\n\
                          [other]\naws_access_key_id=AKIA2 # a comment\n"
                .to_owned(),
            config: "[default]\nregion = eu-west-1\naws_access_key_id = AKIA0\n\
                     [profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\n\
                     s3 =\n  role_arn = nested\n[profile  empty]\n[sso-session x]\nregion = nowhere\n"
                .to_owned(),
            name: "default".to_owned(),
        }
    }

    #[test]
    fn a_profile_is_what_both_files_say_and_credentials_go_first() {
        let all = profiles();
        let default = all.get("default").unwrap();
        assert_eq!(default.get("aws_access_key_id"), Some("AKIA1"));
        assert_eq!(default.get("aws_secret_access_key"), Some("s=1"));
        assert_eq!(default.get("region"), Some("eu-west-1"));
        let other = all.get("other").unwrap();
        assert_eq!(other.get("aws_access_key_id"), Some("AKIA2"));
        let role = all.get("role").unwrap();
        assert_eq!(role.get("role_arn"), Some("arn:aws:iam::1:role/r"));
        assert_eq!(role.get("s3"), None);
        assert_eq!(all.get("empty").unwrap(), Profile::default());
        assert_eq!(all.get("x"), None, "a session is no profile");
        assert_eq!(all.get("nobody"), None);
    }
}
