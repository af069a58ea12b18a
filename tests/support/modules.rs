//! Every WGSL module that a plan may hold, on any device: what recording chooses for every tuning, weight format, head size
//! and format of keys and values. Nothing is computed: recording needs no GPU.
//!
//! What is usual is multiplied out. Of rarer shapes, flags that change a line or two (a bias, a norm before a product) are
//! drawn at random instead.

use cresset::device::{
    BufferId, Candidates, Device, DeviceInfo, Features, Kernel, KvFormat, Layout, MatvecShape, Member, Options,
    PACKED_DOT, Pass, Pool, Tensor, Tuning, UnpackF16, Weight, WeightPiece,
};
use cresset::ops::*;
use cresset::quant::Format;
use std::collections::HashSet;
use std::rc::Rc;

/// A kernel's text as some device would get it.
pub struct Module {
    pub kernel: &'static Kernel,
    pub options: Options,
    /// What Rust's parameter struct is made of.
    #[allow(dead_code, reason = "the example that writes modules out has no use for it")]
    pub members: &'static [Member],
    pub wgsl: String,
}

impl Module {
    /// `NAME-HASH`: another one for each text.
    pub fn stem(&self) -> String {
        // FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>.
        let hash = self
            .wgsl
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{}-{hash:016x}", self.kernel.name)
    }

    pub fn features(&self) -> Features {
        self.options.features
    }
}

/// All of them, in an order that does not change.
pub fn every() -> Vec<Module> {
    let mut recorder = Recorder { device: Device::plain_cpu(), random: 1, seen: HashSet::new(), modules: Vec::new() };
    recorder.element_wise();
    recorder.attention();
    for &format in Format::ALL {
        recorder.products(format);
    }
    recorder.modules
}

/// Devices that differ in what they offer: together they are offered everything.
fn devices() -> impl Iterator<Item = DeviceInfo> {
    let device = |vendor: &str, features: &[&str], subgroup_size| DeviceInfo {
        vendor: vendor.into(),
        features: features.iter().map(|feature| feature.to_string()).collect(),
        subgroup_size,
        ..DeviceInfo::default()
    };
    let all = ["shader-f16", "subgroups", PACKED_DOT];
    let sizes = [4, 8, 16, 32, 64].map(|size| device("", &all, Some(size)));
    [device("", &[], None), device("apple", &all, Some(4))].into_iter().chain(sizes)
}

/// What some device may choose for weights that are mostly in a format.
fn candidates(format: Format) -> Candidates {
    let mut all = Candidates { matvec: vec![], matmul: vec![], unpack_f16: vec![] };
    for device in devices() {
        let some = Candidates::of(&device, format);
        add_new(&mut all.matvec, some.matvec);
        add_new(&mut all.matmul, some.matmul);
        add_new(&mut all.unpack_f16, some.unpack_f16);
    }
    all
}

