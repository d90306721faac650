//! Files that hold keys. A key may be replaced by writing the file, by renaming
//! another over it, or by turning a link somewhere on the way to it, as
//! Kubernetes does with `..data`; so the directories are watched, and whether
//! anything changed is decided by what the files say.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// What of a file is looked at: as much as a secret may have, and one byte.
const BYTES_MAX: u64 = (1 << 20) + 1;

/// Files that are watched, and what they last said.
pub(super) struct SecretFiles {
    paths: Vec<PathBuf>,
    seen: blake3::Hash,
    /// Watches as long as it lives.
    _watcher: Option<notify::RecommendedWatcher>,
}

impl SecretFiles {
    /// Watches the directories of these files.
    pub(super) fn watch(paths: Vec<PathBuf>, touched: &mpsc::Sender<()>) -> Self {
        let seen = fingerprint(&paths);
        let _watcher = match paths.is_empty() {
            true => None,
            false => watcher(&paths, touched.clone()),
        };
        Self {
            paths,
            seen,
            _watcher,
        }
    }

    /// Whether any of them says something else than before; from now on, that is
    /// what it said before.
    pub(super) fn have_changed(&mut self) -> bool {
        let now = fingerprint(&self.paths);
        std::mem::replace(&mut self.seen, now) != now
    }

    /// Goes over to others, if they are others.
    pub(super) fn follow(&mut self, paths: Vec<PathBuf>, touched: &mpsc::Sender<()>) {
        if paths != self.paths {
            *self = Self::watch(paths, touched);
        }
    }
}

fn watcher(paths: &[PathBuf], touched: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Full means that somebody looks anyway.
            let _ = touched.try_send(());
        }
    })
    .map_err(|error| tracing::warn!(%error, "files with keys are not watched; use SIGHUP"))
    .ok()?;
    for directory in directories(paths) {
        if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
            tracing::warn!(%error, directory = %directory.display(), "not watched; use SIGHUP");
        }
    }
    Some(watcher)
}

/// Directories in which the files stand, as they are written and where links
/// lead to.
fn directories(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        let written = std::path::absolute(path).ok();
        let real = path.canonicalize().ok();
        let both = [written, real].into_iter().flatten();
        all.extend(both.filter_map(|path| path.parent().map(Path::to_owned)));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// What all of them say, as one number. A file that is not there says that.
fn fingerprint(paths: &[PathBuf]) -> blake3::Hash {
    let mut all = blake3::Hasher::new();
    for path in paths {
        let mut text = Vec::new();
        let read =
            std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut text));
        all.update(&[u8::from(read.is_ok())]);
        all.update(blake3::hash(&text).as_bytes());
    }
    all.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_written_renamed_or_linked_anew_has_changed_and_a_touched_one_has_not() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("key", "sk-one");
        let (touched, _touches) = mpsc::channel(1);
        let mut files = SecretFiles::watch(vec![key.clone()], &touched);
        assert!(!files.have_changed());
        write("key", "sk-one");
        assert!(!files.have_changed());
        write("key", "sk-two");
        assert!(files.have_changed() && !files.have_changed());
        write("new", "sk-three");
        std::fs::rename(dir.path().join("new"), &key).unwrap();
        assert!(files.have_changed());
        write("other", "sk-four");
        std::fs::remove_file(&key).unwrap();
        assert!(files.have_changed());
        std::os::unix::fs::symlink(dir.path().join("other"), &key).unwrap();
        assert!(files.have_changed() && !files.have_changed());
    }

    #[tokio::test]
    async fn a_link_that_is_turned_is_noticed() {
        // As Kubernetes does it: key -> ..data/key, and ..data is replaced.
        let dir = tempfile::tempdir().unwrap();
        let link = |to: &str, from: &str| {
            std::os::unix::fs::symlink(to, dir.path().join(from)).unwrap();
        };
        for (version, key) in [("..1", "sk-one"), ("..2", "sk-two")] {
            std::fs::create_dir(dir.path().join(version)).unwrap();
            std::fs::write(dir.path().join(version).join("key"), key).unwrap();
        }
        link("..1", "..data");
        link("..data/key", "key");
        let (touched, mut touches) = mpsc::channel(1);
        let mut files = SecretFiles::watch(vec![dir.path().join("key")], &touched);
        link("..2", "..new");
        std::fs::rename(dir.path().join("..new"), dir.path().join("..data")).unwrap();
        touches.recv().await.unwrap();
        while !files.have_changed() {
            touches.recv().await.unwrap();
        }
    }
}
