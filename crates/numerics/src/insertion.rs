//! Short lists in order. The library's sort takes 5 kB of the engine for each list that it sorts; this takes a hundred bytes.

/// Sorts a few items, stably, by insertion: time grows with the square of their number.
pub fn insertion_sort<T>(items: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && is_less(&items[at], &items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_librarys_sort() {
        for n in [0, 1, 2, 3, 50] {
            // Many are equal; the second number tells whether they keep their order.
            let items: Vec<(u32, u32)> = (0..n).map(|i| (i * 7919 % 11, i)).collect();
            let (mut got, mut want) = (items.clone(), items);
            insertion_sort(&mut got, |a, b| a.0 < b.0);
            want.sort_by_key(|item| item.0);
            assert_eq!(got, want);
        }
    }
}
