//! Ids in, ids out: prefill, the decode loop that runs ahead of its read-backs, the cached prefix. Sees no string.

pub use crate::device::Breathe;
use crate::device::{BufferId, KernelTime, Plan, SamplingSlot, Ticket, Usage, profile};
use crate::device::{
    Compiled, Compiling, Control, Device, FROM_STATE, KvFormat, LIMIT, Layout, Pass, Pool, RUN_AHEAD, Row, TARGET,
    Tensor, Tuning,
};
use crate::error::{Error, Result};
use crate::models::lora::Adapter;
use crate::models::{Decoder, Wanted};
use crate::ops::{KvCache, candidates, penalize, sample};
use crate::sampler::SamplingParams;
use std::cell::Cell;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::rc::Rc;

/// Rows of a prompt for which plans are recorded; a chunk runs in the smallest that holds it.
const CHUNKS: [usize; 3] = [16, 64, 256];
/// Rows that get logits at once when all are asked for.
const LOGIT_ROWS: usize = 64;
/// Positions in a page of the KV cache.
const PAGE: usize = 32;

/// Keys above which a single row's attention is cut into chunks, and how many keys a chunk has in a full context.
const SPLIT_ABOVE: usize = 256;
/// Chunks at most: a workgroup each for every KV head, and a merge over all.
const MOST_CHUNKS: usize = 32;

/// Added to a logit, it leaves the token no probability.
const FORBIDDEN: f32 = -1e30;

/// What a plan computes after the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Head {
    /// Nothing: the keys and values are what is wanted.
    None,
    /// Logits of one row, and a token from them; with penalties, the logits are changed before they are ranked.
    Sample { penalties: bool },
    /// Logits of every row.
    All,
}

/// Everything that changes a plan's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PlanKey {
    rows: usize,
    head: Head,
    adapter: Option<AdapterId>,
    /// Of a single row with many keys.
    key_chunks: usize,
}

/// An adapter that the generator holds; no number comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdapterId(u64);

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// A stop id, or the callback said so.
    Stop,
    /// `max_tokens`, or the context is full.
    Length,
    /// Interrupted.
    Abort,
}

/// What to generate.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub prompt: Vec<u32>,
    /// So many ids at the prompt's end are the answer's own, from before an interruption: it goes on as if there had been
    /// none.
    pub begun: usize,
    /// `None`: until the context is full.
    pub max_tokens: Option<usize>,
    /// Before so many tokens, no stop id is drawn.
    pub min_tokens: usize,
    /// End of generation; not handed to the callback.
    pub stop_ids: Vec<u32>,
    pub sampling: SamplingParams,
    pub seed: u64,
    /// Hand the logits to the callback as well: the loop then runs at depth 1.
    pub want_logits: bool,
    /// Compute the whole prompt, whatever the cache holds of it.
    pub recompute: bool,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub finish: Finish,
    pub prompt_tokens: usize,
    /// Prompt tokens whose keys and values were there already.
    pub cached_tokens: usize,
    /// Tokens of the answer.
    pub tokens: usize,
}

/// A sampled token; logits [V] where they were asked for.
pub struct Sampled<'a> {
    pub id: u32,
    pub logits: Option<&'a [f32]>,
}

/// Where the decode loop stands.
struct Decode {
    in_flight: VecDeque<Ticket>,
    submitted: usize,
    /// Tokens at most.
    most: usize,
    tokens: Vec<u32>,
}

/// A model on its device with one sequence's cache.
pub struct Generator {
    pub device: Device,
    model: Box<dyn Decoder>,
    caches: Vec<KvCache>,
    pool: Rc<Pool>,
    control: Control,
    control_buffer: BufferId,
    state: BufferId,
    bias: BufferId,
    logits: BufferId,
    plans: HashMap<PlanKey, Compiled>,
    /// Plans that are being compiled.
    compiling: Vec<(PlanKey, Compiling)>,
    /// By rows, the plan that ran last for a chunk of a prompt.
    chunk_plans: HashMap<usize, PlanKey>,
    adapters: HashMap<AdapterId, Adapter>,
    next_adapter: u64,
    /// The one that counts now.
    adapter: Option<AdapterId>,
    /// Ids whose keys and values lie in the cache, by position; all were computed with `adapter`.
    cached: Vec<u32>,
    /// Set from outside to end the running generation; the caller takes it back before the next one.
    pub interrupted: Rc<Cell<bool>>,
}

