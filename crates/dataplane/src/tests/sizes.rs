//! How large the futures of a call are.
//!
//! A call lives in one future, which is moved when it is begun and boxed, and
//! whose every byte is written and read again somewhere. What is cold is
//! boxed inside it; these bounds notice when something large is not.

use std::future::Future;
use std::sync::Arc;

use bourse_net::{Client, Deadlines, Origin, OutgoingRequest};

use crate::attempts::Attempt;
use crate::endpoints::{ClientRequest, Prepared};
use crate::phases::attempt::attempt;
use crate::phases::exchange::Exchange;
use crate::phases::plan::Plan;
use crate::running::Running;

/// Sending a request over a connection that is there: 568 when last looked at.
const SEND_BYTES_MAX: usize = 640;
/// One exchange with a target: 2,168, and 2,784 with what is cold in it.
const RUN_BYTES_MAX: usize = 2_304;
/// All attempts of a call, the exchange included: 3,120.
const ATTEMPT_BYTES_MAX: usize = 3_328;

/// The size of the future that a function makes.
const fn future_bytes<A, F: Future>(_: &impl Fn(A) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn the_futures_of_a_call_stay_small() {
    type Send = (
        &'static Client,
        &'static Origin,
        &'static OutgoingRequest,
        &'static Deadlines,
    );
    type Run = (
        &'static Exchange<'static>,
        &'static Client,
        Prepared,
        &'static mut Attempt,
    );
    type Try = (
        &'static Client,
        &'static mut Running,
        &'static Arc<dyn ClientRequest>,
        &'static mut Plan,
    );
    let send = future_bytes(&|(client, origin, request, deadlines): Send| {
        client.send(origin, request, deadlines)
    });
    let run = future_bytes(&|(exchange, client, prepared, tried): Run| {
        exchange.run(client, prepared, tried)
    });
    let attempts = future_bytes(&|(client, running, request, plan): Try| {
        attempt(client, running, request, plan)
    });
    assert!(send <= SEND_BYTES_MAX, "{send} bytes to send");
    assert!(run <= RUN_BYTES_MAX, "{run} bytes of an exchange");
    assert!(
        attempts <= ATTEMPT_BYTES_MAX,
        "{attempts} bytes of attempts"
    );
}
