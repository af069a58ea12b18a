//! Fuzzing without a tool: numbered cases, each made of random numbers that its number seeds, under limits of time and memory.
//! `CRESSET_FUZZ_CASES` says how many for each target, `CRESSET_FUZZ_CASE` runs one alone.

use crate::counting::peak;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Far more than a case takes on a busy machine, far less than a hang.
const TIME: Duration = Duration::from_secs(10);
/// Bytes that a case may take.
const MEMORY: isize = 256 << 20;

/// Runs `case` so often, or as the environment says.
pub fn cases(usual: u64, case: impl Fn(&mut Random)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let numbers = match number("CRESSET_FUZZ_CASE") {
        Some(case) => case..case + 1,
        None => 0..number("CRESSET_FUZZ_CASES").unwrap_or(usual),
    };
    for number in numbers {
        let start = Instant::now();
        let run = || catch_unwind(AssertUnwindSafe(|| case(&mut Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))));
        let (result, taken) = peak(run);
        let took = start.elapsed();
        assert!(result.is_ok(), "case {number} failed; CRESSET_FUZZ_CASE={number} runs it alone");
        assert!(took < TIME, "case {number} took {took:?}");
        assert!(taken < MEMORY, "case {number} took {taken} bytes");
    }
}

/// SplitMix64 (Steele et al., 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Below `n`, which is not zero.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Below `n`, each order of magnitude as likely as the next: headers are at the front.
    pub fn near_front(&mut self, n: usize) -> usize {
        let magnitude = self.below(n.ilog2() as usize + 1);
        self.below(n.min(2 << magnitude))
    }

    /// A number that parsers stumble over.
    fn odd(&mut self, file_bytes: usize) -> u64 {
        let n = file_bytes as u64;
        let odd = [0, 1, 2, 7, 255, 1 << 16, 1 << 24, 1 << 31, 1 << 32, 1 << 40, 1 << 60, 1 << 63, u64::MAX, n];
        self.pick(&odd).wrapping_add(self.next() % 3).wrapping_sub(1)
    }

    /// Changes a file in one to four ways; `donor` is spliced from.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, donor: &[u8]) {
        for _ in 0..1 + self.below(4) {
            if bytes.is_empty() {
                return;
            }
            let at = self.near_front(bytes.len());
            let len = (1 + self.near_front(256)).min(bytes.len() - at);
            match self.below(9) {
                0 | 1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes[at] = self.next() as u8,
                3 => bytes.truncate(at),
                4 | 5 => {
                    let width = [4, 8][self.below(2)].min(bytes.len() - at);
                    let number = self.odd(bytes.len()).to_le_bytes();
                    bytes[at..at + width].copy_from_slice(&number[..width]);
                }
                6 => drop(bytes.drain(at..at + len)),
                7 => {
                    let from = self.near_front(donor.len());
                    let piece = donor[from..(from + len).min(donor.len())].to_vec();
                    bytes.splice(at..(at + piece.len() * self.below(2)).min(bytes.len()), piece);
                }
                _ => self.replace_digits(bytes, at),
            }
        }
    }

    /// Puts another number in the place of the first decimal digits after `at`: the lengths and offsets of JSON.
    fn replace_digits(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(start) = bytes[at..].iter().take(1024).position(u8::is_ascii_digit).map(|i| at + i) else { return };
        let len = bytes[start..].iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len() - start);
        let number = self.odd(bytes.len()).to_string();
        bytes.splice(start..start + len, number.into_bytes());
    }
}
