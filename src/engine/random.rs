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

/// The id of a tool call: `call_` as in OpenAI's, and the nine letters and digits that some models' templates insist on.
pub fn call_id() -> String {
    let mut seed = seed();
    let digit = |_| {
        let digit = char::from_digit((seed % 36) as u32, 36).expect("a digit of base 36");
        seed /= 36;
        digit
    };
    format!("call_{}", (0..9).map(digit).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_calls_are_each_their_own() {
        let ids: HashSet<String> = (0..1000).map(|_| call_id()).collect();
        assert_eq!(ids.len(), 1000);
        let is_ours = |id: &String| {
            id.strip_prefix("call_")
                .is_some_and(|rest| rest.len() == 9 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        assert!(ids.iter().all(is_ours));
    }
}
