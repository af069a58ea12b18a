//! Which tensors of a model are quantised, and to what: by name, shape and llama.cpp's habits.

use crate::quant::Format;

use super::checkpoint::Checkpoint;
use super::tensor::TensorInfo;

/// Parts of the names, GGUF's and Hugging Face's, of matrices that are never quantised: they are small and models are
/// sensitive to them (norms, routers), or only looked up (positions, token types).
const KEPT: [&str; 10] = [
    "norm",
    "rope_freqs",
    "position_embd",
    "wpe.",
    "position_embeddings",
    "token_types",
    "token_type_embeddings",
    "ffn_gate_inp",
    "mlp.gate.weight",
    "moe.gate.weight",
];

/// The matrix that gives the logits; where none of these is there, it is the table of embeddings.
const OUTPUT: [&str; 4] = ["output.weight", "lm_head.weight", "embed_out.weight", "language_model.lm_head.weight"];
const EMBEDDINGS: [&str; 4] = ["token_embd.weight", "embed_tokens.weight", "wte.weight", "embed_in.weight"];

impl Checkpoint {
    /// The tensor's format when the model is quantised to `to`, for rows of `columns` weights (or columns, where it is
    /// used transposed). `None`: it stays as it is.
    pub fn format_when_quantized(&self, tensor: &TensorInfo, columns: usize, to: Format) -> Option<Format> {
        let name = tensor.name.as_str();
        let is_matrix = tensor.shape.len() >= 2 && tensor.rows() > 1 && name.ends_with(".weight");
        if !is_matrix || KEPT.iter().any(|part| name.contains(part)) {
            return None;
        }
        let is_output = match OUTPUT.into_iter().find(|output| self.tensor(output).is_some()) {
            Some(output) => name == output,
            None => EMBEDDINGS.iter().any(|embeddings| name.ends_with(embeddings)),
        };
        to.for_matrix(tensor.dtype.format()?, columns, is_output)
    }
}
