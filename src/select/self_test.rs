//! Never gibberish: before a model runs on a GPU, each kernel variant runs a small model there, and its logits are compared
//! with those of the CPU's specification. A variant that is wrong is not used; of the correct ones the fastest is. The verdict
//! holds for this adapter and this build, and can be stored.

use super::known_model::{Answer, KnownModel, Phase, Recipe, Rounding, Size};
use super::options::{DeviceChoice, LoadOptions, LoadProgress};
use super::verdict::{Demoted, Verdict};
use crate::device::{
    Candidates, Device, DeviceInfo, KvFormat, MatmulShape, MatvecShape, TileFormat, Tuning, UnpackF16,
};
use crate::error::Result;
use crate::quant::Format;
use std::fmt;

/// A variant replaces the usual one if it needs less than this share of its time: smaller differences are noise.
const BETTER: f64 = 0.95;

/// The verdict on a GPU, for a model whose weights are in `formats`, most of them in the first.
///
/// # Errors
/// `WEBGPU_UNAVAILABLE` where no device opens, and errors of the specification's own run. Errors of a variant's run are part
/// of the verdict.
pub async fn verify(
    info: &DeviceInfo,
    options: &LoadOptions,
    formats: &[Format],
    on_progress: &mut dyn FnMut(LoadProgress),
) -> Result<Verdict> {
    let LoadOptions { self_test, kv, .. } = options;
    let candidates = self_test.candidates.clone().unwrap_or_else(|| Candidates::of(info, formats[0]));
    let key = key(info, formats, *kv);
    if let Some(known) = self_test.known.iter().find(|verdict| verdict.holds(&key, &candidates)) {
        return Ok(known.clone());
    }
    let mut report = |loaded, total| on_progress(LoadProgress { status: "self-test", loaded, total });
    let mut verification = Verification::new(info, options, formats);
    let tuning = verification.all(&candidates, &mut report).await?;
    for Demoted { variant, reason } in &verification.demoted {
        log::warn!("{}: {variant} is not used: {reason}", info.name());
    }
    Ok(Verdict { key, tuning, demoted: verification.demoted, throughput: None })
}

fn key(info: &DeviceInfo, formats: &[Format], kv: KvFormat) -> String {
    let DeviceInfo { backend, vendor, architecture, description, driver, compiler, features, .. } = info;
    let (compiler, features) = (compiler.as_deref().unwrap_or_default(), features.join(" "));
    let build = env!("CRESSET_BUILD");
    let formats = formats.iter().map(|format| format.name()).collect::<Vec<_>>().join(" ");
    let kv = kv.name();
    format!(
        "{backend} · {vendor} · {architecture} · {description} · {driver} · {compiler} · {features} · {build} · {formats} · {kv}"
    )
}

/// The fastest, the usual one unless another is clearly faster; without times the usual one, or the first.
fn best<T: Copy + PartialEq>(right: &[(T, f64)], usual: T) -> Option<T> {
    let fastest = right.iter().reduce(|a, b| if b.1 < a.1 { b } else { a })?;
    match right.iter().find(|(shape, _)| *shape == usual) {
        Some((_, seconds)) if fastest.1 >= BETTER * seconds => Some(usual),
        _ => Some(fastest.0),
    }
}

fn usual_or_first<T: Copy + PartialEq>(shapes: &[T], usual: T) -> Option<T> {
    if shapes.contains(&usual) { Some(usual) } else { shapes.first().copied() }
}

/// How many of `shapes` will be tried: of those with packed bytes only one, if any other shape is correct.
fn trials<T: KernelShape>(shapes: &[T]) -> usize {
    let packed = shapes.iter().filter(|shape| shape.is_packed()).count();
    let numbers = shapes.len() - packed;
    if numbers == 0 { packed } else { numbers + packed.min(1) }
}