/// The smallest bucket that holds `rows`.
fn bucket(rows: usize) -> usize {
    if rows == 1 { 1 } else { *CHUNKS.iter().find(|&&most| most >= rows).expect("chunks fit the largest bucket") }
}

impl Generator {
    /// Allocates the caches for `context` positions. Error: `OUT_OF_MEMORY`.
    pub async fn new(mut device: Device, model: Box<dyn Decoder>, context: usize, kv: KvFormat) -> Result<Self> {
        let shape = model.shape().clone();
        let rows = CHUNKS[CHUNKS.len() - 1];
        let layout = Layout { rows, logit_rows: LOGIT_ROWS, slots: 1, context, page: PAGE };
        let bytes = (layout.pages() * PAGE * shape.n_kv_heads) as u64 * 4 * kv.row_words(shape.head_dim) as u64;
        let mut caches = Vec::with_capacity(shape.n_layers);
        for _ in 0..shape.n_layers {
            let mut buffer = || device.create_buffer("the KV cache", bytes, Usage::Kv);
            let (keys, values) = (buffer()?, buffer()?);
            caches.push(KvCache { keys, values, format: kv, n_kv_heads: shape.n_kv_heads, head_dim: shape.head_dim });
        }
        let control = Control::new(layout);
        let control_buffer = device.create_buffer("control", layout.control_bytes(), Usage::Other)?;
        let state = device.create_buffer("state", layout.state_bytes(), Usage::Other)?;
        let bias = device.create_buffer("logit bias", 4 * shape.vocabulary as u64, Usage::Other)?;
        let row_bytes = 4 * shape.vocabulary.next_multiple_of(4) as u64;
        let logits = device.create_buffer("logits", row_bytes * LOGIT_ROWS as u64, Usage::Activations)?;
        device.check().await?;
        Ok(Generator {
            device,
            model,
            caches,
            pool: Rc::default(),
            control,
            control_buffer,
            state,
            bias,
            logits,
            plans: HashMap::new(),
            compiling: Vec::new(),
            chunk_plans: HashMap::new(),
            adapters: HashMap::new(),
            next_adapter: 0,
            adapter: None,
            cached: Vec::new(),
            interrupted: Rc::default(),
        })
    }

    pub fn context(&self) -> usize {
        self.control.layout.context
    }

    pub fn model(&self) -> &dyn Decoder {
        &*self.model
    }

    /// Computes in another way from now on.
    pub fn set_tuning(&mut self, tuning: Tuning) {
        self.device.set_tuning(tuning);
        self.plans.clear();
        self.compiling.clear();
        self.cached.clear(); // its numbers came about in the other way
    }

    /// Records the plans that every request needs, and begins to compile them, so that the first one does not wait for
    /// them. They cannot run before [`Self::warm_up`].
    ///
    /// The largest comes first: its activations serve all others, and if they don't fit, loading is when to say so.
    pub fn begin_warm_up(&mut self) -> Result<()> {
        let head = Head::Sample { penalties: false };
        let largest = CHUNKS[CHUNKS.len() - 1];
        for (rows, keys) in [(largest, 1), (CHUNKS[0], 1), (1, 1), (1, self.context())] {
            self.begin(self.key(rows, head, keys))?;
        }
        Ok(())
    }

    /// Waits for what [`Self::begin_warm_up`] has begun.
    pub async fn warm_up(&mut self) -> Result<()> {
        for (key, compiling) in std::mem::take(&mut self.compiling) {
            self.plans.insert(key, self.device.finish_compile(compiling).await?);
        }
        Ok(())
    }

    /// Keeps an adapter; from then on it can be selected.
    pub fn add_adapter(&mut self, adapter: Adapter) -> AdapterId {
        let id = AdapterId(self.next_adapter);
        self.next_adapter += 1;
        self.adapters.insert(id, adapter);
        id
    }

