//! Never gibberish: before a model is computed on a GPU, each way of computing there answers a small model's questions, whose
//! answers the specification knows. A way that is wrong is not used, and of those that are right the fastest is; what was
//! found out holds for the adapter and this build, so that it need not be asked again.

use super::known_model::{Answer, KnownModel, Part, Recipe, Rounding, Size};
use super::options::{DeviceChoice, LoadOptions, LoadProgress};
use super::verdict::{Demoted, Verdict};
use crate::device::{Candidates, Device, DeviceInfo, KvFormat, MatmulShape, MatvecShape, Numbers, Tuning, UnpackF16};
use crate::error::Result;
use crate::quant::Format;
use std::fmt;

/// Another way is taken if it needs less than this share of the time.
const BETTER: f64 = 0.95;

/// The verdict on a GPU, for a model whose weights are in `formats`, most of them in the first.
///
/// # Errors
/// Those of a device that cannot be opened, and of the specification. What goes wrong in a trial is its outcome.
pub async fn judge(
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
    let mut exam = Exam::new(info, options, formats);
    let tuning = exam.all(&candidates, &mut report).await?;
    for Demoted { variant, reason } in &exam.demoted {
        log::warn!("{}: {variant} is not used: {reason}", info.name());
    }
    Ok(Verdict { key, tuning, demoted: exam.demoted, paces: None })
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
    subject: Subject,
    software: bool,
    usual: Tuning,
    /// In the format of most weights.
    small: Case,
    /// In all formats, with scales below f16's normal range; and without, for tiles of f16, in which weights that small
    /// may be lost, as little as they matter.
    mixed: Case,
    mixed_normal: Case,
    /// For times, where they are worth taking.
    wide: Option<Case>,
    demoted: Vec<Demoted>,
}

/// The device that is examined: one for all cases, whose kernels are mostly the same. Losing it is no harm to any other.
struct Subject {
    choice: DeviceChoice,
    kv: KvFormat,
    /// With its number: each error leads to a new one.
    device: Option<Device>,
    number: u32,
}

/// A model to ask, and what it should answer.
struct Case {
    recipe: Recipe,
    /// Made from the recipe when it is first needed.
    file: Vec<u8>,
    /// Once it was asked, with the number of the device that has its weights.
    model: Option<(KnownModel, u32)>,
    /// What the specification says.
    want: Vec<(Part, Answer)>,
}

impl Exam {
    fn new(info: &DeviceInfo, options: &LoadOptions, formats: &[Format]) -> Exam {
        let &LoadOptions { device, kv, .. } = options;
        let case = |formats: &[Format], size, small_scales| {
            let recipe = Recipe { formats: formats.to_vec(), size, small_scales };
            Case { recipe, file: Vec::new(), model: None, want: Vec::new() }
        };
        Exam {
            subject: Subject { choice: device, kv, device: None, number: 0 },
            software: info.software,
            usual: Tuning::unmeasured(info.software),
            small: case(&formats[..1], Size::SMALL, false),
            mixed: case(formats, Size::SMALL, true),
            mixed_normal: case(formats, Size::SMALL, false),
            wide: (!info.software).then(|| case(&formats[..1], Size::WIDE, false)),
            demoted: Vec::new(),
        }
    }

    /// The way to compute, if one is right. First the usual one; of software adapters, which compile slowly and are nobody's
    /// choice for their speed, that will do. Then each way by itself, and the best of them together.
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
        let matvec = self.best(matvec, usual.matvec, Part::Decode, &tuned, &mut step).await?;
        let tuned = |matmul| Tuning { matmul, ..usual };
        let matmul = self.best(matmul, usual.matmul, Part::Prefill, &tuned, &mut step).await?;
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

