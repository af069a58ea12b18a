//! `check` records one plan on both executors, runs it, and compares what it wrote.

use crate::blocks::Blocks;
use crate::support::skip::skipped;
use crate::translate;
use cresset::device::{
    Access, BufferId, Control, Device, EditsLayout, FROM_STATE, Kernel, KvFormat, Layout, MatmulShape, MatvecShape,
    Member, Options, Params, Pass, Pool, Reduce, Row, SamplingSlot, Step, Tensor, TileFormat, Tuning, UnpackF16, Usage,
    Weight, WeightPiece,
};
use cresset::quant::Format;
use pollster::block_on;
use std::rc::Rc;

/// The executors under test. Without a GPU tests fail, unless `NO_GPU=1` says that there is none to test.
pub struct Bench {
    /// Every kernel's twin: what the others are held to.
    pub plain: Device,
    pub cpu: Device,
    pub gpu: Option<Device>,
}

impl Bench {
    pub fn open() -> Bench {
        let gpu = if std::env::var_os("NO_GPU").is_some_and(|v| v == "1") {
            skipped("kernels on the GPU (NO_GPU=1)");
            None
        } else {
            Some(block_on(Device::gpu()).expect("a graphics adapter; NO_GPU=1 says that there is none"))
        };
        Bench { plain: Device::plain_cpu(), cpu: Device::cpu(), gpu }
    }
}

impl Bench {
    /// Shapes the GPU's kernels, until the next call, and the plain twins', which round where those do.
    pub fn tune(&mut self, matvec: MatvecShape, matmul: MatmulShape) {
        for device in [Some(&mut self.plain), self.gpu.as_mut()].into_iter().flatten() {
            // As many outputs to a group as the shape says, however small the weight.
            device.set_tuning(Tuning { matvec, matmul, least_groups: 1, unpack_f16: UnpackF16::Native });
        }
    }

    /// Reads f16 numbers in this way on the GPU.
    pub fn unpack_f16(&mut self, unpack_f16: UnpackF16) {
        if let Some(gpu) = &mut self.gpu {
            gpu.set_tuning(Tuning { unpack_f16, ..gpu.tuning() });
        }
    }

    /// Whether the GPU has an optional feature, by WebGPU's name.
    pub fn has(&self, feature: &str) -> bool {
        self.gpu.as_ref().is_some_and(|gpu| gpu.info().features.iter().any(|f| f == feature))
    }

    /// Every kind of shape for few rows: alone, in workgroup memory, in subgroups where there are some.
    pub fn matvec_shapes(&self) -> Vec<MatvecShape> {
        let shape = |lanes, outputs, reduce| MatvecShape { lanes, outputs, reduce, packed: false };
        let mut shapes = vec![
            shape(1, 4, Reduce::Alone),
            shape(1, 8, Reduce::Alone),
            shape(4, 2, Reduce::Workgroup),
            shape(16, 4, Reduce::Workgroup),
            shape(32, 8, Reduce::Workgroup),
        ];
        if self.has("subgroups") {
            shapes.extend([shape(2, 4, Reduce::Subgroup), shape(8, 4, Reduce::Subgroup)]);
        }
        shapes
    }

    /// Every kind of tile of numbers.
    pub fn matmul_shapes(&self) -> Vec<MatmulShape> {
        let mut shapes =
            vec![MatmulShape { tall: 4, numbers: TileFormat::F32 }, MatmulShape { tall: 8, numbers: TileFormat::F32 }];
        if self.has("shader-f16") {
            shapes.extend([4, 8].map(|tall| MatmulShape { tall, numbers: TileFormat::F16 }));
        }
        shapes
    }
}

/// The parameters of [`POISON`], no struct in WGSL.
#[repr(transparent)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Vec4([u32; 4]);

impl Params for Vec4 {
    const MEMBERS: &'static [Member] = &[];
}

