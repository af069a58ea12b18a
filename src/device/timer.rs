//! How long a plan takes, and into how many submits it is cut for that. A system ends the device whose submit takes seconds
//! (Windows after two), and until then nothing else is drawn.

use std::cell::Cell;

/// Target seconds of a submit.
pub const TARGET: f64 = 0.1;
/// Upper limit in seconds that no submit may exceed, as far as can be foreseen.
pub const LIMIT: f64 = 0.5;
/// Before a plan was timed, a submit has so many dispatches, about a layer's, …
const UNTIMED_DISPATCHES: usize = 8;
/// … of so many rows; fewer dispatches of more rows.
const UNTIMED_ROWS: usize = 256;

/// The last two times of a plan, in seconds. Other work on the machine makes single ones long.
#[derive(Default)]
pub struct Timer(Cell<[Option<f64>; 2]>);

impl Timer {
    pub fn add(&self, seconds: f64) {
        self.0.set([self.0.get()[1], Some(seconds)]);
    }

    /// Seconds that the plan takes, once it was run.
    pub fn seconds(&self) -> Option<f64> {
        self.0.get().into_iter().flatten().reduce(f64::min)
    }

    /// Into how many submits a plan of so many dispatches for so many rows is cut.
    pub fn submits(&self, dispatches: usize, rows: usize) -> usize {
        let wanted = match self.seconds() {
            Some(seconds) => (seconds / TARGET).ceil() as usize,
            None => dispatches.div_ceil((UNTIMED_DISPATCHES * UNTIMED_ROWS / rows.max(UNTIMED_ROWS)).max(1)),
        };
        wanted.clamp(1, dispatches.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_cut_by_the_time_it_takes() {
        let timer = Timer::default();
        assert_eq!((timer.seconds(), timer.submits(33, 1), timer.submits(0, 1)), (None, 5, 1));
        assert_eq!([256, 512, 8192].map(|rows| timer.submits(33, rows)), [5, 9, 33]);
        timer.add(0.95);
        assert_eq!((timer.submits(100, 64), timer.submits(4, 64)), (10, 4));
        timer.add(0.02); // it was something else that took so long
        assert_eq!((timer.seconds(), timer.submits(100, 64)), (Some(0.02), 1));
        timer.add(1.0);
        assert_eq!(timer.submits(100, 64), 1);
        timer.add(1.2);
        assert_eq!((timer.seconds(), timer.submits(100, 64)), (Some(1.0), 10));
    }
}
