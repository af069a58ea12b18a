//! Never gibberish: before a model is computed on a GPU, each way of computing there answers a small model's questions, whose
//! answers the specification knows. A way that is wrong is not used, and of those that are right the fastest is; what was
//! found out holds for the adapter and this build, so that it need not be asked again.

use super::known::{Answer, KnownModel, Part, Size, file};
use super::load::{DeviceChoice, LoadOptions, LoadProgress, open_device};
use crate::device::{Candidates, Device, DeviceInfo, KvFormat, Tuning};
use crate::error::Result;
use crate::quant::Format;
use serde::{Deserialize, Serialize};

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
    let candidates = self_test.candidates.clone().unwrap_or_else(|| Candidates::of(info));
    let key = key(info, format, *kv);
    if let Some(known) = self_test.known.iter().find(|verdict| verdict.holds(&key, &candidates)) {
        return Ok(known.clone());
    }
    let exam = Exam::new(info, options, format).await?;
    let report = &mut |loaded, total| on_progress(LoadProgress { status: "self-test", loaded, total });
    let mut verdict = Verdict { key, tuning: None, demoted: Vec::new() };
    // A software adapter compiles slowly and is nobody's choice for its speed: the first that is right will do.
    if info.software {
        report(0, 1);
        verdict.tuning = exam.usual(&candidates).await;
    }
    if verdict.tuning.is_none() {
        (verdict.tuning, verdict.demoted) = exam.all(&candidates, report).await?;
    }
    for Demoted { variant, reason } in &verdict.demoted {
        log::warn!("{}: {variant} is not used: {reason}", name(info));
    }
    Ok(verdict)
}

/// What an adapter is called.
pub fn name(info: &DeviceInfo) -> String {
    let names = [&info.description, &info.architecture, &info.vendor];
    names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_else(|| "the graphics adapter".to_string())
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

/// What each way of computing goes through.
struct Exam {
    device: DeviceChoice,
    usual: Tuning,
    small: Vec<u8>,
    /// For times, where they are worth taking.
    wide: Option<Vec<u8>>,
    kv: KvFormat,
    /// To each part of the questions.
    answers: [Answer; 3],
}

impl Exam {
    async fn new(info: &DeviceInfo, options: &LoadOptions, format: Format) -> Result<Exam> {
        let &LoadOptions { device, kv, .. } = options;
        let usual = Tuning::unmeasured(info.software);
        let small = file(format, Size::SMALL)?;
        let wide = if info.software { None } else { Some(file(format, Size::WIDE)?) };
        let mut specification = KnownModel::new(Device::plain_cpu(), usual, &small, kv).await?;
        let mut answers = Vec::new();
        for part in Part::ALL {
            answers.push(specification.answer(part).await?);
        }
        let answers = answers.try_into().unwrap_or_else(|_| unreachable!("one for each part"));
        Ok(Exam { device, usual, small, wide, kv, answers })
    }

    /// The usual way, or the first, if it is right.
    async fn usual(&self, candidates: &Candidates) -> Option<Tuning> {
        let matvec = candidates.matvec.iter().find(|&&shape| shape == self.usual.matvec);
        let matmul = candidates.matmul.iter().find(|&&shape| shape == self.usual.matmul);
        let matvec = *matvec.or(candidates.matvec.first())?;
        let matmul = *matmul.or(candidates.matmul.first())?;
        let tuning = Tuning { matvec, matmul, ..self.usual };
        self.sit(tuning, Part::Whole).await.is_ok().then_some(tuning)
    }

    /// Each way by itself, then the best of those that are right together; and those that are wrong.
    async fn all(
        &self,
        candidates: &Candidates,
        report: &mut dyn FnMut(u64, u64),
    ) -> Result<(Option<Tuning>, Vec<Demoted>)> {
        let total = (candidates.matvec.len() + candidates.matmul.len() + 1) as u64;
        let (mut done, mut demoted) = (0..total, Vec::new());
        let mut step = || report(done.next().unwrap_or(total), total);
        let mut right = Vec::new();
        for &matvec in &candidates.matvec {
            step();
            match self.time(Tuning { matvec, ..self.usual }, Part::Decode).await {
                Ok((_, seconds)) => right.push((matvec, seconds)),
                Err(reason) => demoted.push(Demoted { variant: format!("matvec, {matvec}"), reason }),
            }
        }
        let matvec = best(&right, self.usual.matvec);
        let mut right = Vec::new();
        for &matmul in &candidates.matmul {
            step();
            match self.time(Tuning { matmul, ..self.usual }, Part::Prefill).await {
                Ok((seconds, _)) => right.push((matmul, seconds)),
                Err(reason) => demoted.push(Demoted { variant: format!("matmul, {matmul}"), reason }),
            }
        }
        let (Some(matvec), Some(matmul)) = (matvec, best(&right, self.usual.matmul)) else {
            return Ok((None, demoted));
        };
        step();
        let tuning = Tuning { matvec, matmul, ..self.usual };
        match self.sit(tuning, Part::Whole).await {
            Ok(()) => Ok((Some(tuning), demoted)),
            Err(reason) => {
                demoted.push(Demoted { variant: "all kernels together".to_string(), reason });
                Ok((None, demoted))
            }
        }
    }

    /// What is wrong with a way of computing, if anything.
    async fn sit(&self, tuning: Tuning, part: Part) -> std::result::Result<(), String> {
        // As many outputs to a group of lanes as the shape says, however small the weight.
        let tuning = Tuning { least_groups: 1, ..tuning };
        let answer = async { self.open(tuning, &self.small).await?.answer(part).await };
        let answer = answer.await.map_err(|error: crate::Error| error.to_string())?;
        answer.fault(&self.answers[part as usize]).map_or(Ok(()), Err)
    }

    /// Seconds of a prompt and of a token, 0 where they are not taken; or what is wrong.
    async fn time(&self, tuning: Tuning, part: Part) -> std::result::Result<(f64, f64), String> {
        self.sit(tuning, part).await?;
        let Some(wide) = &self.wide else { return Ok((0.0, 0.0)) };
        let seconds = async { self.open(tuning, wide).await?.seconds().await };
        seconds.await.map_err(|error: crate::Error| error.to_string())
    }

    /// A model on a device of its own: losing that is no harm to any other.
    async fn open(&self, tuning: Tuning, bytes: &[u8]) -> Result<KnownModel> {
        KnownModel::new(open_device(self.device).await?, tuning, bytes, self.kv).await
    }
}