/// Fills workgroup memory, as much as every device has, with ones: NaN as a number, the largest key. Drivers leave it to the
/// dispatches that follow, and none may count on zeros.
static POISON: Kernel = Kernel {
    name: "poison",
    bindings: &[Access::Uniform, Access::Write],
    source: "
@group(0) @binding(0) var<uniform> params: vec4u;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
var<workgroup> memory: array<vec4u, 1024>;

@compute @workgroup_size(64)
fn poison(@builtin(local_invocation_index) local: u32) {
    for (var i = local; i < 1024u; i += 64u) { memory[i] = vec4u(0xfffffffeu + params.x); }
    workgroupBarrier();
    y[local] = memory[local * 15u + params.y].x; // otherwise the compiler removes the stores
}
",
    shared: &[],
    twin: |_| (),
    fast: None,
};

/// What a run works on: sizes, the rows in use, which of them get logits, and every slot's sampling.
#[derive(Clone)]
pub struct Setting {
    pub layout: Layout,
    pub rows: Vec<Row>,
    pub gather: Vec<u32>,
    pub sampling: Vec<SamplingSlot>,
    /// Words of `state` from its start: (token, position, 0, 0) for each slot, then the slots' ids by position.
    pub state: Vec<u32>,
    /// Lengths of whole sequences, as an encoder has them, instead of `rows`.
    pub sequences: Vec<usize>,
    /// Rows that stand for pictures or sounds.
    pub media: std::ops::Range<usize>,
}

impl Setting {
    /// `used` rows in use of `rows`, one sequence, all of them getting logits.
    pub fn rows(rows: usize, used: usize) -> Setting {
        let layout = Layout { rows, logit_rows: rows, slots: 1, context: 64.max(rows), page: 16 };
        let rows = (0..used as u32).map(|i| Row { slot: 0, position: i, token: i }).collect();
        Setting {
            layout,
            rows,
            gather: (0..used as u32).collect(),
            sampling: vec![],
            state: vec![],
            sequences: vec![],
            media: 0..0,
        }
    }

    /// Whole sequences of these lengths in a plan of `rows` rows.
    pub fn sequences(lengths: &[usize], rows: usize) -> Setting {
        let n = lengths.len();
        let layout = Layout { rows, logit_rows: n + 1, slots: n + 1, context: rows, page: rows };
        Setting {
            layout,
            rows: vec![],
            gather: vec![],
            sampling: vec![],
            state: vec![],
            sequences: lengths.to_vec(),
            media: 0..0,
        }
    }

    /// One row for each slot, taken from `state` by every second one.
    pub fn slots(positions: &[u32], tokens: &[u32], context: usize, page: usize) -> Setting {
        let slots = positions.len();
        let mut state = vec![0; slots * (4 + context)];
        let mut rows = vec![];
        for (slot, (&position, &token)) in positions.iter().zip(tokens).enumerate() {
            let token = if slot % 2 == 1 {
                state[4 * slot..][..2].copy_from_slice(&[token, position]);
                FROM_STATE
            } else {
                token
            };
            rows.push(Row { slot: slot as u32, position: if token == FROM_STATE { 7 } else { position }, token });
        }
        let layout = Layout { rows: slots, logit_rows: slots, slots, context, page };
        Setting {
            layout,
            rows,
            gather: (0..slots as u32).collect(),
            sampling: vec![],
            state,
            sequences: vec![],
            media: 0..0,
        }
    }
}

/// What a plan wrote, and how it is compared.
pub enum Output {
    /// Rows up to `used` are compared; those from there on must be as they were.
    Rows { tensor: Tensor, used: usize },
    /// Rows of which the first half are words, equal, and the second half numbers, within rounding.
    Routes { tensor: Tensor, used: usize },
    /// Words of a buffer, equal.
    Words { buffer: BufferId, count: usize },
    /// Rows of a cache, so many words of it; what they keep may have been rounded up or down.
    Cache { buffer: BufferId, format: KvFormat, head_dim: usize, words: usize },
}

