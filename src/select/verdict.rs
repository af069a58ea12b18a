//! The result of a self-test on a graphics adapter: which kernel variants are correct there, and which is fastest.

use super::compare_devices::Throughput;
use crate::device::{Candidates, Tuning};
use serde::{Deserialize, Serialize};

/// The result of a self-test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The adapter, the build, and the number formats that the result holds for.
    pub(super) key: String,
    /// The variants to use; `None` if all are wrong.
    pub(super) tuning: Option<Tuning>,
    /// Variants that are wrong.
    pub demoted: Vec<Demoted>,
    /// Its speed and the CPU's, where they were compared.
    #[serde(rename = "paces", default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<Throughput>,
}

/// A kernel variant that is wrong on this adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Demoted {
    /// The kernel and its shape.
    pub variant: String,
    /// Why it is not used.
    pub reason: String,
}

impl Verdict {
    /// The variants to use.
    ///
    /// # Errors
    /// If all are wrong, says so in words.
    pub fn tuning(&self) -> Result<Tuning, String> {
        let reasons = self.demoted.iter().map(|Demoted { variant, reason }| format!("{variant}: {reason}"));
        self.tuning.ok_or_else(|| format!("it computes wrongly ({})", reasons.collect::<Vec<_>>().join("; ")))
    }

    /// Whether it is about this device and build. Verdicts come back from storage, which anybody may have written.
    pub(super) fn holds(&self, key: &str, candidates: &Candidates) -> bool {
        let known = |tuning: Tuning| {
            candidates.matvec.contains(&tuning.matvec)
                && candidates.matmul.contains(&tuning.matmul)
                && candidates.unpack_f16.contains(&tuning.unpack_f16)
                && (1..=1024).contains(&tuning.least_groups)
        };
        self.key == key && self.tuning.is_none_or(known)
    }
}
