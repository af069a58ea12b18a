//! The two small buffers through which host and device talk: `control` (host → device) and `state` (device only).
//!
//! Both are arrays of u32 words; `shaders/shared/control.wgsl` and `rows.wgsl` read them at the offsets of [`Layout`].

use std::ops::Range;

/// A row's token that the device takes, with its position, from `state`: the decode loop's rows.
pub const FROM_STATE: u32 = u32::MAX;

/// Flags a token in `state` whose logit was not a number. `shaders/shared/rows.wgsl` has the same.
const BROKEN: u32 = 1 << 31;

/// Words before the row table.
const HEADER: usize = 16;
/// Words of a row: slot, position, token; where an encoder reads it the length of its sequence, else, if it stands for a picture or a
/// sound, the rows from it to the end of that, itself among them.
const ROW: usize = 4;
/// Words of a slot's sampling parameters.
const SAMPLING: usize = 16;
/// Words of a slot in `state`: token, position, two unused.
const STATE: usize = 4;

/// Sizes that fix where everything lies.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Most rows a plan may have.
    pub rows: usize,
    /// Most rows that get logits.
    pub logit_rows: usize,
    /// Sequences that are held at a time.
    pub slots: usize,
    /// Positions a slot holds.
    pub context: usize,
    /// Positions in a page of the KV cache.
    pub page: usize,
}

impl Layout {
    /// Pages that the positions of a slot take.
    pub fn pages_per_slot(&self) -> usize {
        self.context.div_ceil(self.page)
    }

    /// Pages of all slots: what a layer's K or V buffer holds.
    pub fn pages(&self) -> usize {
        self.slots * self.pages_per_slot()
    }

    fn gather_at(&self) -> usize {
        HEADER + ROW * self.rows
    }

    fn sampling_at(&self) -> usize {
        self.gather_at() + self.logit_rows
    }

    fn pages_at(&self) -> usize {
        self.sampling_at() + SAMPLING * self.slots
    }

    /// Size of `control`.
    pub fn control_bytes(&self) -> u64 {
        4 * (self.pages_at() + self.pages()) as u64
    }

    fn history_at(&self) -> usize {
        STATE * self.slots
    }

    /// Size of `state`.
    pub fn state_bytes(&self) -> u64 {
        4 * (self.history_at() + self.slots * self.context) as u64
    }

    /// The byte of `state` at which the ids of a slot begin, by position.
    pub fn history_byte(&self, slot: usize) -> u64 {
        4 * (self.history_at() + slot * self.context) as u64
    }

    /// Bytes read back after a decode step: the slots' newest tokens. One slot reads one word.
    pub fn result_bytes(&self) -> u64 {
        if self.slots == 1 { 4 } else { (4 * STATE * self.slots) as u64 }
    }

    /// The token of `slot` among the words read back; `None` where logits were not numbers.
    pub fn result(&self, words: &[u32], slot: usize) -> Option<u32> {
        Some(words[STATE * slot]).filter(|token| token & BROKEN == 0)
    }
}

/// One row of a run: a token at a position of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The sequence that it belongs to.
    pub slot: u32,
    /// Its place in the sequence, from 0; the device's own where the token is [`FROM_STATE`].
    pub position: u32,
    /// A token id, or [`FROM_STATE`].
    pub token: u32,
}

/// Sampling parameters of one slot, as the device reads them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct SamplingSlot {
    /// The request's seed, its low word first.
    pub seed: [u32; 2],
    /// 0 is greedy.
    pub temperature: f32,
    /// 0 keeps all.
    pub top_k: u32,
    /// Mass of the likeliest tokens that is kept; 1 keeps all.
    pub top_p: f32,
    /// Least probability that is kept, as a part of the likeliest token's; 0 keeps all.
    pub min_p: f32,
    /// Divides the positive logits of penalised tokens, and multiplies the negative ones; 1 changes nothing.
    pub repetition_penalty: f32,
    /// Taken off a logit for each time that its token is among the penalised ones.
    pub frequency_penalty: f32,
    /// Taken off a logit once if its token is among the penalised ones.
    pub presence_penalty: f32,
    /// Position of the first token that penalties look at.
    pub penalized_from: u32,
    /// Bit set of [`Self::BIAS`], [`Self::PENALTIES`], [`Self::MASK`].
    pub flags: u32,
    /// Of the tokens since [`Self::penalized_from`], penalties look at so many of the last; 0: at all.
    pub penalty_last_n: u32,
    /// Rows of another sequence that cross-attention sees; 0: as many as there are.
    pub attended: u32,
    /// Fills the sixteen words.
    pub unused: [u32; 3],
}

