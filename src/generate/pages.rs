//! The pages of the KV cache: reference counts, and which pages hold the beginning of a prompt (prefix caching, as in vLLM,
//! Kwon et al. 2023, <https://arxiv.org/abs/2309.06180>).
//!
//! Sequences that begin alike share the full pages of their common prefix. An ended sequence keeps its pages until others need
//! them; a sequence that continues its text takes over its last page even if that is only partly filled. Pages are never
//! copied.

use super::adapters::AdapterId;

/// Everything that a position's keys and values are computed from, besides the positions before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// A token id.
    Token(u32),
    /// The hash of a picture or a sound that placeholder ids stand for.
    Media(u64),
}

/// The pages of a sequence, to be returned with [`Pages::release`].
#[derive(Debug)]
#[must_use]
pub struct Lease {
    id: u64,
    /// Page numbers in the order of positions.
    pub pages: Vec<u32>,
    /// Leading positions whose keys and values are there already.
    pub reused: usize,
}

/// Consecutive pages of one sequence and their contents.
struct Chain {
    /// The lease of its sequence; `None` once that has ended.
    lease: Option<u64>,
    adapter: Option<AdapterId>,
    /// By position, for those that have been computed.
    contents: Vec<Content>,
    pages: Vec<u32>,
}

/// All pages of a KV cache.
pub struct Pages {
    /// Positions per page.
    page: usize,
    /// The most chains of ended sequences that are kept.
    most_kept: usize,
    /// By page: how many chains it belongs to.
    references: Vec<u32>,
    /// Least recently used first.
    chains: Vec<Chain>,
    next: u64,
}

impl Pages {
    /// `pages` free pages of `page` positions each. The last `most_kept` ended sequences keep theirs while nobody needs them.
    pub fn new(pages: usize, page: usize, most_kept: usize) -> Self {
        Pages { page, most_kept, references: vec![0; pages], chains: Vec::new(), next: 0 }
    }

    /// Adds free pages, up to `pages` in all.
    pub fn grow(&mut self, pages: usize) {
        assert!(pages >= self.references.len(), "pages are never taken away");
        self.references.resize(pages, 0);
    }

    /// Pages that belong to no sequence, ended ones included.
    #[cfg(test)]
    fn free(&self) -> usize {
        self.references.iter().filter(|references| **references == 0).count()
    }

    /// Leading positions of `contents` that are in the cache, computed with `adapter`. The last position never counts: it is
    /// always computed, as its logits give the next token.
    pub fn reusable(&self, adapter: Option<AdapterId>, contents: &[Content]) -> usize {
        self.longest(adapter, contents).map_or(0, |(_, positions)| positions)
    }

    /// The chain with the longest usable prefix of `contents`, and the length of that prefix.
    fn longest(&self, adapter: Option<AdapterId>, contents: &[Content]) -> Option<(usize, usize)> {
        let usable = |chain: &Chain| {
            let alike = chain.contents.iter().zip(contents).take_while(|(a, b)| a == b).count();
            let alike = alike.min(contents.len().saturating_sub(1));
            let whole = alike / self.page;
            match alike.is_multiple_of(self.page) || self.may_take_over(chain, whole) {
                true => alike,
                false => whole * self.page,
            }
        };
        let chains = self.chains.iter().enumerate().filter(|(_, chain)| chain.adapter == adapter);
        // Among equals, the most recently used.
        chains.map(|(i, chain)| (i, usable(chain))).filter(|(_, n)| *n > 0).max_by_key(|(_, n)| *n)
    }

    /// Whether a page of the chain belongs to no other chain and its sequence has ended, so that another may write to it.
    fn may_take_over(&self, chain: &Chain, page: usize) -> bool {
        chain.lease.is_none() && self.references[chain.pages[page] as usize] == 1
    }