/// Variants of a kernel.
trait KernelShape: Copy + PartialEq + fmt::Display {
    const KERNEL: &str;
    fn is_packed(&self) -> bool;
    /// Whether both differ at most in the numbers they multiply.
    fn is_like(&self, other: &Self) -> bool;
}

impl KernelShape for MatvecShape {
    const KERNEL: &str = "matvec";

    fn is_packed(&self) -> bool {
        self.packed
    }

    fn is_like(&self, other: &Self) -> bool {
        MatvecShape { packed: other.packed, ..*self } == *other
    }
}

impl KernelShape for MatmulShape {
    const KERNEL: &str = "matmul";

    fn is_packed(&self) -> bool {
        self.numbers == TileFormat::Packed
    }

    fn is_like(&self, other: &Self) -> bool {
        self.tall == other.tall
    }
}

/// A run of the self-test.
struct Verification {
    under_test: DeviceUnderTest,
    software: bool,
    usual: Tuning,
    /// A model in the format of most weights.
    small: Case,
    /// A model in all formats, with scales below f16's normal range.
    mixed: Case,
    /// The formats of `mixed` with normal scales, for tiles of f16: these may flush such small weights to 0, which does
    /// no harm.
    mixed_normal: Case,
    /// A larger model to measure speed with; none on software adapters, where speed does not decide.
    wide: Option<Case>,
    demoted: Vec<Demoted>,
}

/// The device under test, one for all cases, because they share most kernels. It is not the device that the model will run on:
/// it may be lost.
struct DeviceUnderTest {
    choice: DeviceChoice,
    kv: KvFormat,
    device: Option<Device>,
    /// How many were given up before this one: each error leads to a new device.
    number: u32,
}

/// A model to run, and the answers it should give.
struct Case {
    recipe: Recipe,
    /// The model's file, made from the recipe when it is first needed.
    file: Vec<u8>,
    /// The loaded model, with the number of the device that has its weights.
    model: Option<(KnownModel, u32)>,
    /// Answers of the specification.
    want: Vec<(Phase, Answer)>,
}

impl Verification {
    fn new(info: &DeviceInfo, options: &LoadOptions, formats: &[Format]) -> Verification {
        let &LoadOptions { device, kv, .. } = options;
        let case = |formats: &[Format], size, small_scales| {
            let recipe = Recipe { formats: formats.to_vec(), size, small_scales };
            Case { recipe, file: Vec::new(), model: None, want: Vec::new() }
        };
        Verification {
            under_test: DeviceUnderTest { choice: device, kv, device: None, number: 0 },
            software: info.software,
            usual: Tuning::unmeasured(info.software),
            small: case(&formats[..1], Size::SMALL, false),
            mixed: case(formats, Size::SMALL, true),
            mixed_normal: case(formats, Size::SMALL, false),
            wide: (!info.software).then(|| case(&formats[..1], Size::WIDE, false)),
            demoted: Vec::new(),
        }
    }