    /// Drops an adapter with its plans, and gives its memory back.
    pub fn remove_adapter(&mut self, id: AdapterId) {
        let Some(adapter) = self.adapters.remove(&id) else { return };
        if self.adapter == Some(id) {
            self.select_adapter(None);
        }
        self.plans.retain(|key, _| key.adapter != Some(id));
        self.compiling.retain(|(key, _)| key.adapter != Some(id));
        adapter.free(&mut self.device);
    }

    pub fn adapter(&self, id: AdapterId) -> &Adapter {
        &self.adapters[&id]
    }

    /// The one that counts now, if any.
    pub fn selected_adapter(&self) -> Option<AdapterId> {
        self.adapter
    }

    /// What follows is computed with this adapter, or with none. Keys and values that others made are of no use to it.
    pub fn select_adapter(&mut self, adapter: Option<AdapterId>) {
        if self.adapter != adapter {
            self.adapter = adapter;
            self.cached.clear();
        }
    }

    /// The key of the plan for `rows` rows, the last of which attends to `keys` keys.
    fn key(&self, rows: usize, head: Head, keys: usize) -> PlanKey {
        // The CPU executor has no use for more workgroups.
        let split = rows == 1 && keys > SPLIT_ABOVE && !self.device.is_cpu();
        let key_chunks = if split { self.context().div_ceil(SPLIT_ABOVE).min(MOST_CHUNKS) } else { 1 };
        PlanKey { rows, head, adapter: self.adapter, key_chunks }
    }

    /// Begins to compile a plan, unless it is there or on its way.
    fn begin(&mut self, key: PlanKey) -> Result<()> {
        if !self.plans.contains_key(&key) && self.compiling.iter().all(|(other, _)| *other != key) {
            let plan = self.record(key)?;
            self.compiling.push((key, self.device.begin_compile(plan)));
        }
        Ok(())
    }

    /// Makes sure that a plan exists.
    async fn finish(&mut self, key: PlanKey) -> Result<()> {
        self.begin(key)?;
        if let Some(at) = self.compiling.iter().position(|(other, _)| *other == key) {
            let (_, compiling) = self.compiling.swap_remove(at);
            self.plans.insert(key, self.device.finish_compile(compiling).await?);
        }
        Ok(())
    }

    /// Rows of the next chunk of a prompt at most: so many that a layer's part of a run is no long submit. The first chunk after
    /// loading is a small one, and its time says how large the next may be.
    fn chunk_rows(&self) -> usize {
        let [smallest, others @ ..] = CHUNKS;
        let largest = CHUNKS[CHUNKS.len() - 1];
        if self.device.is_cpu() {
            return largest;
        }
        let seconds = |rows| self.device.seconds(self.plans.get(self.chunk_plans.get(&rows)?)?);
        let layers = self.model.shape().n_layers as f64;
        let mut chosen = smallest;
        let Some(mut known) = seconds(chosen).map(|seconds| seconds / chosen as f64) else { return chosen };
        for rows in others {
            // Many rows take less time each than few do, so this is an upper bound; it is also newer than a time that was too
            // long, since then fewer rows have been run.
            let foreseen = known * rows as f64;
            let (run, most) = match seconds(rows) {
                Some(measured) => (foreseen.min(measured), 2.0 * TARGET), // a layer's longest dispatch is half of it
                None => (foreseen, LIMIT),
            };
            if run / layers > most {
                break;
            }
            chosen = rows;
            known = seconds(rows).map_or(known, |seconds| seconds / rows as f64);
        }
        chosen
    }

