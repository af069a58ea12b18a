//! Threads that wait awake: a decoded token is a hundred pieces of work of a few ten microseconds each, and to put
//! threads to sleep and wake them for each costs as much as the work.
//!
//! Natively the pool starts its helpers. In a browser they are workers that JavaScript starts and that join (`web/threads.rs`);
//! a trap there ends the worker and runs nothing more of it, so JavaScript says afterwards that it has left.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};

/// How often an idle thread looks for work before it sleeps: some hundred microseconds. WebAssembly has no instruction for
/// waiting between two looks, and to wake a worker takes longer.
const LOOKS: usize = if cfg!(target_arch = "wasm32") { 1 << 17 } else { 1 << 12 };

/// A job: called with the number of each of its parts.
type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// The state that caller and helpers share.
#[derive(Default)]
struct Shared {
    /// Odd while a job is open; goes up by one when it opens and when it closes.
    epoch: AtomicUsize,
    /// The open job. Valid for those who are `inside`.
    job: Mutex<Option<Job>>,
    /// The next part that nobody has taken, and how many there are.
    next: AtomicUsize,
    parts: AtomicUsize,
    /// Helpers that may be looking at the job.
    inside: AtomicUsize,
    /// Why a helper's part of the job has not been done.
    broken: Mutex<Option<String>>,
    asleep: AtomicUsize,
    helpers: Mutex<Vec<Thread>>,
    /// How many they are.
    joined: AtomicUsize,
}

thread_local! {
    /// Whether this thread is one of those that `Shared::inside` counts.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Copy)]
struct Job(*const Work<'static>);

// SAFETY: the work is `Sync`, and `Pool::run` keeps it alive while anybody is inside.
unsafe impl Send for Job {}

/// Helper threads and the thread that calls.
#[derive(Default)]
pub struct Pool {
    shared: Arc<Shared>,
    /// One job at a time; who finds it taken works alone.
    taken: Mutex<()>,
}

/// The pool of this process: a thread for every processor, or as many as `CRESSET_THREADS` says.
#[cfg(not(target_arch = "wasm32"))]
pub fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let told = std::env::var("CRESSET_THREADS").ok().and_then(|n| n.parse().ok()).filter(|n| (1..=256).contains(n));
        Pool::new(told.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)))
    })
}

/// The pool of this module: its caller, and whoever joins.
#[cfg(target_arch = "wasm32")]
pub fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(Pool::default)
}

impl Pool {
    /// A pool of `threads`, the caller's among them.
    #[cfg(not(target_arch = "wasm32"))]
    fn new(threads: usize) -> Pool {
        let pool = Pool::default();
        for i in 1..threads {
            let shared = pool.shared.clone();
            let builder = thread::Builder::new().name(format!("cresset-{i}"));
            // Where the system gives no more threads, those that are there do.
            let Ok(helper) = builder.spawn(move || shared.help()) else { break };
            pool.shared.register(helper.thread().clone());
        }
        pool
    }

    /// Threads that a job runs on: the helpers that have joined, and the caller's.
    pub fn threads(&self) -> usize {
        1 + self.shared.joined.load(SeqCst)
    }

    /// Counts this thread among the helpers, from the next job on; it must `help` then.
    pub fn join(&self) {
        self.shared.register(thread::current());
    }

    /// A helper's life.
    pub fn help(&self) -> ! {
        self.shared.help()
    }

    /// A helper's end, on its thread, wherever it has come to. The job that it was at fails for this reason.
    pub fn leave(&self, reason: String) {
        self.shared.leave(reason);
    }

    /// Calls `work` with every number below `parts`, on all threads; returns when all are done. Panics if one has.
    pub fn run(&self, parts: usize, work: &Work) {
        let Ok(_taken) = self.taken.try_lock() else {
            return (0..parts).for_each(work);
        };
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. Nobody looks at the job once `close` has returned, which is before this
        // function does, whether `work` panics or not.
        let job = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        shared.open(Job(job), parts);
        if shared.asleep.load(SeqCst) > 0 {
            locked(&shared.helpers).iter().for_each(Thread::unpark);
        }
        let closing = Closing(shared);
        shared.take_parts(work);
        drop(closing);
        let broken = locked(&shared.broken).take();
        if let Some(reason) = broken {
            panic!("a thread has stopped: {reason}");
        }
    }
}