    /// The tuning to use; `None` if all are wrong. First the usual one, which is enough for software adapters: they compile
    /// slowly, and nobody chooses them for speed. Then each variant by itself, and last the best of them together.
    async fn all(&mut self, candidates: &Candidates, report: &mut dyn FnMut(u64, u64)) -> Result<Option<Tuning>> {
        let Candidates { matvec, matmul, unpack_f16 } = candidates;
        let total = (1 + trials(matvec) + trials(matmul) + 1) as u64;
        let mut done = 0..total;
        let mut step = || report(done.next().unwrap_or(total), total);
        let usual = (usual_or_first(matvec, self.usual.matvec), usual_or_first(matmul, self.usual.matmul));
        let (Some(usual_matvec), Some(usual_matmul)) = usual else { return Ok(None) };
        let mut usual = Tuning { matvec: usual_matvec, matmul: usual_matmul, ..self.usual };
        step();
        let usual_is_right = self.prove(&mut usual, unpack_f16).await?.is_ok();
        if usual_is_right && self.software {
            return Ok(Some(usual));
        }
        let tuned = |matvec| Tuning { matvec, ..usual };
        let matvec = self.best(matvec, usual.matvec, Phase::Decode, &tuned, &mut step).await?;
        let tuned = |matmul| Tuning { matmul, ..usual };
        let matmul = self.best(matmul, usual.matmul, Phase::Prefill, &tuned, &mut step).await?;
        let (Some(matvec), Some(matmul)) = (matvec, matmul) else { return Ok(None) };
        step();
        let mut best = Tuning { matvec, matmul, ..usual };
        if usual_is_right && best == usual {
            return Ok(Some(usual));
        }
        let unpack_f16 = if usual_is_right { &[usual.unpack_f16] } else { &unpack_f16[..] };
        match self.prove(&mut best, unpack_f16).await? {
            Ok(()) => Ok(Some(best)),
            Err(reason) => {
                let variant = format!("matvec, {matvec}, and matmul, {matmul}, together");
                self.demoted.push(Demoted { variant, reason });
                Ok(usual_is_right.then_some(usual))
            }
        }
    }

    /// Checks a tuning with every format and all kernels together: `Err` says what is wrong. f16 numbers are read in the first
    /// of the ways `unpack_f16` that decodes correctly; those before it are demoted.
    async fn prove(
        &mut self,
        tuning: &mut Tuning,
        unpack_f16: &[UnpackF16],
    ) -> Result<std::result::Result<(), String>> {
        let mut outcome = Err("there is no way to read f16 numbers".to_string());
        let mut wrong = Vec::new();
        for &unpack_f16 in unpack_f16 {
            tuning.unpack_f16 = unpack_f16;
            outcome = self.mixed.ask(&mut self.under_test, *tuning, Phase::Decode).await?;
            match &outcome {
                Ok(()) => break,
                Err(reason) => wrong.push(Demoted { variant: format!("f16, {unpack_f16}"), reason: reason.clone() }),
            }
        }
        if outcome.is_err() {
            tuning.unpack_f16 = unpack_f16[0];
            return Ok(outcome);
        }
        self.demoted.extend(wrong);
        let case = if tuning.matmul.numbers == TileFormat::F16 { &mut self.mixed_normal } else { &mut self.mixed };
        case.ask(&mut self.under_test, *tuning, Phase::Whole).await
    }

    /// The best of a kernel's correct shapes; wrong ones are demoted. Of the shapes that multiply packed bytes only the
    /// counterpart of the best other shape is tried.
    async fn best<T: KernelShape>(
        &mut self,
        shapes: &[T],
        usual: T,
        phase: Phase,
        tuned: &dyn Fn(T) -> Tuning,
        step: &mut dyn FnMut(),
    ) -> Result<Option<T>> {
        let (mut packed, numbers): (Vec<T>, Vec<T>) = shapes.iter().partition(|shape| shape.is_packed());
        let mut right = self.right(&numbers, phase, tuned, step).await?;
        if let Some(best) = best(&right, usual) {
            packed.retain(|shape| shape.is_like(&best));
        }
        right.extend(self.right(&packed, phase, tuned, step).await?);
        Ok(best(&right, usual))
    }

    /// A kernel's correct shapes with their seconds for a phase; 0 where speed is not measured.
    async fn right<T: KernelShape>(
        &mut self,
        shapes: &[T],
        phase: Phase,
        tuned: &dyn Fn(T) -> Tuning,
        step: &mut dyn FnMut(),
    ) -> Result<Vec<(T, f64)>> {
        let mut right = Vec::new();
        for &shape in shapes {
            step();
            let mut outcome = self.small.ask(&mut self.under_test, tuned(shape), phase).await?.map(|()| 0.0);
            if let (Ok(seconds), Some(wide)) = (&mut outcome, &mut self.wide) {
                match wide.seconds(&mut self.under_test, tuned(shape), phase).await {
                    Ok(measured) => *seconds = measured,
                    Err(error) => outcome = Err(error.to_string()),
                }
            }
            match outcome {
                Ok(seconds) => right.push((shape, seconds)),
                Err(reason) => self.demoted.push(Demoted { variant: format!("{}, {shape}", T::KERNEL), reason }),
            }
        }
        Ok(right)
    }
}

