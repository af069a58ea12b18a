//! Lists in order. The library's sort takes pages 5 kB of engine for each kind of list and order; here all share one.

use std::cmp::Ordering;

/// Sorts items, stably.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let mut order: Vec<usize> = (0..items.len()).collect();
    sort_numbers(&mut order, &|a, b| compare(&items[a], &items[b]));
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|i| taken[i].take()));
}

#[inline(never)]
fn sort_numbers(numbers: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    numbers.sort_by(|a, b| compare(*a, *b));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_librarys_sort() {
        for n in [0, 1, 2, 3, 50, 1000] {
            // Many are equal; the second number tells whether they keep their order.
            let items: Vec<(u32, u32)> = (0..n).map(|i| (i * 7919 % 11, i)).collect();
            let (mut got, mut want) = (items.clone(), items);
            sort_by(&mut got, |a, b| a.0.cmp(&b.0));
            want.sort_by_key(|item| item.0);
            assert_eq!(got, want);
        }
    }
}