/// Closes the job, also when the caller's own part panics.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The mutex's guard, after a panic too: each value is whole at any time.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn register(&self, helper: Thread) {
        let mut helpers = locked(&self.helpers);
        helpers.push(helper);
        self.joined.store(helpers.len(), SeqCst);
    }

    fn leave(&self, reason: String) {
        let this = thread::current().id();
        let mut helpers = locked(&self.helpers);
        helpers.retain(|helper| helper.id() != this);
        self.joined.store(helpers.len(), SeqCst);
        drop(helpers);
        if INSIDE.get() {
            *locked(&self.broken) = Some(reason);
            self.exit();
        }
    }

    fn open(&self, job: Job, parts: usize) {
        *locked(&self.job) = Some(job);
        self.next.store(0, SeqCst);
        self.parts.store(parts, SeqCst);
        *locked(&self.broken) = None;
        self.epoch.fetch_add(1, SeqCst);
    }

    /// Waits for those who are inside; who comes later finds the epoch even.
    fn close(&self) {
        self.next.fetch_add(usize::MAX / 2, SeqCst); // after a panic: no more parts
        self.epoch.fetch_add(1, SeqCst);
        while self.inside.load(SeqCst) > 0 {
            std::hint::spin_loop();
        }
    }

    fn take_parts(&self, work: &Work) {
        let parts = self.parts.load(SeqCst);
        loop {
            let part = self.next.fetch_add(1, SeqCst);
            if part >= parts {
                return;
            }
            work(part);
        }
    }

    fn help(&self) -> ! {
        let mut seen = 0;
        loop {
            let epoch = self.wait_past(seen);
            self.enter();
            // Only now is it sure that the job stays open until this thread is out again.
            if self.epoch.load(SeqCst) == epoch {
                let job = *locked(&self.job);
                if let Some(Job(work)) = job {
                    // SAFETY: the job is open, and its caller waits for this thread.
                    let work = unsafe { &*work };
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.take_parts(work))) {
                        let text = panic.downcast_ref::<String>().map(String::as_str);
                        let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("a panic");
                        *locked(&self.broken) = Some(text.to_string());
                    }
                }
            }
            self.exit();
            seen = epoch;
        }
    }

    fn enter(&self) {
        INSIDE.set(true);
        self.inside.fetch_add(1, SeqCst);
    }

    fn exit(&self) {
        INSIDE.set(false);
        self.inside.fetch_sub(1, SeqCst);
    }

    /// The epoch of an open job that is not `seen`.
    fn wait_past(&self, seen: usize) -> usize {
        let open = || Some(self.epoch.load(SeqCst)).filter(|&epoch| epoch % 2 == 1 && epoch != seen);
        loop {
            for _ in 0..LOOKS {
                if let Some(epoch) = open() {
                    return epoch;
                }
                std::hint::spin_loop();
            }
            self.asleep.fetch_add(1, SeqCst);
            // Whoever opens a job from here on sees that somebody sleeps.
            if open().is_none() {
                thread::park();
            }
            self.asleep.fetch_sub(1, SeqCst);
        }
    }
}

/// How many of `items` a thread takes at a time, if fewer than `least` are not worth it.
fn items_a_part(items: usize, least: usize) -> usize {
    match pool().threads() {
        1 => items.max(1),
        // More parts than threads: one that is kept waiting holds the others up less.
        threads => items.div_ceil(4 * threads).max(least),
    }
}