impl SamplingSlot {
    /// The biases among the slot's [`EditsLayout`](super::EditsLayout).
    pub const BIAS: u32 = 1;
    /// Some penalty.
    pub const PENALTIES: u32 = 2;
    /// The mask among the slot's [`EditsLayout`](super::EditsLayout).
    pub const MASK: u32 = 4;
}

impl Default for SamplingSlot {
    /// Greedy, no penalties.
    fn default() -> Self {
        SamplingSlot { top_p: 1.0, repetition_penalty: 1.0, ..bytemuck::Zeroable::zeroed() }
    }
}

/// The host's side of `control`.
pub struct Control {
    /// Where everything lies.
    pub layout: Layout,
    words: Vec<u32>,
    /// Whether `words` are others than [`Self::take_changes`] gave last.
    changed: bool,
}

impl Control {
    /// All slots greedy; slot s has pages s × n .. (s + 1) × n.
    pub fn new(layout: Layout) -> Self {
        let mut control = Control { layout, words: vec![0; layout.control_bytes() as usize / 4], changed: true };
        control.words[2] = layout.gather_at() as u32;
        control.words[3] = layout.sampling_at() as u32;
        control.words[4] = layout.pages_at() as u32;
        control.words[5] = layout.pages_per_slot() as u32;
        control.words[6] = layout.history_at() as u32;
        control.words[7] = layout.context as u32;
        for slot in 0..layout.slots {
            control.set_sampling(slot, &SamplingSlot::default());
        }
        for page in 0..layout.pages() {
            control.words[layout.pages_at() + page] = page as u32;
        }
        control
    }

    /// The rows of the next runs, and which of them (by index) get logits.
    pub fn set_rows(&mut self, rows: &[Row], gather: &[u32]) {
        assert!(rows.len() <= self.layout.rows && gather.len() <= self.layout.logit_rows);
        self.set(0, &[rows.len() as u32, gather.len() as u32]);
        for (i, row) in rows.iter().enumerate() {
            self.set(HEADER + ROW * i, &[row.slot, row.position, row.token, 0]);
        }
        self.set(self.layout.gather_at(), gather);
    }

    /// These rows of the next run, among those that were set, stand for one picture or one sound.
    pub fn set_media(&mut self, rows: Range<usize>) {
        let end = rows.end;
        rows.for_each(|i| self.set(HEADER + ROW * i + 3, &[(end - i) as u32]));
    }

    /// The rows of the next run: whole sequences, one behind the other, each a slot of its own; the first row of each is
    /// gathered.
    pub fn set_sequences(&mut self, sequences: &[&[u32]]) {
        let (mut rows, mut first) = (Vec::new(), Vec::new());
        for (slot, ids) in sequences.iter().enumerate() {
            first.push(rows.len() as u32);
            rows.extend((0..).zip(*ids).map(|(position, &token)| Row { slot: slot as u32, position, token }));
        }
        self.set_rows(&rows, &first);
        let lengths = sequences.iter().flat_map(|ids| std::iter::repeat_n(ids.len() as u32, ids.len()));
        for (i, length) in lengths.enumerate() {
            self.set(HEADER + ROW * i + 3, &[length]);
        }
    }

    /// The rows of the next run: one whole sequence of so many that are no tokens; `outputs` rows come of it.
    pub fn set_rows_without_tokens(&mut self, rows: usize, outputs: usize) {
        assert!(outputs <= self.layout.logit_rows);
        self.set_sequences(&[&vec![0; rows]]);
        self.set(1, &[outputs as u32]);
    }

    /// How the next tokens of a slot are drawn.
    pub fn set_sampling(&mut self, slot: usize, sampling: &SamplingSlot) {
        let words = *bytemuck::cast_ref::<SamplingSlot, [u32; SAMPLING]>(sampling);
        self.set(self.layout.sampling_at() + SAMPLING * slot, &words);
    }

