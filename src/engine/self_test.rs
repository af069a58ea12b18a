//! Never gibberish: before a model is computed on a GPU, each way of computing there answers a small model's questions, whose
//! answers the specification knows. A way that is wrong is not used, and of those that are right the fastest is; what was
//! found out holds for the adapter and this build, so that it need not be asked again.

use super::faster::Paces;
use super::known::{Answer, KnownModel, Part, Rounding, Size, file};
use super::load::{DeviceChoice, LoadOptions, LoadProgress, open_device};
use crate::device::{Candidates, Device, DeviceInfo, KvFormat, MatmulShape, MatvecShape, Numbers, Tuning};
use crate::error::Result;
use crate::quant::Format;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Another way is taken if it needs less than this share of the time.
const BETTER: f64 = 0.95;

/// How to go about it.
#[derive(Debug, Clone, Default)]
pub struct SelfTest {
    /// Without it, a device computes in the way that is usual for its kind, unproven.
    pub run: bool,
    /// What was found out before.
    pub known: Vec<Verdict>,
    /// Instead of those that the device's features allow.
    pub candidates: Option<Candidates>,
}

/// What was found out about an adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The adapter, the build, and the number formats that it holds for.
    key: String,
    /// The way to compute; none if every one is wrong.
    tuning: Option<Tuning>,
    pub demoted: Vec<Demoted>,
    /// Beside the CPU, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paces: Option<Paces>,
}

/// A way of computing that is wrong here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Demoted {
    pub variant: String,
    pub reason: String,
}

impl Verdict {
    /// How to compute, or why not at all.
    pub fn tuning(&self) -> std::result::Result<Tuning, String> {
        let reasons = self.demoted.iter().map(|Demoted { variant, reason }| format!("{variant}: {reason}"));
        self.tuning.ok_or_else(|| format!("it computes wrongly ({})", reasons.collect::<Vec<_>>().join("; ")))
    }

    /// Verdicts come from where they were kept: one that is not about this device and build is no verdict.
    fn holds(&self, key: &str, candidates: &Candidates) -> bool {
        let known = |tuning: Tuning| {
            candidates.matvec.contains(&tuning.matvec)
                && candidates.matmul.contains(&tuning.matmul)
                && (1..=1024).contains(&tuning.least_groups)
        };
        self.key == key && self.tuning.is_none_or(known)
    }
}

/// The verdict on a GPU, for a model whose weights are mostly in `format`.
///
/// Errors: those of a device that cannot be opened, and of the specification. What goes wrong in a trial is its outcome.
pub async fn judge(
    info: &DeviceInfo,
    options: &LoadOptions,
    format: Format,
    on_progress: &mut dyn FnMut(LoadProgress),
) -> Result<Verdict> {
    let LoadOptions { self_test, kv, .. } = options;
    let candidates = self_test.candidates.clone().unwrap_or_else(|| Candidates::of(info, format));
    let key = key(info, format, *kv);
    if let Some(known) = self_test.known.iter().find(|verdict| verdict.holds(&key, &candidates)) {
        return Ok(known.clone());
    }
    let exam = Exam::new(info, options, format)?;
    let report = &mut |loaded, total| on_progress(LoadProgress { status: "self-test", loaded, total });
    let mut verdict = Verdict { key, tuning: None, demoted: Vec::new(), paces: None };
    // A software adapter compiles slowly and is nobody's choice for its speed: the first that is right will do.
    if info.software {
        report(0, 1);
        verdict.tuning = exam.usual(&candidates).await?;
    }
    if verdict.tuning.is_none() {
        (verdict.tuning, verdict.demoted) = exam.all(&candidates, report).await?;
    }
    for Demoted { variant, reason } in &verdict.demoted {
        log::warn!("{}: {variant} is not used: {reason}", info.name());
    }
    Ok(verdict)
}

