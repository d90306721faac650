//! The suite on a real PostgreSQL, and what is PostgreSQL's own.
//!
//! The server is the one at `BOURSE_TEST_POSTGRES`, or one that
//! `scripts/postgres.sh` starts and that all tests share; every test has a
//! database of its own in it.

mod faults;
mod refused;
mod relay;
mod schema;
mod serving;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::{PostgresStore, Target};

/// Longer than a server takes to start on a busy machine.
const OUTPUT_ENDS_MAX: std::time::Duration = std::time::Duration::from_secs(120);

/// The server's address.
fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var("BOURSE_TEST_POSTGRES") {
            return url;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
        let done = Command::new("bash").arg(script).arg("shared").output();
        let done = done.expect("bash runs scripts/postgres.sh");
        let why = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "there is no PostgreSQL: {why}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    })
}

/// A database of a test's own; it is dropped with this.
pub(crate) struct Database {
    name: String,
}

impl Database {
    async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bourse_test_{}_{count}", std::process::id());
        let mut connection = PgConnection::connect(server()).await.unwrap();
        let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        sqlx::raw_sql(drop).execute(&mut connection).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create)
            .execute(&mut connection)
            .await
            .unwrap();
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        let (server, _) = server().rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    pub(crate) fn target(&self) -> Target {
        Target::parse(&self.url()).unwrap()
    }

    /// A connection beside the store's, for looking and for breaking things.
    pub(crate) async fn beside(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(server()).await?;
                let drop = sqlx::raw_sql(AssertSqlSafe(drop));
                drop.execute(&mut connection).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            })
        });
        // A server that a test has stopped takes its databases with it.
        let _ = dropped.join();
    }
}

pub(crate) async fn fresh() -> (PostgresStore, Database) {
    let database = Database::new().await;
    let store = PostgresStore::open(vec![database.target()]).await.unwrap();
    (store, database)
}

crate::suite::store_suite!(fresh);

/// Whoever reads a pipe to its end waits for every process that has it open:
/// a server that kept one would hang the runner that started it.
#[test]
fn a_server_for_tests_keeps_no_open_file_of_whoever_started_it() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("server");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
    let call = |arguments: &str| {
        let mut command = Command::new("bash");
        // Open under numbers that the script has never heard of.
        let line = format!("exec 5>&1 7>&2 9>&1; exec bash \"$0\" {arguments}");
        command.args(["-c", &line]).arg(&script).arg(&home);
        // As `./dev test` finds it: not in the way of the others.
        command.stdin(Stdio::null());
        command
    };
    let owner = std::process::id();
    let (ended, end) = std::sync::mpsc::channel();
    let mut start = call(&format!("start \"$1\" {owner}"));
    let reading = std::thread::spawn(move || ended.send(start.output().unwrap()));
    let done = end.recv_timeout(OUTPUT_ENDS_MAX);
    let alive = call("pid \"$1\"").output().unwrap();
    let stopped = call("stop \"$1\"").output().unwrap();
    assert!(stopped.status.success(), "{stopped:?}");
    let done = done.expect("the output ends although the server runs");
    reading.join().unwrap().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("postgres://"));
    assert!(!alive.stdout.is_empty(), "the server runs");
}

#[tokio::test]
async fn rows_come_over_to_purses_and_back() {
    let (store, _database) = fresh().await;
    crate::suite::purse_migration::rows_come_over_to_purses_and_back(&store).await;
}