    fn record(&mut self, key: PlanKey) -> Result<Plan> {
        let layout = self.control.layout;
        let io = (self.control_buffer, self.state);
        let logit_rows = if key.head == Head::All { key.rows.min(LOGIT_ROWS) } else { 1 };
        let logits = Tensor::new(self.logits, logit_rows, self.model.shape().vocabulary);
        let mut pass = Pass::new(&mut self.device, &self.pool, key.rows, layout, io);
        pass.key_chunks = key.key_chunks;
        pass.corrections = self.adapter.map(|id| self.adapters[&id].corrections.clone());
        let wanted = match key.head {
            Head::None => Wanted::Cache,
            Head::All | Head::Sample { penalties: true } => Wanted::Logits(&logits),
            Head::Sample { penalties: false } => Wanted::Ranked(&logits, self.bias),
        };
        let mut ranked = self.model.forward(&mut pass, &self.caches, wanted)?;
        if let Head::Sample { penalties: true } = key.head {
            penalize(&mut pass, &logits);
            ranked = Some(candidates(&mut pass, &logits, self.bias)?);
        }
        if let Some(candidates) = ranked {
            sample(&mut pass, &logits, self.bias, &candidates);
        }
        Ok(pass.finish())
    }

    /// Where the time goes of a run of as many `rows` as a bucket has, the last of which attends to `keys` keys.
    pub async fn profile(&mut self, rows: usize, keys: usize) -> Result<Vec<KernelTime>> {
        self.cached.clear();
        let rows = bucket(rows.min(CHUNKS[CHUNKS.len() - 1]));
        let first = keys.clamp(rows, self.context()) - rows;
        let table: Vec<Row> = (first..first + rows).map(|at| Row { slot: 0, position: at as u32, token: 0 }).collect();
        self.control.set_rows(&table, &[rows as u32 - 1]);
        self.device.write(self.control_buffer, 0, self.control.bytes());
        let plan = self.record(self.key(rows, Head::Sample { penalties: false }, keys))?;
        profile(&self.device, &plan, self.state).await
    }

    /// Runs a plan that [`Self::finish`] has made.
    fn run(&self, rows: usize, head: Head, keys: usize) -> Result<Ticket> {
        self.device.run(&self.plans[&self.key(rows, head, keys)], self.state, self.control.layout.result_bytes())
    }

    /// Runs one chunk of `ids` at `position`; logit rows are those of `gather`.
    async fn chunk(&mut self, ids: &[u32], position: usize, gather: &[u32], head: Head) -> Result<Ticket> {
        let rows = bucket(ids.len());
        self.chunk_plans.insert(rows, self.key(rows, head, position + ids.len()));
        let keys = position + ids.len();
        self.finish(self.key(rows, head, keys)).await?;
        let table: Vec<Row> =
            (position as u32..).zip(ids).map(|(position, &token)| Row { slot: 0, position, token }).collect();
        self.control.set_rows(&table, gather);
        self.device.write(self.control_buffer, 0, self.control.bytes());
        self.run(rows, head, keys)
    }

    /// Runs all of `ids` from `position` on; the last row is sampled. `None`: interrupted.
    async fn prefill(&mut self, ids: &[u32], position: usize, head: Head, breathe: &Breathe) -> Result<Option<Ticket>> {
        let mut at = 0;
        loop {
            let rows = self.chunk_rows();
            if ids.len() - at <= rows {
                break;
            }
            let chunk = &ids[at..at + rows];
            let ticket = self.chunk(chunk, position + at, &[], Head::None).await?;
            self.device.wait(ticket).await?;
            at += rows;
            self.cached.extend_from_slice(chunk);
            breathe().await;
            if self.interrupted.get() {
                return Ok(None);
            }
        }
        let rest = &ids[at..];
        let ticket = self.chunk(rest, position + at, &[rest.len() as u32 - 1], head).await?;
        self.cached.extend_from_slice(rest);
        Ok(Some(ticket))
    }

