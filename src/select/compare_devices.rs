//! `auto` is a measurement: a graphics card that computes rightly may still be slower than the CPU where a model is so small
//! that its dispatches take longer than its arithmetic, or where the card is an old one.

use super::estimate::{Costs, Task, costs, weights_per_token};
use crate::device::{Device, Tuning};
use crate::error::Result;
use crate::models::{Architecture, Shape};
use crate::quant::Format;
use serde::{Deserialize, Serialize};

/// Nothing is measured for a model of more weights: no CPU reads so many in the time that their dispatches take.
const MOST_WEIGHTS: f64 = 200e6;
/// The CPU is taken if it needs less than this share of the time: a GPU leaves it free for everything else.
const BETTER: f64 = 0.8;

/// A question and its answer.
const TURN: Task = Task { prompt: 256, answer: 128 };
/// A paragraph that becomes a vector.
const TEXT: Task = Task { prompt: 128, answer: 0 };

/// How fast the two devices are with weights in one format.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Paces {
    gpu: Costs,
    cpu: Costs,
}

impl Paces {
    /// Measures them, in well under a second; the GPU on a device of its own, which leaves nothing behind.
    ///
    /// # Errors
    /// Those of opening a device and of running there.
    pub async fn measure(tuning: Tuning, format: Format) -> Result<Paces> {
        let mut gpu = Device::gpu().await?;
        gpu.set_tuning(tuning);
        let measured = costs(&mut gpu, format).await;
        gpu.destroy();
        Ok(Paces { gpu: measured?, cpu: costs(&mut Device::cpu(), format).await? })
    }

    /// Why a model is rather computed on the CPU, if it is.
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
    use crate::models;
    use crate::select::estimate::Pace;

    fn shape(n_layers: usize, d_model: usize, vocabulary: usize) -> Shape {
        Shape {
            architecture: "llama",
            d_model,
            n_layers,
            n_heads: 8,
            n_kv_heads: 8,
            head_dim: d_model / 8,
            d_ffn: 3 * d_model,
            vocabulary,
            context: 2048,
        }
    }

    // A card of 200 GB/s behind a slow driver; one core.
    const PACES: Paces = Paces {
        gpu: Costs { pace: Pace { weight: 5e-12, dispatch: 4e-5 }, row: 1e-13, wait: 1e-3 },
        cpu: Costs { pace: Pace { weight: 5e-10, dispatch: 1e-6 }, row: 5e-11, wait: 0.0 },
    };

    #[test]
    fn a_tiny_model_goes_to_the_cpu_and_a_larger_one_does_not() {
        let why = PACES.why_cpu(&shape(4, 128, 1024), false).expect("dispatches take the time");
        assert!(
            why.contains("the CPU computes this model faster: an answer of 128 tokens to 256 takes it about"),
            "{why}"
        );
        assert_eq!(PACES.why_cpu(&shape(12, 768, 32000), false), None);
        // A text's rows are computed at once: there the card's arithmetic tells sooner.
        assert!(PACES.why_cpu(&shape(4, 64, 1024), true).is_some());
        assert_eq!(PACES.why_cpu(&shape(6, 384, 30000), true), None);
    }

    #[test]
    fn in_doubt_it_is_the_gpu() {
        let paces = Paces { cpu: Costs { wait: 0.9 * PACES.gpu.wait, ..PACES.gpu }, ..PACES };
        assert_eq!(paces.why_cpu(&shape(4, 128, 1024), false), None);
    }

    #[test]
    fn large_models_are_not_measured() {
        let llama = models::REGISTRY[0];
        assert!(is_worth_measuring(llama, &shape(6, 288, 32000)));
        assert!(!is_worth_measuring(llama, &shape(28, 2048, 151_936)));
    }
}
