//! Pauses between pieces of work, in which a page's event loop has its turn.

use std::future::Future;
use std::pin::Pin;

/// A [`Breathe`](super::Breathe) for where nothing waits for its turn, as natively.
pub fn no_breathing() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(std::future::ready(()))
}
