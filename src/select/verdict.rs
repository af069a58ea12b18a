//! What was found out about a graphics adapter: which way of computing is right and fastest there.

use super::compare_devices::Paces;
use crate::device::{Candidates, Tuning};
use serde::{Deserialize, Serialize};

/// What was found out about an adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The adapter, the build, and the number formats that it holds for.
    pub(super) key: String,
    /// The way to compute; none if every one is wrong.
    pub(super) tuning: Option<Tuning>,
    /// The ways that are wrong.
    pub demoted: Vec<Demoted>,
    /// Beside the CPU, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paces: Option<Paces>,
}

/// A way of computing that is wrong here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Demoted {
    /// The kernel and its shape.
    pub variant: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Verdict {
    /// How to compute.
    ///
    /// # Errors
    /// Why not at all, in words.
    pub fn tuning(&self) -> std::result::Result<Tuning, String> {
        let reasons = self.demoted.iter().map(|Demoted { variant, reason }| format!("{variant}: {reason}"));
        self.tuning.ok_or_else(|| format!("it computes wrongly ({})", reasons.collect::<Vec<_>>().join("; ")))
    }

    /// Verdicts come from where they were kept: one that is not about this device and build is no verdict.
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
