//! A way to the database that breaks at a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Database;

/// What becomes of a commit on its way through [`Relay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    /// It does not arrive.
    Lost,
    /// It arrives, and the answer is lost.
    Unanswered,
}

/// A way to the database that breaks at a commit to come.
pub(super) struct Relay {
    pub(super) url: String,
    /// Commits until it breaks; 0 if it does not.
    left: Arc<AtomicU32>,
}

impl Relay {
    pub(super) async fn start(database: &Database, fate: Commit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let url = database.url();
        let (_, rest) = url.split_once('@').unwrap();
        let (there, name) = rest.split_once('/').unwrap();
        let there = there.to_owned();
        let left = Arc::new(AtomicU32::new(0));
        let relay = Self {
            url: format!("postgres://postgres@{here}/{name}?sslmode=disable"),
            left: Arc::clone(&left),
        };
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&there).await.unwrap();
                let left = Arc::clone(&left);
                tokio::spawn(async move { Self::carry(client, server, fate, &left).await });
            }
        });
        relay
    }

    /// Breaks at the `count`th commit from now on.
    pub(super) fn break_at(&self, count: u32) {
        self.left.store(count, Ordering::SeqCst);
    }

    async fn carry(
        mut client: TcpStream,
        mut server: TcpStream,
        fate: Commit,
        left: &AtomicU32,
    ) -> Option<()> {
        let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                count = client.read(&mut asked) => {
                    let bytes = asked.get(..count.ok()?).filter(|bytes| !bytes.is_empty())?;
                    let commits = bytes.windows(7).any(|window| window == b"COMMIT\0");
                    if commits && is_last(left) {
                        if fate == Commit::Lost {
                            return None;
                        }
                        server.write_all(bytes).await.ok()?;
                        // Until the server has done it and says so.
                        let count = server.read(&mut answered).await.ok()?;
                        assert!(count > 0, "the server left before it answered");
                        return None;
                    }
                    server.write_all(bytes).await.ok()?;
                }
                count = server.read(&mut answered) => {
                    let bytes = answered.get(..count.ok()?).filter(|bytes| !bytes.is_empty())?;
                    client.write_all(bytes).await.ok()?;
                }
            }
        }
    }
}

/// Counts one commit; whether it is the one to break at.
fn is_last(left: &AtomicU32) -> bool {
    let less = |left: u32| left.checked_sub(1);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) == Ok(1)
}
