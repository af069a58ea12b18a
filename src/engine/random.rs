//! Random seeds and ids.

use web_time::SystemTime;

/// A random seed.
pub fn seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // Without a source of randomness the clock must do.
        Err(_) => SystemTime::UNIX_EPOCH.elapsed().map(|d| d.as_nanos() as u64).unwrap_or(0),
    }
}

/// The id of a tool call: nine letters and digits, which some models' templates insist on.
pub fn call_id() -> String {
    let mut seed = seed();
    let digit = |_| {
        let digit = char::from_digit((seed % 36) as u32, 36).expect("a digit of base 36");
        seed /= 36;
        digit
    };
    (0..9).map(digit).collect()
}
