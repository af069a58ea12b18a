//! The engine in memory that threads share. Stable Rust does not tell crates that it is (`cfg(target_feature = "atomics")`
//! is always false), so wasm-bindgen's and js-sys's own state is one for all threads: only the engine's worker may hold a
//! `JsValue`. Helpers compute, and nothing here hands them one.

use crate::ops::threads::pool;
use std::cell::{Cell, RefCell};
use wasm_bindgen::prelude::*;

thread_local! {
    static HELPS: Cell<bool> = const { Cell::new(false) };
    /// The message of a helper thread's panic.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Counts this worker among the engine's threads; `help` must follow.
#[wasm_bindgen]
pub fn join() {
    HELPS.set(true);
    pool().join();
}

/// Computes with the engine's worker for ever. Only a trap ends it: `leave` must follow.
#[wasm_bindgen]
pub fn help() {
    pool().help()
}

/// After a trap, which ran nothing more of what this worker was at: the engine must not wait for it. `trap` tells what it
/// was where it was no panic.
#[wasm_bindgen]
pub fn leave(trap: String) {
    let panic = PANIC.take();
    pool().leave(if panic.is_empty() { trap } else { panic });
}

/// The console hears of panics of the engine's own worker, `leave` of a helper's.
pub fn set_panic_hook() {
    std::panic::set_hook(Box::new(|panic| match HELPS.get() {
        true => PANIC.set(panic.to_string()),
        false => console_error_panic_hook::hook(panic),
    }));
}