    /// Whether a way is right with every format and all kernels together, f16 numbers read in the first of these ways with
    /// which single rows are; or what is wrong. Where it is the reading that is wrong, that is demoted.
    async fn prove(
        &mut self,
        tuning: &mut Tuning,
        unpack_f16: &[UnpackF16],
    ) -> Result<std::result::Result<(), String>> {
        let mut outcome = Err("there is no way to read f16 numbers".to_string());
        let mut wrong = Vec::new();
        for &unpack_f16 in unpack_f16 {
            tuning.unpack_f16 = unpack_f16;
            outcome = self.mixed.ask(&mut self.subject, *tuning, Part::Decode).await?;
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
        let case = if tuning.matmul.numbers == Numbers::F16 { &mut self.mixed_normal } else { &mut self.mixed };
        case.ask(&mut self.subject, *tuning, Part::Whole).await
    }

    /// The best of a kernel's shapes that answer a part rightly; the others are demoted. Of those in packed bytes only the one
    /// like the best in numbers is tried.
    async fn best<T: Shape>(
        &mut self,
        shapes: &[T],
        usual: T,
        part: Part,
        tuned: &dyn Fn(T) -> Tuning,
        step: &mut dyn FnMut(),
    ) -> Result<Option<T>> {
        let (mut packed, numbers): (Vec<T>, Vec<T>) = shapes.iter().partition(|shape| shape.is_packed());
        let mut right = self.right(&numbers, part, tuned, step).await?;
        if let Some(best) = best(&right, usual) {
            packed.retain(|shape| shape.is_like(&best));
        }
        right.extend(self.right(&packed, part, tuned, step).await?);
        Ok(best(&right, usual))
    }

    /// Those of a kernel's shapes that answer a part rightly, with its seconds, 0 where they are not taken.
    async fn right<T: Shape>(
        &mut self,
        shapes: &[T],
        part: Part,
        tuned: &dyn Fn(T) -> Tuning,
        step: &mut dyn FnMut(),
    ) -> Result<Vec<(T, f64)>> {
        let mut right = Vec::new();
        for &shape in shapes {
            step();
            let mut outcome = self.small.ask(&mut self.subject, tuned(shape), part).await?.map(|()| 0.0);
            if let (Ok(seconds), Some(wide)) = (&mut outcome, &mut self.wide) {
                match wide.seconds(&mut self.subject, tuned(shape), part).await {
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
    /// What is wrong with a way's answer to a part, if anything. Error: that of the specification.
    async fn ask(
        &mut self,
        subject: &mut Subject,
        tuning: Tuning,
        part: Part,
    ) -> Result<std::result::Result<(), String>> {
        // As many outputs to a group of lanes as the shape says, however small the weight.
        let tuning = Tuning { least_groups: 1, ..tuning };
        subject.open().await?;
        let answer = async { self.model(subject, tuning).await?.answer(part).await }.await;
        self.give_back(subject, answer.is_ok());
        let want = self.want(subject.kv, part).await?;
        let packed = tuning.matvec.is_packed() || tuning.matmul.is_packed();
        let rounding = if packed { Rounding::EightBits } else { Rounding::Halves };
        Ok(match answer {
            Ok(answer) => answer.fault(want, rounding).map_or(Ok(()), Err),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn seconds(&mut self, subject: &mut Subject, tuning: Tuning, part: Part) -> Result<f64> {
        subject.open().await?;
        let seconds = async { self.model(subject, tuning).await?.seconds(part).await }.await;
        self.give_back(subject, seconds.is_ok());
        seconds
    }

    /// The model on the subject's device, which it has until [`Self::give_back`].
    async fn model(&mut self, subject: &mut Subject, tuning: Tuning) -> Result<&mut KnownModel> {
        let device = subject.device.take().expect("it was opened");
        let mut model = match self.model.take() {
            Some((mut model, number)) if number == subject.number => {
                model.put_on(device);
                model
            }
            _ => KnownModel::new(device, self.file()?, subject.kv).await?,
        };
        model.set_tuning(tuning);
        Ok(&mut self.model.insert((model, subject.number)).0)
    }

    /// After an error the device's state is unknown: what comes next gets another.
    fn give_back(&mut self, subject: &mut Subject, is_sound: bool) {
        let device = self.model.as_mut().map(|(model, _)| model.take_device());
        match device {
            Some(device) if is_sound => subject.device = Some(device),
            device => {
                device.iter().for_each(Device::destroy);
                subject.number += 1;
            }
        }
    }

    fn file(&mut self) -> Result<&[u8]> {
        if self.file.is_empty() {
            self.file = self.recipe.file()?;
        }
        Ok(&self.file)
    }

    async fn want(&mut self, kv: KvFormat, part: Part) -> Result<&Answer> {
        let known = self.want.iter().position(|(other, _)| *other == part);
        let at = match known {
            Some(at) => at,
            None => {
                let mut model = KnownModel::new(Device::plain_cpu(), self.file()?, kv).await?;
                self.want.push((part, model.answer(part).await?));
                self.want.len() - 1
            }
        };
        Ok(&self.want[at].1)
    }
}

impl Subject {
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

impl Drop for Subject {
    fn drop(&mut self) {
        self.device.iter().for_each(Device::destroy);
    }
}
