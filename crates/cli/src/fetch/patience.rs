//! Trying again after failures that may pass: breaks, time-outs, servers that are busy.

use super::failure::Failure;
use cresset::error::Result;
use std::thread::sleep;
use std::time::Duration;

/// Pauses before another try, in milliseconds. Progress starts the list again.
const WAITS: [u64; 6] = [500, 1000, 2000, 4000, 8000, 15_000];
/// Tries that a server gets which never answered: a wrong address is likelier than a short break.
const FIRST_WAITS: usize = 2;
/// The longest that a server is waited for because it said so.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// Tries again as long as failures may pass. The attempt says when something arrived.
pub fn patiently(mut attempt: impl FnMut(&mut bool) -> Result<(), Failure>) -> Result<()> {
    let (mut failures, mut waits) = (0, FIRST_WAITS);
    loop {
        let mut arrived = false;
        let Err(failure) = attempt(&mut arrived) else { return Ok(()) };
        if arrived {
            (failures, waits) = (0, WAITS.len());
        }
        let asked = failure.retry_after.unwrap_or_default();
        if !failure.transient || failures >= waits || asked > RETRY_AFTER {
            return Err(failure.error);
        }
        sleep(asked.max(Duration::from_millis(WAITS[failures])));
        failures += 1;
    }
}
