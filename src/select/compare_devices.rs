//! `auto` measures: a graphics card that computes correctly may still be slower than the CPU, for a model so small that its
//! dispatches take longer than its arithmetic, or because the card is old.

use super::estimate::{Costs, Workload, costs, weights_per_token};
use crate::device::{Device, Tuning};
use crate::error::Result;
use crate::models::{Architecture, Shape};
use crate::quant::Format;
use serde::{Deserialize, Serialize};

/// Larger models are not measured: no CPU reads so many weights in the time that a GPU's dispatches take.
const MOST_WEIGHTS: f64 = 200e6;
/// The CPU is taken if it needs less than this share of the time: a GPU leaves it free for everything else.
const BETTER: f64 = 0.8;

/// A question and its answer.
const TURN: Workload = Workload { prompt: 256, answer: 128 };
/// A paragraph that becomes a vector.
const TEXT: Workload = Workload { prompt: 128, answer: 0 };

/// How fast the two devices are with weights in one format.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    gpu: Costs,
    cpu: Costs,
}

impl Throughput {
    /// Measures both in well under a second. The GPU is measured on a device of its own, which is destroyed afterwards.
    ///
    /// # Errors
    /// `WEBGPU_UNAVAILABLE`, `OUT_OF_MEMORY`, `DEVICE_LOST`.
    pub async fn measure(tuning: Tuning, format: Format) -> Result<Throughput> {
        let mut gpu = Device::gpu().await?;
        gpu.set_tuning(tuning);
        let measured = costs(&mut gpu, format).await;
        gpu.destroy();
        Ok(Throughput { gpu: measured?, cpu: costs(&mut Device::cpu(), format).await? })
    }

    /// If the CPU is faster for a model of this shape, says so in words.
    pub fn why_cpu(&self, shape: &Shape, is_encoder: bool) -> Option<String> {
        let (task, what) = match is_encoder {
            true => (TEXT, format!("a text of {} tokens", TEXT.prompt)),
            false => (TURN, format!("an answer of {} tokens to {}", TURN.answer, TURN.prompt)),
        };
        let [cpu, gpu] = [self.cpu, self.gpu].map(|costs| costs.seconds(shape, task));
        let ms = |seconds: f64| (1e3 * seconds).ceil();
        (cpu < BETTER * gpu).then(|| {
            format!(
                "the CPU computes this model faster: {what} takes it about {} ms, and the graphics adapter {} ms",
                ms(cpu),
                ms(gpu)
            )
        })
    }
}

/// Whether a model of this shape is small enough for the CPU to be worth a measurement.
pub fn is_worth_measuring(architecture: &Architecture, shape: &Shape) -> bool {
    let vocabulary = if architecture.is_encoder() { 0 } else { shape.vocabulary };
    weights_per_token(&Shape { vocabulary, ..shape.clone() }) <= MOST_WEIGHTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::PerLayer;
    use crate::models;
    use crate::select::estimate::Pace;

    fn shape(n_layers: usize, d_model: usize, vocabulary: usize) -> Shape {
        Shape {
            architecture: "llama",
            d_model,
            n_layers,
            n_heads: PerLayer::Same(8),
            n_kv_heads: PerLayer::Same(8),
            head_dim: d_model / 8,
            d_ffn: PerLayer::Same(3 * d_model),
            vocabulary,
            context: 2048,
        }
    }

    // A card of 200 GB/s behind a slow driver; one core.
    const MEASURED: Throughput = Throughput {
        gpu: Costs { pace: Pace { weight: 5e-12, dispatch: 4e-5 }, row: 1e-13, wait: 1e-3 },
        cpu: Costs { pace: Pace { weight: 5e-10, dispatch: 1e-6 }, row: 5e-11, wait: 0.0 },
    };

    #[test]
    fn a_tiny_model_goes_to_the_cpu_and_a_larger_one_does_not() {
        let why = MEASURED.why_cpu(&shape(4, 128, 1024), false).expect("dispatches take the time");
        assert!(
            why.contains("the CPU computes this model faster: an answer of 128 tokens to 256 takes it about"),
            "{why}"
        );
        assert_eq!(MEASURED.why_cpu(&shape(12, 768, 32000), false), None);
        // A text's rows are computed at once: there the card's arithmetic tells sooner.
        assert!(MEASURED.why_cpu(&shape(4, 64, 1024), true).is_some());
        assert_eq!(MEASURED.why_cpu(&shape(6, 384, 30000), true), None);
    }

    #[test]
    fn in_doubt_it_is_the_gpu() {
        let throughput = Throughput { cpu: Costs { wait: 0.9 * MEASURED.gpu.wait, ..MEASURED.gpu }, ..MEASURED };
        assert_eq!(throughput.why_cpu(&shape(4, 128, 1024), false), None);
    }

    #[test]
    fn large_models_are_not_measured() {
        let llama = models::REGISTRY[0];
        assert!(is_worth_measuring(llama, &shape(6, 288, 32000)));
        assert!(!is_worth_measuring(llama, &shape(28, 2048, 151_936)));
    }
}
