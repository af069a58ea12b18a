//! Threads that wait awake: a decoded token is a hundred pieces of work of a few ten microseconds each, and to put
//! threads to sleep and wake them for each costs as much as the work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};

/// How often an idle thread looks for work before it sleeps: some ten microseconds.
const LOOKS: usize = 4096;

/// A job: called with the number of each of its parts.
type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// What caller and helpers share.
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
    /// A part has panicked.
    broken: AtomicBool,
    asleep: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Job(*const Work<'static>);

// SAFETY: the work is `Sync`, and `Pool::run` keeps it alive while anybody is inside.
unsafe impl Send for Job {}

/// Helper threads and the thread that calls.
pub struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<Thread>,
    /// One job at a time; who finds it taken works alone.
    taken: Mutex<()>,
}

/// The pool of this process: a thread for every processor, or as many as `CRESSET_THREADS` says.
pub fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let told = std::env::var("CRESSET_THREADS").ok().and_then(|n| n.parse().ok()).filter(|n| (1..=256).contains(n));
        Pool::new(told.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)))
    })
}

impl Pool {
    /// Of so many threads, the caller's counted.
    fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared {
            epoch: AtomicUsize::new(0),
            job: Mutex::new(None),
            next: AtomicUsize::new(0),
            parts: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            asleep: AtomicUsize::new(0),
        });
        let helper = |i: usize| {
            let shared = shared.clone();
            let builder = thread::Builder::new().name(format!("cresset-{i}"));
            Some(builder.spawn(move || shared.help()).ok()?.thread().clone())
        };
        // Where the system gives no more threads, those that are there do.
        let helpers = (1..threads).map_while(helper).collect();
        Pool { shared, helpers, taken: Mutex::new(()) }
    }

    pub fn threads(&self) -> usize {
        1 + self.helpers.len()
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
            self.helpers.iter().for_each(Thread::unpark);
        }
        let closing = Closing(shared);
        shared.take_parts(work);
        drop(closing);
        assert!(!shared.broken.load(SeqCst), "a thread has panicked");
    }
}

/// Closes the job, also when the caller's own part panics.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Shared {
    fn open(&self, job: Job, parts: usize) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        self.next.store(0, SeqCst);
        self.parts.store(parts, SeqCst);
        self.broken.store(false, SeqCst);
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

    /// A helper's life.
    fn help(&self) {
        let mut seen = 0;
        loop {
            let epoch = self.wait_past(seen);
            self.inside.fetch_add(1, SeqCst);
            // Only now is it sure that the job stays open until this thread is out again.
            if self.epoch.load(SeqCst) == epoch {
                let job = *self.job.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(Job(work)) = job {
                    // SAFETY: the job is open, and its caller waits for this thread.
                    let work = unsafe { &*work };
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.take_parts(work))).is_err() {
                        self.broken.store(true, SeqCst);
                    }
                }
            }
            self.inside.fetch_sub(1, SeqCst);
            seen = epoch;
        }
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
                        })
                    })
                });
            }
        });
        assert_eq!(sum.load(SeqCst), 4 * 500 * 3);
        // A job within a job.
        pool.run(2, &|_| {
            pool.run(2, &|_| {
                sum.fetch_add(1, SeqCst);
            })
        });
        assert_eq!(sum.load(SeqCst), 6000 + 4);
    }

    #[test]
    fn a_panic_comes_back_and_the_pool_goes_on() {
        let pool = Pool::new(2);
        for part_that_panics in 0..8 {
            let run = || pool.run(8, &|part| assert!(part != part_that_panics, "on purpose"));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        }
        let done = AtomicUsize::new(0);
        pool.run(8, &|_| {
            done.fetch_add(1, SeqCst);
        });
        assert_eq!(done.load(SeqCst), 8);
    }
}
