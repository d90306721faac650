//! The repository, read once: manifests, sources as tokens, documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

use super::Problem;

/// Folders whose contents are made, fetched or kept elsewhere.
const SKIPPED: [&str; 4] = [".git", "target", "node_modules", ".cache"];
/// What a server run from here keeps.
const DATA: &str = "data";
/// Files whose text no rule reads; they are known by name.
const TEXT_BYTES_MAX: u64 = 2_000_000;

/// A Rust file.
pub struct Source {
    /// From the root, with forward slashes.
    pub path: String,
    pub text: String,
    /// Comments are not in it.
    pub tokens: TokenStream,
}

/// A crate of the workspace.
pub struct Crate {
    /// Without the common prefix: `vocab`, `xtask`.
    pub name: String,
    /// Its folder from the root.
    pub folder: String,
    pub manifest: toml::Table,
    /// Everything in Rust below its folder.
    pub sources: Vec<Source>,
}

impl Crate {
    /// Whether a path is in what the crate is built from.
    pub fn is_product(&self, path: &str) -> bool {
        path.starts_with(&format!("{}/src/", self.folder))
    }
}

/// All of it.
#[derive(Default)]
pub struct Tree {
    pub crates: Vec<Crate>,
    /// The text of every file that is text, by path.
    pub files: BTreeMap<String, String>,
    /// The workspace's own manifest.
    pub workspace: toml::Table,
    /// What could not be read.
    problems: Vec<Problem>,
}

impl Tree {
    /// Reads a directory.
    ///
    /// # Errors
    /// A directory or file that cannot be read.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        walk(root, "", &mut files)?;
        Ok(Self::of(files))
    }

    /// Makes sense of files that are given by path and text.
    pub fn of(files: BTreeMap<String, String>) -> Self {
        let mut tree = Self::default();
        for (path, text) in &files {
            let Some(folder) = path.strip_suffix("Cargo.toml") else {
                continue;
            };
            let manifest: toml::Table = match text.parse() {
                Ok(manifest) => manifest,
                Err(error) => {
                    tree.note(path, format!("{error}"));
                    continue;
                }
            };
            if folder.is_empty() {
                tree.workspace = manifest;
                continue;
            }
            let folder = folder.trim_end_matches('/').to_owned();
            let name = folder.rsplit('/').next().unwrap_or_default().to_owned();
            let sources = tree.sources(&folder, &files);
            tree.crates.push(Crate {
                name,
                folder,
                manifest,
                sources,
            });
        }
        tree.files = files;
        tree
    }

    fn sources(&mut self, folder: &str, files: &BTreeMap<String, String>) -> Vec<Source> {
        let below = format!("{folder}/");
        let mut sources = Vec::new();
        for (path, text) in files {
            if !path.starts_with(&below) || !path.ends_with(".rs") {
                continue;
            }
            match text.parse() {
                Ok(tokens) => sources.push(Source {
                    path: path.clone(),
                    text: text.clone(),
                    tokens,
                }),
                Err(error) => self.note(path, format!("{error}")),
            }
        }
        sources
    }

    fn note(&mut self, path: &str, message: String) {
        self.problems.push(Problem::new("readable", path, message));
    }

    /// What could not be read.
    pub fn unreadable(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    /// A crate by its short name.
    pub fn by_name(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|one| one.name == name)
    }
}

fn walk(root: &Path, below: &str, files: &mut BTreeMap<String, String>) -> Result<(), String> {
    let folder = root.join(below);
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let kind = entry.file_type().map_err(|e| format!("{path}: {e}"))?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) && path != DATA {
                walk(root, &path, files)?;
            }
        } else if kind.is_file() {
            let size = entry.metadata().map_err(|e| format!("{path}: {e}"))?.len();
            let text = if size <= TEXT_BYTES_MAX {
                let bytes = fs::read(entry.path()).map_err(|e| format!("{path}: {e}"))?;
                String::from_utf8(bytes).unwrap_or_default()
            } else {
                String::new()
            };
            files.insert(path, text);
        }
    }
    Ok(())
}

/// A tree from literals, for the tests of rules.
#[cfg(test)]
pub fn planted(files: &[(&str, &str)]) -> Tree {
    let files = files.iter();
    Tree::of(
        files
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_the_folders_with_a_manifest_and_their_sources_are_tokens() {
        let tree = planted(&[
            ("Cargo.toml", "[workspace]\nmembers = []\n"),
            ("crates/a/Cargo.toml", "[package]\nname = \"bourse-a\"\n"),
            ("crates/a/src/lib.rs", "//! A.\nfn a() {}\n"),
            ("crates/a/tests/it.rs", "#[test] fn t() {}\n"),
            ("docs/a.md", "text"),
        ]);
        assert_eq!(tree.crates.len(), 1);
        let found = tree.by_name("a").unwrap();
        assert_eq!(found.sources.len(), 2);
        assert!(found.is_product("crates/a/src/lib.rs"));
        assert!(!found.is_product("crates/a/tests/it.rs"));
        assert!(tree.workspace.contains_key("workspace"));
        assert!(tree.unreadable().is_empty());
    }

    #[test]
    fn what_is_no_rust_or_no_toml_is_a_problem() {
        let tree = planted(&[
            ("crates/a/Cargo.toml", "[package]\n"),
            ("crates/a/src/lib.rs", "fn a( {}"),
            ("crates/b/Cargo.toml", "= broken"),
        ]);
        let subjects: Vec<_> = tree.unreadable().into_iter().map(|p| p.subject).collect();
        assert_eq!(subjects, ["crates/a/src/lib.rs", "crates/b/Cargo.toml"]);
    }
}