impl Case {
    /// Runs a phase; `Err` says what is wrong with the answer. The outer error is one of the specification's own run.
    async fn ask(
        &mut self,
        under_test: &mut DeviceUnderTest,
        tuning: Tuning,
        phase: Phase,
    ) -> Result<std::result::Result<(), String>> {
        // The self-test's weights are small: without this, fewer outputs than the shape says would share a workgroup.
        let tuning = Tuning { least_groups: 1, ..tuning };
        under_test.open().await?;
        let answer = async { self.model(under_test, tuning).await?.answer(phase).await }.await;
        self.give_back(under_test, answer.is_ok());
        let want = self.want(under_test.kv, phase).await?;
        let packed = tuning.matvec.is_packed() || tuning.matmul.is_packed();
        let rounding = if packed { Rounding::EightBits } else { Rounding::Halves };
        Ok(match answer {
            Ok(answer) => answer.fault(want, rounding).map_or(Ok(()), Err),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn seconds(&mut self, under_test: &mut DeviceUnderTest, tuning: Tuning, phase: Phase) -> Result<f64> {
        under_test.open().await?;
        let seconds = async { self.model(under_test, tuning).await?.seconds(phase).await }.await;
        self.give_back(under_test, seconds.is_ok());
        seconds
    }

    /// The model on the under_test's device, which it has until [`Self::give_back`].
    async fn model(&mut self, under_test: &mut DeviceUnderTest, tuning: Tuning) -> Result<&mut KnownModel> {
        let device = under_test.device.take().expect("it was opened");
        let mut model = match self.model.take() {
            Some((mut model, number)) if number == under_test.number => {
                model.put_on(device);
                model
            }
            _ => KnownModel::new(device, self.file()?, under_test.kv).await?,
        };
        model.set_tuning(tuning);
        Ok(&mut self.model.insert((model, under_test.number)).0)
    }

    /// After an error the device's state is unknown: what comes next gets another.
    fn give_back(&mut self, under_test: &mut DeviceUnderTest, is_sound: bool) {
        let device = self.model.as_mut().map(|(model, _)| model.take_device());
        match device {
            Some(device) if is_sound => under_test.device = Some(device),
            device => {
                device.iter().for_each(Device::destroy);
                under_test.number += 1;
            }
        }
    }

    fn file(&mut self) -> Result<&[u8]> {
        if self.file.is_empty() {
            self.file = self.recipe.file()?;
        }
        Ok(&self.file)
    }

    async fn want(&mut self, kv: KvFormat, phase: Phase) -> Result<&Answer> {
        let known = self.want.iter().position(|(other, _)| *other == phase);
        let at = match known {
            Some(at) => at,
            None => {
                let mut model = KnownModel::new(Device::plain_cpu(), self.file()?, kv).await?;
                self.want.push((phase, model.answer(phase).await?));
                self.want.len() - 1
            }
        };
        Ok(&self.want[at].1)
    }
}

impl DeviceUnderTest {
    /// Makes sure that there is a device. Error: `WEBGPU_UNAVAILABLE`, which says nothing about any way of computing.
    async fn open(&mut self) -> Result<()> {
        if self.device.is_none() {
            // Never the CPU: what it computes proves nothing.
            let choice = if self.choice == DeviceChoice::LeastGpu { self.choice } else { DeviceChoice::Gpu };
            self.device = Some(choice.open().await?);
        }
        Ok(())
    }
}

impl Drop for DeviceUnderTest {
    fn drop(&mut self) {
        self.device.iter().for_each(Device::destroy);
    }
}