/// Calls `work(first, items)` on consecutive parts of `data`, whose items are `size` numbers each, on all threads. Gives
/// the items of a part: another call may find more threads.
pub fn in_parallel(data: &mut [f32], size: usize, least: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> usize {
    let items = data.len() / size;
    let part = items_a_part(items, least);
    if part >= items {
        work(0, data);
        return part;
    }
    // Every part is taken once, by one thread: the locks only say so to the compiler.
    let parts: Vec<_> = data.chunks_mut(part * size).map(Mutex::new).collect();
    pool().run(parts.len(), &|i| {
        if let Ok(mut data) = parts[i].try_lock() {
            work(i * part, &mut data);
        }
    });
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for parts in (0..2000).map(|i| i % 17) {
                let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                pool.run(parts, &|part| {
                    done[part].fetch_add(1, SeqCst);
                });
                assert!(done.iter().all(|n| n.load(SeqCst) == 1), "{threads} threads, {parts} parts");
            }
        }
    }

    #[test]
    fn threads_that_sleep_are_woken() {
        let pool = Pool::new(3);
        for _ in 0..3 {
            while pool.shared.asleep.load(SeqCst) < 2 {
                thread::yield_now();
            }
            // Two parts that wait for each other: one thread alone would never end.
            let met = AtomicUsize::new(0);
            pool.run(2, &|_| {
                met.fetch_add(1, SeqCst);
                while met.load(SeqCst) < 2 {
                    thread::yield_now();
                }
            });
        }
    }

    #[test]
    fn callers_do_not_wait_for_each_other() {
        let pool = Pool::new(2);
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..500).for_each(|_| {
                        pool.run(3, &|part| {
                            sum.fetch_add(part, SeqCst);
                        });
                    });
                });
            }
        });
        assert_eq!(sum.load(SeqCst), 4 * 500 * 3);
        // A job within a job.
        pool.run(2, &|_| {
            pool.run(2, &|_| {
                sum.fetch_add(1, SeqCst);
            });
        });
        assert_eq!(sum.load(SeqCst), 6000 + 4);
    }

    #[test]
    fn a_panic_comes_back_and_the_pool_goes_on() {
        let pool = Pool::new(2);
        for part_that_panics in 0..8 {
            let run = || pool.run(8, &|part| assert!(part != part_that_panics, "on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        }
        let done = AtomicUsize::new(0);
        pool.run(8, &|_| {
            done.fetch_add(1, SeqCst);
        });
        assert_eq!(done.load(SeqCst), 8);
    }

    #[test]
    fn threads_join_while_the_pool_is_at_work() {
        let pool: &Pool = Box::leak(Box::default());
        assert_eq!(pool.threads(), 1);
        let mut most = 0;
        while most < 3 {
            if pool.threads() == most + 1 {
                thread::spawn(|| {
                    pool.join();
                    pool.help()
                });
                most += 1;
            }
            let done: Vec<AtomicUsize> = (0..13).map(|_| AtomicUsize::new(0)).collect();
            pool.run(13, &|part| {
                done[part].fetch_add(1, SeqCst);
            });
            assert!(done.iter().all(|n| n.load(SeqCst) == 1));
        }
        while pool.threads() < 4 {
            thread::yield_now();
        }
        // Four parts that wait for each other: whoever is counted helps.
        let met = AtomicUsize::new(0);
        pool.run(4, &|_| {
            met.fetch_add(1, SeqCst);
            while met.load(SeqCst) < 4 {
                thread::yield_now();
            }
        });
    }

    #[test]
    fn a_helper_that_leaves_within_a_job_ends_it() {
        let pool: &Pool = Box::leak(Box::default());
        let helper = thread::spawn(|| {
            pool.join();
            pool.shared.wait_past(0);
            pool.shared.enter();
            // As in a browser, where nothing is caught: what it has taken stays undone.
            pool.shared.next.fetch_add(1, SeqCst);
            pool.leave("memory access out of bounds".into());
        });
        while pool.threads() < 2 {
            thread::yield_now();
        }
        let run = || {
            pool.run(2, &|_| {
                while pool.shared.inside.load(SeqCst) == 0 && pool.threads() == 2 {
                    thread::yield_now();
                }
            });
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("a part is missing");
        assert!(panic.downcast_ref::<String>().expect("a text").contains("memory access out of bounds"));
        helper.join().expect("it has only left");
        assert_eq!(pool.threads(), 1);
        // One that leaves between jobs harms none.
        thread::spawn(|| {
            pool.join();
            pool.leave("unreachable".into());
        })
        .join()
        .expect("it has only left");
        let done = AtomicUsize::new(0);
        pool.run(5, &|_| {
            done.fetch_add(1, SeqCst);
        });
        assert_eq!(done.load(SeqCst), 5);
    }
}