/// |got − want| ≤ absolute + relative × |want|.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    pub absolute: f32,
    pub relative: f32,
    /// More of the absolute, for the CPU executor alone.
    pub cpu: f32,
}

impl Tolerance {
    pub const EXACT: Tolerance = Tolerance::new(0.0, 0.0);

    /// A few f32 roundings.
    pub const ROUNDING: Tolerance = Tolerance::new(1e-6, 1e-6);

    /// A sum of `n` products of numbers below `size`, in any order: roundings add like a random walk.
    pub fn sum(n: usize, size: f32) -> Tolerance {
        Tolerance::new(1e-6 * size * (n as f32).sqrt(), 2e-6)
    }

    pub const fn new(absolute: f32, relative: f32) -> Tolerance {
        Tolerance { absolute, relative, cpu: 0.0 }
    }

    /// For products with weights of these formats: the CPU multiplies the codes of quantised ones with numbers rounded to
    /// 16 bits, `n` of them below `size`.
    pub fn rounded(self, formats: &[Format], n: usize, size: f32) -> Tolerance {
        let rounds = formats.iter().any(|format| format.is_quantized());
        Tolerance { cpu: if rounds { 3e-5 * size * (n as f32).sqrt() } else { 0.0 }, ..self }
    }

    /// For products of bytes: `n` columns below `size` are rounded to 8 bits by GPU and twin, a few of those that lie in
    /// the middle between two codes to another one; the CPU does not round them so.
    pub fn of_bytes(self, n: usize, size: f32) -> Tolerance {
        let code = size / 127.0;
        Tolerance { absolute: self.absolute + 3.0 * code, cpu: code * (n as f32).sqrt(), ..self }
    }
}

/// A plan being recorded, with numbers to work on that are the same on both executors.
pub struct Case<'d> {
    pub pass: Pass<'d>,
    random: u64,
}

