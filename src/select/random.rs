//! A linear congruential generator, for weights and prompts that mean nothing but must be the same each time.

/// Numbers from a seed, by the constants of Knuth and H. W. Lewis (Numerical Recipes, section 7.1).
pub struct Random(pub u32);

impl Random {
    /// The next number, below 2²⁴: the lowest bits repeat too soon.
    pub fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 8
    }
}
