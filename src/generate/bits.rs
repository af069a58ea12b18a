//! A set of ids, a bit each: bit `id % 32` of word `id / 32`, as the device reads masks.

/// Ids below a fixed number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitSet {
    words: Vec<u32>,
    len: usize,
}

impl BitSet {
    /// All ids below `len`.
    pub fn full(len: usize) -> Self {
        let mut set = BitSet { words: vec![0; len.div_ceil(32)], len };
        set.fill();
        set
    }

    /// The number that all ids are below.
    pub fn capacity(&self) -> usize {
        self.len
    }

    /// Inserts every id.
    pub fn fill(&mut self) {
        self.words.fill(!0);
        if let Some(last) = self.words.last_mut()
            && !self.len.is_multiple_of(32)
        {
            *last = (1 << (self.len % 32)) - 1;
        }
    }

    /// Removes every id.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Inserts an id. Panics if it is not below the capacity.
    pub fn insert(&mut self, id: u32) {
        assert!((id as usize) < self.len, "the id {id} of {}", self.len);
        self.words[id as usize / 32] |= 1 << (id % 32);
    }

    /// Removes an id; ids past the capacity are ignored.
    pub fn remove(&mut self, id: u32) {
        if let Some(word) = self.words.get_mut(id as usize / 32) {
            *word &= !(1 << (id % 32));
        }
    }

    /// Whether the id is in the set.
    pub fn contains(&self, id: u32) -> bool {
        self.words.get(id as usize / 32).is_some_and(|word| word & (1 << (id % 32)) != 0)
    }

    /// Whether no id is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether every id is in the set.
    pub fn is_full(&self) -> bool {
        self.count() == self.len
    }

    /// How many ids are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The bits, ⌈capacity / 32⌉ words.
    pub fn words(&self) -> &[u32] {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_and_out() {
        for len in [0, 1, 31, 32, 33, 70] {
            let mut set = BitSet::full(len);
            assert_eq!((set.capacity(), set.count(), set.is_full(), set.is_empty()), (len, len, true, len == 0));
            assert!(!set.contains(len as u32));
            set.remove(1000);
            for id in 0..len as u32 {
                set.remove(id);
                assert!(!set.contains(id) && set.count() == len - 1);
                set.insert(id);
            }
            assert!(set.is_full());
            set.clear();
            assert!(set.is_empty());
        }
        let mut set = BitSet::full(40);
        set.clear();
        set.insert(3);
        set.insert(32);
        assert_eq!(set.words(), [8, 1]);
    }
}