impl Case<'_> {
    /// Uniform in −1..1.
    pub fn random(&mut self) -> f32 {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn randoms(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.random()).collect()
    }

    pub fn buffer(&mut self, bytes: &[u8]) -> BufferId {
        let padded = [bytes, &vec![0; bytes.len().next_multiple_of(4) - bytes.len()]].concat();
        let buffer = self.pass.device.create_buffer("test", padded.len() as u64, Usage::Other).unwrap();
        self.pass.device.write(buffer, 0, &padded);
        buffer
    }

    pub fn floats(&mut self, values: &[f32]) -> BufferId {
        self.buffer(bytemuck::cast_slice(values))
    }

    /// Random rows, random padding included: nothing may depend on it.
    pub fn tensor(&mut self, rows: usize, columns: usize) -> Tensor {
        self.tensor_of(rows, columns, 1.0)
    }

    pub fn tensor_of(&mut self, rows: usize, columns: usize, scale: f32) -> Tensor {
        let values = self.randoms(rows * columns.next_multiple_of(4));
        let values: Vec<f32> = values.iter().map(|v| v * scale).collect();
        Tensor::new(self.floats(&values), rows, columns)
    }

    /// Rows with these values, padded.
    pub fn tensor_with(&mut self, rows: &[Vec<f32>]) -> Tensor {
        let columns = rows[0].len();
        let padded = |row: &Vec<f32>| {
            let mut row = row.clone();
            row.resize(columns.next_multiple_of(4), 77.0);
            row
        };
        let values: Vec<f32> = rows.iter().flat_map(padded).collect();
        Tensor::new(self.floats(&values), rows.len(), columns)
    }

    /// Random weights in the executor's own layout, in `pieces` buffers.
    pub fn weight(&mut self, format: Format, rows: usize, columns: usize, pieces: usize) -> Weight {
        let file = match format.is_writable() {
            true => format.quantize(&self.randoms(rows * columns)),
            false => {
                let blocks = Blocks::of(format).blocks;
                let choice = (0..rows * columns / format.block_len()).map(|_| self.random().abs() * 0.999);
                let choice: Vec<f32> = choice.collect();
                choice.iter().flat_map(|c| &blocks[(c * blocks.len() as f32) as usize]).copied().collect()
            }
        };
        self.weight_of(format, &file, rows, columns, pieces)
    }

    /// Random matrices [rows, columns] of experts, in pieces of whole ones.
    pub fn experts(&mut self, format: Format, experts: usize, rows: usize, columns: usize, pieces: usize) -> Weight {
        let mut whole = Weight { format, rows: experts * rows, columns, pieces: vec![] };
        let step = experts.div_ceil(pieces);
        for first in (0..experts).step_by(step) {
            let some = (first * rows)..((first + step).min(experts) * rows);
            let part = self.weight(format, some.len(), columns, 1);
            whole.pieces.push(WeightPiece { buffer: part.pieces[0].buffer, at: 0, rows: some });
        }
        whole
    }

    /// A matrix in the file's layout, brought into the executor's.
    pub fn weight_of(&mut self, format: Format, file: &[u8], rows: usize, columns: usize, pieces: usize) -> Weight {
        let row_bytes = format.row_bytes(columns).unwrap();
        let step = rows.div_ceil(pieces);
        let mut weight = Weight { format, rows, columns, pieces: vec![] };
        for first in (0..rows).step_by(step) {
            let rows = first..rows.min(first + step);
            let bytes = &file[rows.start * row_bytes..rows.end * row_bytes];
            let buffer = if self.pass.device.is_cpu() {
                self.buffer(bytes)
            } else {
                self.buffer(bytemuck::cast_slice(&format.repack_rows(bytes, columns)))
            };
            weight.pieces.push(WeightPiece { buffer, at: 0, rows });
        }
        weight
    }

    /// Random weights of so many rows each, one behind the other in one buffer.
    pub fn weights_together(&mut self, format: Format, rows: &[usize], columns: usize) -> Vec<Weight> {
        let whole = self.weight(format, rows.iter().sum(), columns, 1);
        let mut at = 0;
        let part = |&rows: &usize| {
            at += rows;
            let pieces = vec![WeightPiece { at: at - rows, rows: 0..rows, ..whole.pieces[0].clone() }];
            Weight { rows, pieces, ..whole.clone() }
        };
        rows.iter().map(part).collect()
    }
}

/// What is done to a slot's logits: the ids that its mask allows, and (id, what is added to its logit).
pub type SlotEdits = (Vec<u32>, Vec<(u32, f32)>);

/// The edits of slots for a vocabulary.
pub fn edits(case: &mut Case, vocabulary: usize, slots: &[SlotEdits]) -> BufferId {
    let layout = EditsLayout { vocabulary };
    let mut words = vec![0u32; layout.bytes(slots.len()) as usize / 4];
    for (slot, (allowed, biases)) in slots.iter().enumerate() {
        let mask = &mut words[layout.mask_at(slot) as usize / 4..];
        allowed.iter().for_each(|id| mask[*id as usize / 32] |= 1 << (id % 32));
        let biases = layout.bias_words(biases);
        words[layout.bias_at(slot) as usize / 4..][..biases.len()].copy_from_slice(&biases);
    }
    case.buffer(bytemuck::cast_slice(&words))
}

/// What one executor made of a case: each output's words before and after, and the final `state`.
pub struct Ran {
    outputs: Vec<Output>,
    before: Vec<Vec<u32>>,
    pub after: Vec<Vec<u32>>,
    pub state: Vec<u32>,
}