    /// The pages of the cache in which a slot's positions lie, in order: those of its first positions at least.
    pub fn set_pages(&mut self, slot: usize, pages: &[u32]) {
        assert!(
            pages.len() <= self.layout.pages_per_slot()
                && pages.iter().all(|&page| (page as usize) < self.layout.pages())
        );
        self.set(self.layout.pages_at() + self.layout.pages_per_slot() * slot, pages);
    }

    fn set(&mut self, at: usize, words: &[u32]) {
        let place = &mut self.words[at..at + words.len()];
        self.changed |= *place != *words;
        place.copy_from_slice(words);
    }

    /// [`Self::bytes`], if they have changed since the last time that they were taken.
    pub fn take_changes(&mut self) -> Option<&[u8]> {
        std::mem::replace(&mut self.changed, false).then(|| bytemuck::cast_slice(&self.words))
    }

    /// The block's bytes, as the device reads them.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }
}

/// Reads `control` and `state` for a twin, as `shaders/shared/rows.wgsl` does for a shader.
pub struct Slot;

impl Slot {
    /// Rows of the run.
    pub fn rows(control: &[u32]) -> usize {
        control[0] as usize
    }

    /// Rows of the run that get logits.
    pub fn logit_rows(control: &[u32]) -> usize {
        control[1] as usize
    }

    /// The index of the row that logit row `i` comes from.
    pub fn gathered(control: &[u32], i: usize) -> usize {
        control[control[2] as usize + i] as usize
    }

    /// Position and length of the sequence of row `i`, as an encoder has them.
    pub fn place(control: &[u32], i: usize) -> (u32, u32) {
        (control[HEADER + ROW * i + 1], control[HEADER + ROW * i + 3])
    }

    /// Rows from row `i` to the end of the picture or the sound that it stands for; 0 where it stands for none.
    pub fn media_rows(control: &[u32], i: usize) -> u32 {
        control[HEADER + ROW * i + 3]
    }

    /// The slot of row `i`: always the host's to say.
    pub fn slot(control: &[u32], i: usize) -> u32 {
        control[HEADER + ROW * i]
    }

    /// Row `i`, its token and position taken from `state` where they are the device's.
    pub fn row(control: &[u32], state: &[u32], i: usize) -> Row {
        let words = &control[HEADER + ROW * i..];
        let mut row = Row { slot: words[0], position: words[1], token: words[2] };
        if row.token == FROM_STATE {
            row.token = state[STATE * row.slot as usize] & !BROKEN;
            row.position = state[STATE * row.slot as usize + 1];
        }
        row
    }

    /// Sampling parameters of a slot.
    pub fn sampling(control: &[u32], slot: u32) -> SamplingSlot {
        let at = control[3] as usize + SAMPLING * slot as usize;
        *bytemuck::from_bytes(bytemuck::cast_slice(&control[at..at + SAMPLING]))
    }

    /// Where position `position` of `slot` lies in a layer's cache, in positions.
    pub fn cache_position(control: &[u32], slot: u32, position: u32, page: u32) -> usize {
        let at = control[4] + slot * control[5] + position / page;
        (control[at as usize] * page + position % page) as usize
    }

    /// Rows of another sequence that row `i` attends to in cross-attention; as many as there are, where nothing is said.
    pub fn attended(control: &[u32], i: usize) -> u32 {
        match Slot::sampling(control, Slot::slot(control, i)).attended {
            0 => u32::MAX,
            rows => rows,
        }
    }

    /// Positions that a slot holds.
    pub fn context(control: &[u32]) -> u32 {
        control[7]
    }

    /// The word of `state` that holds the id at `position` of `slot`.
    pub fn history_at(control: &[u32], slot: u32, position: u32) -> usize {
        (control[6] + slot * control[7] + position) as usize
    }

    /// A sampled id becomes the slot's newest token. `broken`: its logit was not a number.
    pub fn advance(state: &mut [u32], slot: u32, token: u32, broken: bool, position: u32) {
        let token = if broken { token | BROKEN } else { token };
        state[STATE * slot as usize..][..2].copy_from_slice(&[token, position]);
    }
}
