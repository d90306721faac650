//! What operators ask, in a SQL database.

use super::schema::MIGRATIONS;
use super::{Backend, SqlStore};
use crate::Reply;
use crate::upkeep::{About, Server, Step, Upkeep};

impl<B: Backend> Upkeep for SqlStore<B> {
    fn about(&self) -> Reply<'_, About> {
        Box::pin(async move {
            Ok(About {
                kind: self.backend.kind(),
                version: self.backend.version().await?,
                read_only: self.backend.read_only().await?,
                place: self.backend.place(),
            })
        })
    }

    fn schema(&self) -> Reply<'_, Vec<Step>> {
        Box::pin(self.steps(MIGRATIONS))
    }

    fn schema_up(&self) -> Reply<'_, Vec<Step>> {
        Box::pin(self.migrate(MIGRATIONS))
    }

    fn schema_down(&self, lose_data: bool) -> Reply<'_, Option<Step>> {
        Box::pin(self.unmigrate(MIGRATIONS, lose_data))
    }

    fn serve<'a>(&'a self, server: &'a Server, take_over: bool) -> Reply<'a, ()> {
        self.backend.serve(server, take_over)
    }

    fn renew(&self, now_ms: u64) -> Reply<'_, ()> {
        self.backend.renew(now_ms)
    }

    fn retire(&self) -> Reply<'_, ()> {
        self.backend.retire()
    }

    fn close(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.backend.close()
    }
}
