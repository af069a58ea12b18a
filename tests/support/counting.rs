//! The bytes that a thread holds, and the most it has held, which tests hold parsers of strangers' files to; and memory that runs out.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting the bytes each thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Counting {
    fn count(bytes: isize) {
        let held = HELD.get() + bytes;
        HELD.set(held);
        PEAK.set(PEAK.get().max(held));
    }
}

// SAFETY: every call is passed on to the system's allocator as it came, or refused; the counters are plain cells of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST.get() {
            return std::ptr::null_mut();
        }
        Self::count(layout.size() as isize);
        // SAFETY: as this function's: the layout is the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        Self::count(-(layout.size() as isize));
        // SAFETY: as this function's: the block is one that `alloc` or `realloc` gave, so the system's allocator did.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // For a moment both blocks may be held.
        Self::count(size as isize);
        Self::count(-(layout.size() as isize));
        // SAFETY: as for `dealloc`; the new size is the caller's.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `task` gives, and the most bytes that this thread held meanwhile beyond those it held before.
pub fn peak<T>(task: impl FnOnce() -> T) -> (T, isize) {
    let before = HELD.get();
    let outer = PEAK.replace(before);
    let result = task();
    let most = PEAK.get();
    PEAK.set(outer.max(most));
    (result, most - before)
}

/// Runs `task` while the allocator refuses this thread every block of more than `bytes`. An allocation that is not fallible ends the
/// process then.
pub fn refusing<T>(bytes: usize, task: impl FnOnce() -> T) -> T {
    LARGEST.set(bytes);
    let result = task();
    LARGEST.set(usize::MAX);
    result
}
