//! The tool calls of an answer: what they will be judged by, and that they are.

use bourse_vocab::chat::Finish;

use crate::ending::Ending;
use crate::endpoints::ClientRequest;
use crate::phases::exchange::Opened;
use crate::relay::Report;
use crate::running::Running;

impl Running {
    /// Keeps of a request what the calls in its answer will be judged by.
    pub fn keep_tools(&mut self, opened: &Opened, request: &dyn ClientRequest) {
        let may_call = match opened {
            Opened::Whole(whole, _) => whole.calls.is_some(),
            Opened::Stream { .. } => self.call.ask.offers_tools(),
        };
        if may_call {
            self.tools.keep(request, &self.call.gateway.tools);
        }
    }

    /// Judges the tool calls of an answer that ended with them, and remembers
    /// that of its endpoint.
    pub(super) fn judge_tools(&mut self, report: &Report, ending: Ending<'_>, at_ms: u64) {
        let is_whole = matches!(ending, Ending::Complete | Ending::Drained);
        let did_end = is_whole && report.finish == Some(Finish::ToolCalls.name());
        if let Some(tally) = self.tools.judge(did_end).copied() {
            self.target().metrics.note_tools(&tally, at_ms);
        }
    }
}
