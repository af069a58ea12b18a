//! Never gibberish: before a model is computed on a GPU, each way of computing there answers a small model's questions, whose
//! answers the specification knows. A way that is wrong is not used, and of those that are right the fastest is; what was
//! found out holds for the adapter and this build, so that it need not be asked again.

use super::known::{Answer, KnownModel, Part, Size, file};
use super::load::LoadProgress;
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
    options: &SelfTest,
    format: Format,
    kv: KvFormat,
    on_progress: &mut dyn FnMut(LoadProgress),
) -> Result<Verdict> {
    let candidates = options.candidates.clone().unwrap_or_else(|| Candidates::of(info));
    let key = key(info, format, kv);
    if let Some(known) = options.known.iter().find(|verdict| verdict.holds(&key, &candidates)) {
        return Ok(known.clone());
    }
    let total = (candidates.matvec.len() + candidates.matmul.len() + 1) as u64;
    let mut done = 0;
    let mut step = || {
        on_progress(LoadProgress { status: "self-test", loaded: done, total });
        done += 1;
    };
    let small = file(format, Size::SMALL)?;
    let wide = if info.software { None } else { Some(file(format, Size::WIDE)?) };
    let usual = Tuning::unmeasured(info.software);
    let trial = Trial { small: &small, wide: wide.as_deref(), kv };
    let mut specification = KnownModel::new(Device::plain_cpu(), usual, &small, kv).await?;
    let mut demoted = Vec::new();

    let want = specification.answer(Part::Decode).await?;
    let mut right = Vec::new();
    for &matvec in &candidates.matvec {
        step();
        match trial.run(Tuning { matvec, ..usual }, Part::Decode, &want).await {
            Ok((_, seconds)) => right.push((matvec, seconds)),
            Err(reason) => demoted.push(Demoted { variant: format!("matvec, {matvec}"), reason }),
        }
    }
    let matvec = best(&right, usual.matvec);

    let want = specification.answer(Part::Prefill).await?;
    let mut right = Vec::new();
    for &matmul in &candidates.matmul {
        step();
        match trial.run(Tuning { matmul, ..usual }, Part::Prefill, &want).await {
            Ok((seconds, _)) => right.push((matmul, seconds)),
            Err(reason) => demoted.push(Demoted { variant: format!("matmul, {matmul}"), reason }),
        }
    }
    let matmul = best(&right, usual.matmul);

    step();
    let mut tuning = None;
    if let (Some(matvec), Some(matmul)) = (matvec, matmul) {
        let chosen = Tuning { matvec, matmul, ..usual };
        let want = specification.answer(Part::Whole).await?;
        match (Trial { wide: None, ..trial }).run(chosen, Part::Whole, &want).await {
            Ok(_) => tuning = Some(chosen),
            Err(reason) => demoted.push(Demoted { variant: "all kernels together".to_string(), reason }),
        }
    }
    for Demoted { variant, reason } in &demoted {
        log::warn!("{}: {variant} is not used: {reason}", name(info));
    }
    Ok(Verdict { key, tuning, demoted })
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
#[derive(Clone, Copy)]
struct Trial<'a> {
    small: &'a [u8],
    /// For times, where they are worth taking.
    wide: Option<&'a [u8]>,
    kv: KvFormat,
}

impl Trial<'_> {
    /// Seconds of a prompt and of a token, 0 where they are not taken; or what is wrong. On a device of its own:
    /// losing it is no harm to any other.
    async fn run(&self, tuning: Tuning, part: Part, want: &Answer) -> std::result::Result<(f64, f64), String> {
        let open = async |bytes, tuning| {
            let device = Device::gpu().await?;
            KnownModel::new(device, tuning, bytes, self.kv).await
        };
        // As many outputs to a group of lanes as the shape says, however small the weight.
        let exact = Tuning { least_groups: 1, ..tuning };
        let answer = async { open(self.small, exact).await?.answer(part).await };
        let answer = answer.await.map_err(|error: crate::Error| error.to_string())?;
        if let Some(fault) = answer.fault(want) {
            return Err(fault);
        }
        match self.wide {
            None => Ok((0.0, 0.0)),
            Some(bytes) => {
                let seconds = async { open(bytes, tuning).await?.seconds().await };
                seconds.await.map_err(|error: crate::Error| error.to_string())
            }
        }
    }
}