fn key(info: &DeviceInfo, format: Format, kv: KvFormat) -> String {
    let DeviceInfo { backend, vendor, architecture, description, features, .. } = info;
    let (build, features) = (env!("CRESSET_BUILD"), features.join(" "));
    let (format, kv) = (format.name(), kv.name());
    format!("{backend} · {vendor} · {architecture} · {description} · {features} · {build} · {format} · {kv}")
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

/// Shapes that `shapes` will be tried in, if one of them in numbers is right.
fn trials<T: Shape>(shapes: &[T]) -> usize {
    let packed = shapes.iter().filter(|shape| shape.is_packed()).count();
    let numbers = shapes.len() - packed;
    if numbers == 0 { packed } else { numbers + packed.min(1) }
}

/// How a kernel is shaped.
trait Shape: Copy + PartialEq + fmt::Display {
    const KERNEL: &str;
    fn is_packed(&self) -> bool;
    /// The same, but for what is multiplied.
    fn is_like(&self, other: &Self) -> bool;
}

impl Shape for MatvecShape {
    const KERNEL: &str = "matvec";

    fn is_packed(&self) -> bool {
        self.packed
    }

    fn is_like(&self, other: &Self) -> bool {
        MatvecShape { packed: other.packed, ..*self } == *other
    }
}

impl Shape for MatmulShape {
    const KERNEL: &str = "matmul";

    fn is_packed(&self) -> bool {
        self.numbers == Numbers::Packed
    }

    fn is_like(&self, other: &Self) -> bool {
        self.tall == other.tall
    }
}

/// What each way of computing goes through.
struct Exam {
    device: DeviceChoice,
    usual: Tuning,
    small: Vec<u8>,
    /// For times, where they are worth taking.
    wide: Option<Vec<u8>>,
    kv: KvFormat,
}

impl Exam {
    fn new(info: &DeviceInfo, options: &LoadOptions, format: Format) -> Result<Exam> {
        let &LoadOptions { device, kv, .. } = options;
        let small = file(format, Size::SMALL)?;
        let wide = if info.software { None } else { Some(file(format, Size::WIDE)?) };
        Ok(Exam { device, usual: Tuning::unmeasured(info.software), small, wide, kv })
    }

    /// What the specification says to a part of the questions.
    async fn want(&self, part: Part) -> Result<Answer> {
        KnownModel::new(Device::plain_cpu(), self.usual, &self.small, self.kv).await?.answer(part).await
    }

    /// The usual way, or the first, if it is right.
    async fn usual(&self, candidates: &Candidates) -> Result<Option<Tuning>> {
        let matvec = usual_or_first(&candidates.matvec, self.usual.matvec);
        let matmul = usual_or_first(&candidates.matmul, self.usual.matmul);
        let (Some(matvec), Some(matmul)) = (matvec, matmul) else { return Ok(None) };
        let tuning = Tuning { matvec, matmul, ..self.usual };
        let want = self.want(Part::Whole).await?;
        Ok(self.sit(tuning, Part::Whole, &want).await.is_ok().then_some(tuning))
    }

    /// Each way by itself, then the best of those that are right together; and those that are wrong.
    async fn all(
        &self,
        candidates: &Candidates,
        report: &mut dyn FnMut(u64, u64),
    ) -> Result<(Option<Tuning>, Vec<Demoted>)> {
        let Candidates { matvec, matmul } = candidates;
        let total = (trials(matvec) + trials(matmul) + 1) as u64;
        let (mut done, mut demoted) = (0..total, Vec::new());
        let mut step = || report(done.next().unwrap_or(total), total);
        let tuned = |matvec| Tuning { matvec, ..self.usual };
        let matvec = self.best(matvec, self.usual.matvec, Part::Decode, &tuned, &mut step, &mut demoted).await?;
        let tuned = |matmul| Tuning { matmul, ..self.usual };
        let matmul = self.best(matmul, self.usual.matmul, Part::Prefill, &tuned, &mut step, &mut demoted).await?;
        let (Some(matvec), Some(matmul)) = (matvec, matmul) else { return Ok((None, demoted)) };
        step();
        let tuning = Tuning { matvec, matmul, ..self.usual };
        let want = self.want(Part::Whole).await?;
        match self.sit(tuning, Part::Whole, &want).await {
            Ok(()) => Ok((Some(tuning), demoted)),
            Err(reason) => {
                demoted.push(Demoted { variant: "all kernels together".to_string(), reason });
                Ok((None, demoted))
            }
        }
    }

    /// The best of a kernel's shapes. Only the best of those in numbers is tried in packed bytes as well.
    async fn best<T: Shape>(
        &self,
        shapes: &[T],
        usual: T,
        part: Part,
        tuned: &dyn Fn(T) -> Tuning,
        step: &mut dyn FnMut(),
        demoted: &mut Vec<Demoted>,
    ) -> Result<Option<T>> {
        let want = self.want(part).await?;
        let (mut packed, numbers): (Vec<T>, Vec<T>) = shapes.iter().partition(|shape| shape.is_packed());
        let mut right = self.right(&numbers, part, &want, tuned, step, demoted).await?;
        if let Some(best) = best(&right, usual) {
            packed.retain(|shape| shape.is_like(&best));
        }
        right.extend(self.right(&packed, part, &want, tuned, step, demoted).await?);
        Ok(best(&right, usual))
    }

    /// Those of a kernel's shapes that answer a part rightly, with its seconds; the others go to `demoted`.
    async fn right<T: Shape>(
        &self,
        shapes: &[T],
        part: Part,
        want: &Answer,
        tuned: &dyn Fn(T) -> Tuning,
        step: &mut dyn FnMut(),
        demoted: &mut Vec<Demoted>,
    ) -> Result<Vec<(T, f64)>> {
        let mut right = Vec::new();
        for &shape in shapes {
            step();
            match self.time(tuned(shape), part, want).await {
                Ok(seconds) => right.push((shape, seconds)),
                Err(reason) => demoted.push(Demoted { variant: format!("{}, {shape}", T::KERNEL), reason }),
            }
        }
        Ok(right)
    }

    /// What is wrong with a way of computing, if anything.
    async fn sit(&self, tuning: Tuning, part: Part, want: &Answer) -> std::result::Result<(), String> {
        // As many outputs to a group of lanes as the shape says, however small the weight.
        let tuning = Tuning { least_groups: 1, ..tuning };
        let answer = async { self.open(tuning, &self.small).await?.answer(part).await };
        let answer = answer.await.map_err(|error: crate::Error| error.to_string())?;
        let packed = tuning.matvec.is_packed() || tuning.matmul.is_packed();
        let rounding = if packed { Rounding::EightBits } else { Rounding::Halves };
        answer.fault(want, rounding).map_or(Ok(()), Err)
    }

    /// Seconds of a prompt, or of a token where that is the part, 0 where they are not taken; or what is wrong.
    async fn time(&self, tuning: Tuning, part: Part, want: &Answer) -> std::result::Result<f64, String> {
        self.sit(tuning, part, want).await?;
        let Some(wide) = &self.wide else { return Ok(0.0) };
        let seconds = async { self.open(tuning, wide).await?.seconds().await };
        let (prompt, token) = seconds.await.map_err(|error: crate::Error| error.to_string())?;
        Ok(if part == Part::Prefill { prompt } else { token })
    }

    /// A model on a device of its own: losing that is no harm to any other.
    async fn open(&self, tuning: Tuning, bytes: &[u8]) -> Result<KnownModel> {
        KnownModel::new(open_device(self.device).await?, tuning, bytes, self.kv).await
    }
}
