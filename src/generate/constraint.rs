//! Which ids may come next: a mask over the vocabulary for each token, which the sampling kernels read.

use super::bits::BitSet;
use std::fmt::Debug;

/// A rule for a sequence's next ids, such as a grammar or a minimum length.
pub trait Constraint: Debug {
    /// Removes from `allowed` the ids that may not follow those accepted so far, and inserts none: a sequence may have several
    /// constraints. If no id is left, the sequence ends.
    fn mask(&self, allowed: &mut BitSet);

    /// The sequence continues with `id`. A constraint that does not look back (see [`Self::looks_back`]) is called when a draw
    /// is submitted, before its id is known; `id` is then [`UNKNOWN_ID`].
    fn accept(&mut self, id: u32);

    /// Undoes the last `n` calls of [`Self::accept`].
    fn rollback(&mut self, n: usize);

    /// Whether the mask depends on which ids were accepted, and not only on how many. If so, each token is read back before
    /// the next one is drawn.
    fn looks_back(&self) -> bool {
        true
    }

    /// A copy with the same state.
    fn boxed(&self) -> Box<dyn Constraint>;
}

/// Stands for an id that has not been read back yet.
pub const UNKNOWN_ID: u32 = u32::MAX;

impl Clone for Box<dyn Constraint> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}

/// Forbids the ids that end a text until it has a number of tokens.
#[derive(Debug, Clone)]
pub struct MinTokens {
    least: usize,
    accepted: usize,
    stop_ids: Vec<u32>,
}

impl MinTokens {
    /// Forbids `stop_ids` for the first `least` tokens.
    pub fn new(least: usize, stop_ids: Vec<u32>) -> Self {
        MinTokens { least, accepted: 0, stop_ids }
    }
}

impl Constraint for MinTokens {
    fn mask(&self, allowed: &mut BitSet) {
        if self.accepted < self.least {
            self.stop_ids.iter().for_each(|id| allowed.remove(*id));
        }
    }

    fn accept(&mut self, _id: u32) {
        self.accepted += 1;
    }

    fn rollback(&mut self, n: usize) {
        self.accepted -= n;
    }

    fn looks_back(&self) -> bool {
        false
    }

    fn boxed(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}

/// Forbids ids throughout.
#[derive(Debug, Clone)]
pub struct Never(pub Vec<u32>);

impl Constraint for Never {
    fn mask(&self, allowed: &mut BitSet) {
        self.0.iter().for_each(|id| allowed.remove(*id));
    }

    fn accept(&mut self, _id: u32) {}

    fn rollback(&mut self, _n: usize) {}

    fn looks_back(&self) -> bool {
        false
    }

    fn boxed(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(constraint: &dyn Constraint, vocabulary: usize) -> Vec<u32> {
        let mut allowed = BitSet::full(vocabulary);
        constraint.mask(&mut allowed);
        (0..vocabulary as u32).filter(|id| !allowed.contains(*id)).collect()
    }

    #[test]
    fn stop_ids_are_forbidden_at_first() {
        let mut least = MinTokens::new(2, vec![3, 5, 99]); // a tokenizer may name ids past the model's table
        assert_eq!(masked(&least, 8), [3, 5]);
        least.accept(UNKNOWN_ID);
        assert_eq!(masked(&least, 8), [3, 5]);
        let copy = least.boxed();
        least.accept(1);
        assert_eq!(masked(&least, 8), [0u32; 0]);
        least.rollback(2);
        assert_eq!(masked(&least, 8), [3, 5]);
        least.accept(1);
        least.accept(2);
        assert_eq!((masked(&least, 8), masked(&*copy, 8)), (vec![], vec![3, 5]));
    }

    #[test]
    fn masks_of_several_add_up() {
        let both = [MinTokens::new(1, vec![1]), MinTokens::new(1, vec![2])];
        let mut allowed = BitSet::full(4);
        both.iter().for_each(|constraint| constraint.mask(&mut allowed));
        assert_eq!(allowed.words(), [0b1001]);
    }
}
