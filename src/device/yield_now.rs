//! Pauses between pieces of work, in which a page's event loop has its turn.

use std::future::Future;
use std::pin::Pin;

/// A [`YieldNow`](super::YieldNow) for where nothing waits for its turn, as natively.
pub fn never_yield() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(std::future::ready(()))
}