    fn check_prompt(&self, prompt: &[u32]) -> Result<()> {
        let vocabulary = self.model.shape().vocabulary;
        if prompt.is_empty() {
            return Err(Error::invalid("prompt", "is empty; give at least one token"));
        }
        if let Some(id) = prompt.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(Error::invalid("prompt", format!("has the id {id}, but the vocabulary has {vocabulary}")));
        }
        if prompt.len() > self.context() {
            return Err(Error::ContextOverflow { prompt: prompt.len(), context: self.context() });
        }
        Ok(())
    }

    /// How many leading ids of `prompt` lie in the cache; the last one is always computed anew.
    fn reusable(&self, prompt: &[u32]) -> usize {
        let common = self.cached.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        common.min(prompt.len() - 1)
    }

    /// Generates until a stop; `on_token` sees each token in order and may end it.
    ///
    /// Errors: `INVALID_REQUEST`, `CONTEXT_OVERFLOW`, `DEVICE_LOST`. The generator stays usable after each.
    pub async fn generate(
        &mut self,
        request: &Request,
        on_token: &mut dyn FnMut(Sampled) -> ControlFlow<()>,
        breathe: &Breathe,
    ) -> Result<Outcome> {
        self.check_prompt(&request.prompt)?;
        request.sampling.validate(self.model.shape().vocabulary)?;
        let begun = request.begun;
        let prompt_tokens = request.prompt.len() - begun;
        let cached_tokens = if request.recompute { 0 } else { self.reusable(&request.prompt) };
        let outcome = |finish, tokens| Outcome { finish, prompt_tokens, cached_tokens, tokens };
        // Each position of the context holds one token; the last sampled one needs none.
        let room = self.context() - prompt_tokens + 1;
        let most = request.max_tokens.unwrap_or(room).min(room);
        if most <= begun {
            return Ok(outcome(Finish::Length, begun));
        }
        self.set_sampling(request, begun);
        self.cached.truncate(cached_tokens);
        // Before prefill, so that decode starts, and goes on, without a pause.
        let head = Head::Sample { penalties: request.sampling.has_penalties() };
        self.finish(self.key(1, head, request.prompt.len())).await?;
        self.begin(self.key(1, head, prompt_tokens + most))?;
        let prefilled = self.prefill(&request.prompt[cached_tokens..], cached_tokens, head, breathe).await;
        let first = match prefilled {
            Ok(Some(first)) => first,
            Ok(None) => return Ok(outcome(Finish::Abort, begun)),
            Err(error) => {
                self.cached.clear(); // nobody knows what was written
                return Err(error);
            }
        };
        // From here on the device feeds itself.
        self.control.set_rows(&[Row { slot: 0, position: 0, token: FROM_STATE }], &[0]);
        self.device.write(self.control_buffer, 0, self.control.bytes());

        let tokens = request.prompt[prompt_tokens..].to_vec();
        let mut decode = Decode { in_flight: VecDeque::from([first]), submitted: begun + 1, most, tokens };
        let finish = self.decode(&mut decode, request, on_token, breathe).await;
        for ticket in decode.in_flight.drain(..) {
            // What ran ahead in vain; a lost device has been reported by the run that met it.
            let _ = self.device.wait(ticket).await;
        }
        match finish {
            // Every token but the newest was fed back, so its keys and values are there.
            Ok(_) => {
                self.cached.extend_from_slice(&decode.tokens[begun..decode.tokens.len().min(decode.submitted - 1)])
            }
            Err(_) => self.cached.clear(),
        }
        Ok(outcome(finish?, decode.tokens.len()))
    }

    /// The decode loop: submits ahead, reads ids back in order.
    async fn decode(
        &mut self,
        decode: &mut Decode,
        request: &Request,
        on_token: &mut dyn FnMut(Sampled) -> ControlFlow<()>,
        breathe: &Breathe,
    ) -> Result<Finish> {
        // The CPU executor computes within `run`: to run ahead would only be to compute in vain.
        let depth = if request.want_logits || self.device.is_cpu() { 1 } else { RUN_AHEAD };
        let head = Head::Sample { penalties: request.sampling.has_penalties() };
        loop {
            // Interrupted by the callback: nothing more is submitted.
            if self.interrupted.get() {
                return Ok(Finish::Abort);
            }
            while decode.in_flight.len() < depth && decode.submitted < decode.most {
                if decode.submitted == request.min_tokens && !request.stop_ids.is_empty() {
                    self.set_sampling(request, decode.submitted);
                    self.device.write(self.control_buffer, 0, self.control.bytes());
                }
                let keys = request.prompt.len() - request.begun + decode.submitted;
                self.finish(self.key(1, head, keys)).await?;
                decode.in_flight.push_back(self.run(1, head, keys)?);
                decode.submitted += 1;
            }
            let Some(ticket) = decode.in_flight.pop_front() else { return Ok(Finish::Length) };
            let words = self.device.wait(ticket).await?;
            breathe().await;
            if self.interrupted.get() {
                return Ok(Finish::Abort);
            }
            let id = self.control.layout.result(&words, 0);
            if request.stop_ids.contains(&id) {
                return Ok(Finish::Stop);
            }
            decode.tokens.push(id);
            let logits = match request.want_logits {
                true => Some(self.read_logits(1).await?),
                false => None,
            };
            if on_token(Sampled { id, logits: logits.as_deref() }).is_break() {
                return Ok(Finish::Stop);
            }
        }
    }

    /// Sampling parameters → `control` and the bias buffer, for the runs after the first `submitted`.
    fn set_sampling(&mut self, request: &Request, submitted: usize) {
        let p = &request.sampling;
        let mut flags = if p.has_penalties() { SamplingSlot::PENALTIES } else { 0 };
        let forbidden = if submitted < request.min_tokens { &request.stop_ids[..] } else { &[] };
        if !p.logit_bias.is_empty() || !forbidden.is_empty() {
            let mut bias = vec![0f32; self.model.shape().vocabulary];
            for &(id, value) in &p.logit_bias {
                bias[id as usize] = value;
            }
            for &id in forbidden {
                // A tokenizer may name ids past the model's table.
                if let Some(bias) = bias.get_mut(id as usize) {
                    *bias = FORBIDDEN;
                }
            }
            self.device.write(self.bias, 0, bytemuck::cast_slice(&bias));
            flags |= SamplingSlot::BIAS;
        }
        self.control.set_sampling(
            0,
            &SamplingSlot {
                seed: [request.seed as u32, (request.seed >> 32) as u32],
                temperature: p.temperature,
                top_k: p.top_k,
                top_p: p.top_p,
                min_p: p.min_p,
                repetition_penalty: p.repetition_penalty,
                frequency_penalty: p.frequency_penalty,
                presence_penalty: p.presence_penalty,
                generated_from: (request.prompt.len() - request.begun) as u32,
                flags,
                unused: [0; 5],
            },
        );
    }

    /// Logits [V] of each position of `ids`, or of the last only, handed over in order.
    ///
    /// Errors: as [`Self::generate`]. Nothing is taken from or left in the cache of conversations.
    pub async fn logits(
        &mut self,
        ids: &[u32],
        all: bool,
        on_row: &mut dyn FnMut(&[f32]),
        breathe: &Breathe,
    ) -> Result<()> {
        self.check_prompt(ids)?;
        self.cached.clear();
        let vocabulary = self.model.shape().vocabulary;
        let (mut position, mut rest) = (0, ids);
        while !rest.is_empty() {
            let step = if all { self.chunk_rows().min(LOGIT_ROWS) } else { self.chunk_rows() };
            let (chunk, others) = rest.split_at(step.min(rest.len()));
            let last = position + chunk.len() == ids.len();
            let (gather, head): (Vec<u32>, _) = match (all, last) {
                (true, _) => ((0..chunk.len() as u32).collect(), Head::All),
                (false, true) => (vec![chunk.len() as u32 - 1], Head::All),
                (false, false) => (vec![], Head::None),
            };
            let ticket = self.chunk(chunk, position, &gather, head).await?;
            self.device.wait(ticket).await?;
            let rows = self.read_logits(gather.len()).await?;
            rows.chunks_exact(vocabulary).for_each(&mut *on_row);
            (position, rest) = (position + chunk.len(), others);
            breathe().await;
        }
        Ok(())
    }

    /// The first [rows, V] of the logits buffer, without the padding of its rows.
    async fn read_logits(&self, rows: usize) -> Result<Vec<f32>> {
        if rows == 0 {
            return Ok(Vec::new());
        }
        let vocabulary = self.model.shape().vocabulary;
        let stride = vocabulary.next_multiple_of(4);
        let words = self.device.read(self.logits, 0, (4 * rows * stride) as u64).await?;
        let rows = words.chunks_exact(stride).flat_map(|row| &row[..vocabulary]);
        Ok(rows.map(|&word| f32::from_bits(word)).collect())
    }
}