    /// Pages for `positions` positions of a sequence that begins with `contents`; with `reuse`, starting with the pages that
    /// hold a prefix of it. `None`: too few pages are free or held only by ended sequences.
    pub fn acquire(
        &mut self,
        adapter: Option<AdapterId>,
        contents: &[Content],
        positions: usize,
        reuse: bool,
    ) -> Option<Lease> {
        let wanted = positions.div_ceil(self.page);
        let found = self.longest(adapter, contents).filter(|_| reuse);
        let (chain, reused) = found.unzip();
        let reused = reused.unwrap_or(0);
        let held = reused.div_ceil(self.page);
        // Pages that are free, or would be if all ended sequences were dropped but for what is reused.
        let mut idle = vec![true; self.references.len()];
        let leased = self.chains.iter().filter(|chain| chain.lease.is_some());
        leased.flat_map(|chain| &chain.pages).for_each(|page| idle[*page as usize] = false);
        if let Some(chain) = chain {
            self.chains[chain].pages[..held].iter().for_each(|page| idle[*page as usize] = false);
        }
        if wanted.saturating_sub(held) > idle.iter().filter(|idle| **idle).count() {
            return None;
        }
        let mut pages = match chain {
            Some(chain) => self.take(chain, reused),
            None => Vec::new(),
        };
        while pages.len() < wanted {
            match self.references.iter().position(|references| *references == 0) {
                Some(page) => {
                    self.references[page] = 1;
                    pages.push(page as u32);
                }
                None => self.drop_oldest(),
            }
        }
        let id = self.next;
        self.next += 1;
        let contents = contents[..reused].to_vec();
        self.chains.push(Chain { lease: Some(id), adapter, contents, pages: pages.clone() });
        Some(Lease { id, pages, reused })
    }

    /// The pages of a chain's first `positions`, for another owner: full ones are shared, a partly filled last one is taken over.
    fn take(&mut self, chain: usize, positions: usize) -> Vec<u32> {
        let whole = positions / self.page;
        let mut chain = self.chains.remove(chain);
        let pages = chain.pages[..positions.div_ceil(self.page)].to_vec();
        pages[..whole].iter().for_each(|page| self.references[*page as usize] += 1);
        if pages.len() > whole {
            // The chain's later pages are useless without it.
            chain.pages.drain(pages.len()..).for_each(|page| self.references[page as usize] -= 1);
            chain.pages.truncate(whole);
            chain.contents.truncate(whole * self.page);
        }
        if !chain.pages.is_empty() {
            self.chains.push(chain); // it was just used
        }
        pages
    }

    fn drop_oldest(&mut self) {
        let oldest = self.chains.iter().position(|chain| chain.lease.is_none());
        self.drop_chain(oldest.expect("pages that no sequence holds"));
    }

    fn drop_chain(&mut self, chain: usize) {
        let chain = self.chains.remove(chain);
        chain.pages.iter().for_each(|page| self.references[*page as usize] -= 1);
    }

    /// Records the contents of all positions of a sequence that are computed by now, so that others can share its full pages.
    pub fn note(&mut self, lease: &Lease, contents: Vec<Content>) {
        let chain = self.chains.iter_mut().find(|chain| chain.lease == Some(lease.id)).expect("a lease of this cache");
        assert!(contents.len() <= chain.pages.len() * self.page, "more than there is room for");
        chain.contents = contents;
    }

    /// Returns the pages of a sequence that has ended, with the contents of the positions that were computed. Those pages are
    /// kept until others need them.
    pub fn release(&mut self, lease: Lease, contents: Vec<Content>) {
        self.note(&lease, contents);
        let at = self.chains.iter().position(|chain| chain.lease == Some(lease.id)).expect("a lease of this cache");
        let mut chain = self.chains.remove(at);
        chain.lease = None;
        let kept = chain.contents.len().div_ceil(self.page);
        chain.pages.drain(kept..).for_each(|page| self.references[page as usize] -= 1);
        self.chains.push(chain);
        self.drop_repeated();
        while self.chains.iter().filter(|chain| chain.lease.is_none()).count() > self.most_kept {
            self.drop_oldest();
        }
    }

    /// Drops the chains of ended sequences that are prefixes of the newest, or the newest if it is a prefix of another.
    fn drop_repeated(&mut self) {
        let newest = self.chains.len() - 1;
        let within = |a: &Chain, b: &Chain| a.adapter == b.adapter && b.contents.starts_with(&a.contents);
        let idle = |chain: &Chain| chain.lease.is_none();
        let last = &self.chains[newest];
        if last.contents.is_empty() || self.chains[..newest].iter().any(|other| idle(other) && within(last, other)) {
            return self.drop_chain(newest);
        }
        for i in (0..newest).rev() {
            if idle(&self.chains[i]) && within(&self.chains[i], &self.chains[self.chains.len() - 1]) {
                self.drop_chain(i);
            }
        }
    }

