//! Futures that are made where they stay.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;

/// A box with the future that `make` makes.
///
/// `Box::pin(future)` makes it on the stack, then asks for memory, then copies
/// it there with all the room that it will only need later: 5 KB for a call.
/// With the memory there first, the compiler writes what the future begins with
/// straight into it. `make` must be a closure: a future that is handed in is made
/// already.
#[inline(always)]
pub fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    let room: Box<MaybeUninit<F>> = Box::new_uninit();
    Box::into_pin(Box::write(room, make()))
}

#[cfg(test)]
mod tests {
    use super::boxed;

    #[tokio::test]
    async fn a_future_that_was_made_in_its_box_runs_and_owns_what_it_was_given() {
        let text = String::from("owned");
        assert_eq!(boxed(move || async move { text }).await, "owned");
        let unpolled = std::sync::Arc::new(());
        let held = std::sync::Arc::clone(&unpolled);
        drop(boxed(move || async move { drop(held) }));
        assert_eq!(std::sync::Arc::strong_count(&unpolled), 1);
    }
}