fn add_new<T: PartialEq>(all: &mut Vec<T>, some: Vec<T>) {
    for one in some {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

/// Rows of few-row products, outputs of a weight, columns.
const MOST_ROWS: usize = 4;
const N: usize = 4096;
const K: usize = 256;
/// Columns that are no whole number of blocks, for formats that have none of their own.
const RAGGED: usize = 33;

/// Head sizes of which attention over many keys is multiplied out: the smallest, and those of most models.
pub const USUAL_HEADS: [usize; 3] = [16, 64, 128];

struct Recorder {
    device: Device,
    random: u64,
    seen: HashSet<String>,
    modules: Vec<Module>,
}

/// What the kernels for few rows may do beside multiplying.
#[derive(Clone, Copy)]
struct Extras {
    columns: usize,
    norm: bool,
    bias: bool,
    /// Accumulating into the output, or capping logits.
    more: bool,
    activation: Activation,
}

/// Which norm queries and keys have: none, of each head, or of the whole row.
type WholeRow = Option<bool>;

impl Recorder {
    /// One of them, the same in each run.
    fn draw<T: Copy>(&mut self, all: &[T]) -> T {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        all[(self.random >> 33) as usize % all.len()]
    }

    fn flag(&mut self) -> bool {
        self.draw(&[false, true])
    }

    /// Keeps the modules of what `record` records.
    fn record(&mut self, tuning: Tuning, record: impl FnOnce(&mut Pass)) {
        self.device.set_tuning(tuning);
        let layout = Layout { rows: 256, logit_rows: 64, slots: 1, context: 4096, page: 32 };
        let buffers = (BufferId::default(), BufferId::default());
        let mut pass = Pass::new(&mut self.device, &Rc::<Pool>::default(), 256, layout, buffers);
        record(&mut pass);
        for step in pass.finish().steps {
            let prologue = if step.options.features.f16 { "enable f16;\n" } else { "" };
            let wgsl = step.kernel.wgsl(&step.options, tuning.unpack_f16, prologue);
            if self.seen.insert(wgsl.clone()) {
                self.modules.push(Module { kernel: step.kernel, options: step.options, members: step.members, wgsl });
            }
        }
    }

    fn plainly(&mut self, record: impl FnOnce(&mut Pass)) {
        self.record(Tuning::unmeasured(true), record);
    }

    fn element_wise(&mut self) {
        let (x, y, none) = (tensor(8, 64), tensor(8, 64), BufferId::default());
        for flag in [false, true] {
            for kind in Activation::ALL {
                self.plainly(|pass| activation(pass, &x, flag.then_some(&x), kind, &y));
            }
            for accumulate in [false, true] {
                let how = Normalisation { accumulate, ..Normalisation::rows(1e-5) };
                self.plainly(|pass| rms_norm(pass, &x, none, how, &y));
                self.plainly(|pass| layer_norm(pass, &x, none, flag.then_some(none), how, &y));
            }
            for pooling in Pooling::ALL {
                self.plainly(|pass| pool(pass, &x, pooling, flag, &y));
            }
            self.plainly(|pass| route(pass, &x, 2, flag, &tensor(8, 4)));
            let pairing = if flag { Pairing::Adjacent } else { Pairing::HalfSplit };
            self.plainly(|pass| rope(pass, &x, 2, 32, pairing, none));
        }
        self.plainly(|pass| add(pass, &x, &y));
        self.plainly(|pass| gather(pass, &x, &y));
        self.plainly(|pass| average(pass, &x, &tensor(2, 64)));
        self.plainly(|pass| media(pass, none, &y));
        self.plainly(|pass| soft_cap(pass, &x, 30.0));
        self.plainly(|pass| bidirectional(pass, [&x, &x, &x], 2, 1.0, Attended::Other, &y));
        let own = Attended::Own { window: None, bias: Some(RelativeBias { table: none, context: 8 }) };
        self.plainly(|pass| bidirectional(pass, [&x, &x, &x], 2, 1.0, own, &y));
        self.plainly(|pass| attention_weights(pass, [&x, &x], (1, 2), 1.0, &tensor(8, 16), 1));
        self.plainly(|pass| log_mel(pass, none, none, none, &y));
        self.plainly(|pass| mel_range(pass, none, &y));
        self.plainly(|pass| unfold(pass, &x, 2, 1, &tensor(4, 192)));
        self.plainly(|pass| stream(pass, none, 1 << 20, 64, none));
        self.plainly(|pass| multiply_add(pass, 1, 64, none));
        self.plainly(|pass| {
            let logits = tensor(1, 1000);
            penalize(pass, &logits);
            let candidates = candidates_of(pass, &logits, none);
            sample(pass, &logits, none, &candidates);
        });
    }

    fn attention(&mut self) {
        for head_dim in (16..=MOST_HEAD_DIM).step_by(16) {
            for format in KvFormat::ALL {
                for unpack_f16 in candidates(Format::F16).unpack_f16 {
                    let tuning = Tuning { unpack_f16, ..Tuning::unmeasured(true) };
                    self.attention_of(tuning, head_dim, format);
                }
            }
        }
    }

    fn attention_of(&mut self, tuning: Tuning, head_dim: usize, format: KvFormat) {
        let none = BufferId::default();
        let cache = |n_kv_heads| KvCache { keys: none, values: none, format, n_kv_heads, head_dim };
        let scores = |capped: bool| Scores { soft_cap: capped.then_some(50.0), ..Scores::scaled(head_dim) };
        self.record(tuning, |pass| kv_write(pass, &tensor(8, head_dim), &tensor(8, head_dim), &cache(1)));
        // Models whose pictures see each other have heads of 256.
        let whole = (head_dim == USUAL_HEADS[0] || head_dim == MOST_HEAD_DIM).then_some((false, true));
        for (capped, whole) in [(false, false), (true, false)].into_iter().chain(whole) {
            let (q, y) = (tensor(64, 2 * head_dim), tensor(64, 2 * head_dim));
            self.record(tuning, |pass| {
                pass.whole_media = whole;
                attention(pass, &q, 2, &cache(1), scores(capped), &y);
            });
        }
        let bias = Some(RelativeBias { table: none, context: 8 });
        let (q, y) = (tensor(64, 2 * head_dim), tensor(64, 2 * head_dim));
        self.record(tuning, |pass| attention(pass, &q, 2, &cache(1), Scores { bias, ..scores(false) }, &y));
        // (heads, chunks of keys): a workgroup takes all heads of a KV head where the keys are cut into chunks.
        let heads = [(1, 1)].into_iter().chain((1..=8).map(|heads| (heads, 16)));
        for (n_heads, chunks) in heads {
            let (qkv, y) = (tensor(1, (n_heads + 2) * head_dim), tensor(1, n_heads * head_dim));
            let everything = tuning.unpack_f16 == UnpackF16::Native && (chunks == 1 || USUAL_HEADS.contains(&head_dim));
            for (qk_norm, pairing, capped) in self.attends(everything) {
                let norms = qk_norm.map(|whole_row| HeadNorms { weights: none, epsilons: [1e-5; 2], whole_row });
                let rotation = pairing.map(|pairing| (none, head_dim, pairing));
                self.record(tuning, |pass| {
                    pass.key_chunks = chunks;
                    attend(pass, &qkv, n_heads, norms, rotation, &cache(1), scores(capped), &y).expect("room");
                });
            }
        }
    }

    /// What attention does beside attending: everything, or one of it.
    fn attends(&mut self, everything: bool) -> Vec<(WholeRow, Option<Pairing>, bool)> {
        let norms = [None, Some(false), Some(true)];
        let pairings = [None, Some(Pairing::Adjacent), Some(Pairing::HalfSplit)];
        if !everything {
            return vec![(self.draw(&norms), self.draw(&pairings), self.flag())];
        }
        let each = norms.map(|norm| pairings.map(|pairing| [false, true].map(|capped| (norm, pairing, capped))));
        each.into_iter().flatten().flatten().collect()
    }

    /// The kernels that read weights in `format`.
    fn products(&mut self, format: Format) {
        let Candidates { matvec, matmul, unpack_f16 } = candidates(format);
        for by in [By::Token, By::Position, By::First] {
            for &unpack_f16 in &unpack_f16 {
                let tuning = Tuning { unpack_f16, ..Tuning::unmeasured(true) };
                self.record(tuning, |pass| embed(pass, &weight(format, 8, K, 0), by, 1.0, &tensor(8, K)));
            }
        }
        for matmul in matmul {
            for &columns in columns(format) {
                for (bias, accumulate) in [(false, false), (true, false), (false, true), (true, true)] {
                    for &unpack_f16 in &unpack_f16 {
                        let tuning = Tuning { matmul, unpack_f16, ..Tuning::unmeasured(true) };
                        self.tiles(format, tuning, columns, bias, accumulate);
                    }
                }
            }
        }
        for software in [false, true] {
            for extras in Extras::all(format) {
                self.few_rows(format, Tuning { least_groups: 1, ..Tuning::unmeasured(software) }, 1, extras);
            }
        }
        for shape in matvec {
            // All outputs of the shape, half of them, and one.
            let outputs = [1, 16 * shape.lanes as usize + 1, usize::MAX];
            let some_rows: Vec<usize> = (2..=MOST_ROWS).map(|_| self.draw(&outputs)).collect();
            for (rows, least_groups) in outputs.map(|least| (1, least)).into_iter().chain((2..).zip(some_rows)) {
                let unpack_f16 = self.draw(&[unpack_f16[0], unpack_f16[0], unpack_f16[1]]);
                let tuning = Tuning { matvec: shape, least_groups, unpack_f16, ..Tuning::unmeasured(true) };
                let extras = self.draw(&Extras::all(format));
                self.few_rows(format, tuning, rows, extras);
            }
            self.several_weights(format, shape);
        }
    }

    fn tiles(&mut self, format: Format, tuning: Tuning, columns: usize, bias: bool, accumulate: bool) {
        let epilogue = Epilogue { bias: bias.then(BufferId::default), accumulate, scale: 1.0 };
        let (x, y) = (tensor(64, columns), tensor(64, N));
        self.record(tuning, |pass| matmul(pass, &x, &weight(format, N, columns, 0), epilogue, &y));
    }

    fn few_rows(&mut self, format: Format, tuning: Tuning, rows: usize, extras: Extras) {
        let Extras { columns, norm, bias, more, activation } = extras;
        let none = BufferId::default();
        let (x, y) = (tensor(rows, columns), tensor(rows, N));
        let norm = norm.then_some(Prologue { weight: none, epsilon: 1e-5 });
        let bias = bias.then_some(none);
        let epilogue = Epilogue { bias, accumulate: more, scale: 1.0 };
        let [first, second] = [0, N].map(|at| weight(format, N, columns, at));
        self.record(tuning, |pass| matvec(pass, &x, norm, &[&first], epilogue, &y));
        self.record(tuning, |pass| gated(pass, &x, norm, [&first, &second], bias, activation, &y));
        self.record(tuning, |pass| {
            pass.logit_rows = true;
            let epilogue = LogitEpilogue { bias, scale: 1.0, cap: more.then_some(30.0) };
            lm_head(pass, &x, norm, &first, epilogue, none, &y).expect("room");
        });
        if rows > 1 {
            return; // an expert's rows are its own
        }
        let (routes, chosen) = (tensor(1, 4), tensor(2, columns));
        self.record(tuning, |pass| expert_down(pass, &chosen, &routes, &first, &y));
        let other = self.other(format);
        for format in [format, other] {
            let up = weight(format, N, columns, 0);
            self.record(tuning, |pass| expert_gated(pass, &x, &routes, [&first, &up], activation, &tensor(2, N)));
        }
    }

    /// Weights of a projection that are of several formats, as queries, keys and values often are.
    fn several_weights(&mut self, format: Format, shape: MatvecShape) {
        let other = self.other(format);
        for formats in [&[format, other][..], &[format, format, other], &[other, format, other], &[format; 3]] {
            let rows = self.draw(&[1, 2, 3, 4]);
            for (norm, bias) in [(false, false), (true, false), (true, true)] {
                let weights: Vec<Weight> = formats.iter().map(|&format| weight(format, N, K, 0)).collect();
                let weights: Vec<&Weight> = weights.iter().collect();
                let norm = norm.then_some(Prologue { weight: BufferId::default(), epsilon: 1e-5 });
                let epilogue = Epilogue { bias: bias.then(BufferId::default), ..Epilogue::default() };
                let tuning = Tuning { matvec: shape, least_groups: 1, ..Tuning::unmeasured(true) };
                let (x, y) = (tensor(rows, K), tensor(rows, formats.len() * N));
                self.record(tuning, |pass| matvec(pass, &x, norm, &weights, epilogue, &y));
            }
        }
    }

    /// Another format that is tried with the same columns.
    fn other(&mut self, format: Format) -> Format {
        let alike = |other: &Format| *other != format && other.is_quantized() == format.is_quantized();
        let others: Vec<Format> = Format::ALL.iter().copied().filter(alike).collect();
        self.draw(&others)
    }
}

impl Extras {
    /// Everything that they can be together, with weights in a format.
    fn all(format: Format) -> Vec<Extras> {
        let flags = (0..8).map(|bits| [0, 1, 2].map(|bit| bits >> bit & 1 == 1));
        let each = flags.flat_map(|[norm, bias, more]| {
            columns(format).iter().flat_map(move |&columns| {
                Activation::ALL.map(|activation| Extras { columns, norm, bias, more, activation })
            })
        });
        each.collect()
    }
}

fn candidates_of(pass: &mut Pass, logits: &Tensor, bias: BufferId) -> Tensor {
    cresset::ops::candidates(pass, logits, bias).expect("room")
}

/// The columns that a format is tried with.
fn columns(format: Format) -> &'static [usize] {
    if format.is_quantized() { &[K] } else { &[K, RAGGED] }
}

fn tensor(rows: usize, columns: usize) -> Tensor {
    Tensor::new(BufferId::default(), rows, columns)
}

/// A matrix in one piece, behind `at` rows of others.
fn weight(format: Format, rows: usize, columns: usize, at: usize) -> Weight {
    Weight { format, rows, columns, pieces: vec![WeightPiece { buffer: BufferId::default(), at, rows: 0..rows }] }
}