    /// Forgets all contents. Sequences that are being served keep their pages.
    pub fn forget(&mut self) {
        self.forget_if(|_| true);
    }

    /// Forgets the contents that were computed with an adapter.
    pub fn forget_adapter(&mut self, adapter: AdapterId) {
        self.forget_if(|chain| chain.adapter == Some(adapter));
    }

    fn forget_if(&mut self, condition: impl Fn(&Chain) -> bool) {
        for i in (0..self.chains.len()).rev() {
            if !condition(&self.chains[i]) {
                continue;
            }
            match self.chains[i].lease {
                Some(_) => self.chains[i].contents.clear(),
                None => self.drop_chain(i),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: impl IntoIterator<Item = u32>) -> Vec<Content> {
        ids.into_iter().map(Content::Token).collect()
    }

    /// Serves a sequence from beginning to end and returns how many positions it reused.
    fn serve(pages: &mut Pages, adapter: Option<AdapterId>, contents: &[Content]) -> usize {
        let lease = pages.acquire(adapter, contents, contents.len(), true).expect("room");
        let reused = lease.reused;
        assert_eq!(lease.pages.len(), contents.len().div_ceil(pages.page));
        pages.release(lease, contents.to_vec());
        check(pages);
        reused
    }

    /// Checks the reference counts against the chains.
    fn check(pages: &Pages) {
        let mut references = vec![0; pages.references.len()];
        pages.chains.iter().flat_map(|chain| &chain.pages).for_each(|page| references[*page as usize] += 1);
        assert_eq!(references, pages.references);
        for chain in &pages.chains {
            assert!(chain.contents.len() <= chain.pages.len() * pages.page);
        }
    }

    #[test]
    fn a_text_goes_on_where_it_ended() {
        let mut pages = Pages::new(8, 4, 1);
        assert_eq!(serve(&mut pages, None, &tokens(0..10)), 0);
        assert_eq!(pages.free(), 5);
        assert_eq!(serve(&mut pages, None, &tokens(0..10)), 9, "the last is computed anew");
        assert_eq!(serve(&mut pages, None, &tokens(0..15)), 10);
        // One that leaves it in the middle of a page takes that page over.
        assert_eq!(serve(&mut pages, None, &tokens((0..6).chain(50..53))), 6);
        assert_eq!(pages.reusable(None, &tokens(0..15)), 6);
        assert_eq!(serve(&mut pages, None, &tokens([9, 9])), 0);
        assert_eq!(pages.free(), 7, "one is kept");
        pages.forget();
        assert_eq!(pages.free(), 8);
    }

    #[test]
    fn more_pages_leave_the_others_as_they_are() {
        let mut pages = Pages::new(3, 4, 1);
        serve(&mut pages, None, &tokens(0..12));
        assert!(pages.acquire(None, &tokens(0..13), 13, true).is_none(), "there are three");
        pages.grow(5);
        assert_eq!(serve(&mut pages, None, &tokens(0..18)), 12);
        assert_eq!(pages.free(), 0);
    }

    #[test]
    fn same_ids_of_another_content_or_adapter_are_something_else() {
        let mut pages = Pages::new(8, 4, 8);
        let picture = |hash| [tokens(0..3), vec![Content::Media(hash); 4], tokens(7..9)].concat();
        assert_eq!(serve(&mut pages, None, &picture(1)), 0);
        assert_eq!(serve(&mut pages, None, &picture(1)), 8);
        assert_eq!(pages.reusable(None, &picture(2)), 3);
        assert_eq!(pages.reusable(None, &tokens(0..9)), 3);
        let adapters = [0, 1].map(AdapterId::of);
        assert_eq!(pages.reusable(Some(adapters[0]), &picture(1)), 0);
        assert_eq!(serve(&mut pages, Some(adapters[0]), &picture(1)), 0);
        assert_eq!(pages.reusable(Some(adapters[0]), &picture(1)), 8);
        assert_eq!(pages.reusable(Some(adapters[1]), &picture(1)), 0);
        pages.forget_adapter(adapters[0]);
        assert_eq!(pages.reusable(Some(adapters[0]), &picture(1)), 0);
        assert_eq!(pages.reusable(None, &picture(1)), 8);
        check(&pages);
    }

    #[test]
    fn sequences_share_whole_pages_while_both_are_there() {
        let mut pages = Pages::new(8, 4, 8);
        let first = pages.acquire(None, &tokens(0..10), 16, true).expect("room");
        assert_eq!((first.pages.len(), first.reused), (4, 0));
        assert_eq!(pages.reusable(None, &tokens(0..10)), 0, "nothing was computed yet");
        pages.note(&first, tokens(0..10));
        let second = pages.acquire(None, &tokens(0..12), 12, true).expect("room");
        assert_eq!((second.reused, &second.pages[..2]), (8, &first.pages[..2]), "the third page is being written");
        assert_ne!(second.pages[2], first.pages[2]);
        assert_eq!(pages.free(), 3);
        check(&pages);
        pages.release(first, tokens(0..13));
        assert_eq!(pages.free(), 3, "its four pages are kept, two of them with another");
        pages.release(second, tokens(0..12));
        assert_eq!(pages.free(), 4, "nothing in it that the other has not");
        check(&pages);
        pages.forget();
        assert_eq!(pages.free(), 8);
    }

    #[test]
    fn a_shared_page_is_not_written_in() {
        let mut pages = Pages::new(8, 4, 8);
        serve(&mut pages, None, &tokens(0..8));
        let one = pages.acquire(None, &tokens((0..8).chain([70])), 9, true).expect("room");
        assert_eq!(one.reused, 8);
        // Its end lies in a page that belongs to `one` too.
        let other = pages.acquire(None, &tokens((0..6).chain([80])), 9, true).expect("room");
        assert_eq!((other.reused, other.pages[0]), (4, one.pages[0]));
        assert!(!one.pages.contains(&other.pages[1]));
        check(&pages);
        pages.release(one, vec![]);
        pages.release(other, vec![]);
        check(&pages);
        assert_eq!(pages.reusable(None, &tokens(0..20)), 8);
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut pages = Pages::new(6, 4, 8);
        for start in [0, 100, 200] {
            serve(&mut pages, None, &tokens(start..start + 8));
        }
        assert_eq!(pages.free(), 0);
        assert_eq!(serve(&mut pages, None, &tokens(0..8)), 7, "used again");
        serve(&mut pages, None, &tokens(300..308));
        let left = [0, 100, 200, 300].map(|start| pages.reusable(None, &tokens(start..start + 9)));
        assert_eq!(left, [8, 0, 8, 8]);
        // As many as are kept.
        pages.most_kept = 2;
        serve(&mut pages, None, &tokens(400..401));
        let left = [0, 200, 300, 400].map(|start| pages.reusable(None, &tokens(start..start + 9)));
        assert_eq!(left, [0, 0, 8, 1]);
    }

    #[test]
    fn too_large_a_request_gets_nothing_and_changes_nothing() {
        let mut pages = Pages::new(4, 4, 8);
        serve(&mut pages, None, &tokens(0..4));
        let lease = pages.acquire(None, &tokens(50..55), 12, true).expect("room");
        assert!(pages.acquire(None, &tokens(60..61), 8, true).is_none());
        assert!(pages.acquire(None, &tokens(0..5), 9, true).is_none(), "two more than it holds already");
        assert_eq!(pages.reusable(None, &tokens(0..5)), 4, "what was kept still is");
        let small = pages.acquire(None, &tokens(60..61), 1, true).expect("the kept page");
        check(&pages);
        pages.release(lease, vec![]);
        pages.release(small, tokens(60..61));
        assert_eq!((pages.free(), pages.chains.len()), (3, 1));
        let fresh = pages.acquire(None, &tokens(60..63), 3, false).expect("room");
        assert_eq!(fresh.reused, 0, "computed anew though it is there");
        pages.release(fresh, tokens(60..63));
        assert_eq!((pages.free(), pages.chains.len()), (3, 1), "one of the two");
    }
}