/// Records and runs a case on one executor.
pub fn run(device: &mut Device, setting: &Setting, record: impl FnOnce(&mut Case) -> Vec<Output>) -> Ran {
    let layout = setting.layout;
    let mut control = Control::new(layout);
    if setting.sequences.is_empty() {
        control.set_rows(&setting.rows, &setting.gather);
        control.set_media(setting.media.clone());
    } else {
        let ids: Vec<Vec<u32>> = setting.sequences.iter().map(|&length| (0..length as u32).collect()).collect();
        control.set_sequences(&ids.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    for (slot, sampling) in setting.sampling.iter().enumerate() {
        control.set_sampling(slot, sampling);
    }
    // Slots have every other page of the cache, the last ones first: nothing may depend on where a page is.
    for slot in 0..layout.slots {
        let pages = (0..layout.pages_per_slot()).rev().map(|page| (page * layout.slots + slot) as u32);
        control.set_pages(slot, &pages.collect::<Vec<_>>());
    }
    let control_buffer = device.create_buffer("control", layout.control_bytes(), Usage::Other).unwrap();
    let state_buffer = device.create_buffer("state", layout.state_bytes(), Usage::Other).unwrap();
    device.write(control_buffer, 0, control.bytes());
    device.write(state_buffer, 0, bytemuck::cast_slice(&setting.state));
    let pool = Rc::<Pool>::default();
    let pass = Pass::new(device, &pool, layout.rows, layout, (control_buffer, state_buffer));
    let mut case = Case { pass, random: 1 };
    let scratch = case.buffer(&[0; 256]);
    case.pass.record(&POISON, Options::default(), Vec4([1, 0, 0, 0]), &[scratch], [64, 1, 1]);
    let outputs = record(&mut case);
    let plan = case.pass.finish();
    plan.steps.iter().for_each(|step| validate(step, device.tuning().unpack_f16));
    let read_all = |device: &Device| -> Vec<Vec<u32>> {
        let read = |output: &Output| {
            let (buffer, bytes) = output.extent();
            block_on(device.read(buffer, 0, bytes)).unwrap()
        };
        outputs.iter().map(read).collect()
    };
    let before = read_all(device);
    let compiled = block_on(device.compile(plan)).expect("the plan compiles");
    let ticket = device.run(&compiled, state_buffer, 4).unwrap();
    block_on(device.wait(ticket)).unwrap();
    let after = read_all(device);
    let state = block_on(device.read(state_buffer, 0, layout.state_bytes())).unwrap();
    block_on(device.check()).unwrap();
    Ran { outputs, before, after, state }
}

/// WebGPU's default limits and rules, which a native adapter may not insist on.
fn validate(step: &Step, unpack_f16: UnpackF16) {
    let name = step.kernel.name;
    assert!(step.kernel.bindings.len() <= 1 + 8, "{name}: storage buffers");
    for (i, (buffer, access)) in step.bindings.iter().zip(&step.kernel.bindings[1..]).enumerate() {
        let alone = step.bindings.iter().enumerate().all(|(j, other)| j == i || other != buffer);
        assert!(*access == Access::Read || alone, "{name}: a buffer is written and bound twice");
    }
    let features = step.options.features;
    let text = step.kernel.wgsl(&step.options, unpack_f16, if features.f16 { "enable f16;\n" } else { "" });
    let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
    let info = translate::validate(&module, features).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
    let bytes = translate::workgroup_bytes(&module, &info);
    assert!(bytes <= 16384, "{name}: {bytes} bytes of workgroup memory");
    let entry = &module.entry_points[0];
    assert_eq!(entry.name, name);
    assert!(entry.workgroup_size.iter().product::<u32>() <= 256, "{name}: threads");
}

/// Runs a case on every executor and compares; gives the plain twins' results.
pub fn check(
    bench: &mut Bench,
    what: &str,
    setting: &Setting,
    tolerance: Tolerance,
    record: impl Fn(&mut Case) -> Vec<Output>,
) -> Ran {
    let plain = run(&mut bench.plain, setting, &record);
    plain.expect_untouched(&format!("{what}, twins"));
    let for_cpu = Tolerance { absolute: tolerance.absolute + tolerance.cpu, ..tolerance };
    for (name, device, tolerance) in [("cpu", Some(&mut bench.cpu), for_cpu), ("gpu", bench.gpu.as_mut(), tolerance)] {
        let Some(device) = device else { continue };
        let ran = run(device, setting, &record);
        ran.expect_untouched(&format!("{what}, {name}"));
        for (i, output) in plain.outputs.iter().enumerate() {
            output.compare(&ran.after[i], &plain.after[i], tolerance, &format!("{what}, {name}, output {i}"));
        }
        assert_eq!(ran.state, plain.state, "{what}, {name}: state");
    }
    plain
}

impl Ran {
    fn expect_untouched(&self, what: &str) {
        for ((output, before), after) in self.outputs.iter().zip(&self.before).zip(&self.after) {
            if let Output::Rows { tensor, used } | Output::Routes { tensor, used } = output {
                let at = used * tensor.stride();
                assert_eq!(before[at..], after[at..], "{what}: rows past the {used} in use");
            }
        }
    }

    /// Row `row` of output `output`, without its padding.
    pub fn row(&self, output: usize, row: usize) -> &[f32] {
        let (Output::Rows { tensor, .. } | Output::Routes { tensor, .. }) = &self.outputs[output] else {
            panic!("rows")
        };
        &bytemuck::cast_slice(&self.after[output])[row * tensor.stride()..][..tensor.columns]
    }
}

impl Output {
    fn extent(&self) -> (BufferId, u64) {
        match self {
            Output::Rows { tensor, .. } | Output::Routes { tensor, .. } => {
                (tensor.buffer, (tensor.rows * tensor.stride() * 4) as u64)
            }
            Output::Words { buffer, count } => (*buffer, 4 * *count as u64),
            Output::Cache { buffer, words, .. } => (*buffer, 4 * *words as u64),
        }
    }

    fn compare(&self, got: &[u32], want: &[u32], tolerance: Tolerance, what: &str) {
        let floats = |words: &[u32]| -> Vec<f32> { bytemuck::cast_slice(words).to_vec() };
        match self {
            Output::Words { .. } => assert_eq!(got, want, "{what}"),
            Output::Routes { tensor, used } => {
                for row in 0..*used {
                    let (first, half) = (row * tensor.stride(), tensor.columns / 2);
                    assert_eq!(got[first..first + half], want[first..first + half], "{what}, row {row}");
                    let weights = first + half..first + 2 * half;
                    let tolerance = Tolerance::new(1e-7, 1e-5);
                    close(&floats(&got[weights.clone()]), &floats(&want[weights]), tolerance, what);
                }
            }
            Output::Cache { format, head_dim, .. } => {
                let numbers = |words: &[u32]| -> Vec<f32> {
                    let mut numbers = vec![0f32; words.len() / format.row_words(*head_dim) * head_dim];
                    let rows = words.chunks_exact(format.row_words(*head_dim));
                    rows.zip(numbers.chunks_exact_mut(*head_dim)).for_each(|(row, x)| format.read(row, x));
                    numbers
                };
                // One unit in the last place of 11 bits, or the smallest subnormal; of 8 bits, of numbers up to 8 or so.
                let one_place = match format {
                    KvFormat::F32 => Tolerance::new(tolerance.absolute, tolerance.relative),
                    KvFormat::F16 => Tolerance::new(6e-8, 1e-3),
                    KvFormat::Q8 => Tolerance::new(0.08, 0.0),
                };
                close(&numbers(got), &numbers(want), one_place, what);
            }
            Output::Rows { tensor, used } => {
                let (got, want) = (floats(got), floats(want));
                for row in 0..*used {
                    let at = row * tensor.stride()..row * tensor.stride() + tensor.columns;
                    close(&got[at.clone()], &want[at], tolerance, &format!("{what}, row {row}"));
                }
            }
        }
    }
}

pub fn close(got: &[f32], want: &[f32], tolerance: Tolerance, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let most = tolerance.absolute + tolerance.relative * want.abs();
        assert!((got - want).abs() <= most, "{what}: [{i}] is {got}, not {want} ± {most}");
    }
}
