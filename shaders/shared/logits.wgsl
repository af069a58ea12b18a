// Logits with their edits; shared by argmax and sample. The struct of src/ops/argmax.rs.
struct LogitParams {
    vocab: u32,
    stride: u32,         // floats from one row of logits to the next
    partial_stride2: u32, // pairs from one row of partials to the next
    chunks: u32,
}

@group(0) @binding(0) var<uniform> params: LogitParams;
@group(0) @binding(1) var<storage, read> control: array<u32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>; // [L, V]
@group(0) @binding(3) var<storage, read> edits: array<u32>;  // of each slot

fn edited_logit(row: u32, slot: u32, flags: u32, id: u32) -> f32 {
    return edited(logits[row * params.stride + id], slot, flags, params.vocab, id);
}
