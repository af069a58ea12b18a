//! Control tokens that end a turn or a text.

/// Names of control tokens that end a turn or a text in the families of models that use them. A file declares such a
/// token as a control token and often names only one of several as its end of text.
#[rustfmt::skip] // a table
pub(super) const END_TOKENS: &[&str] = &[
    "<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>", "[EOS]", "<|im_end|>", "<|eot_id|>",
    "<|eom_id|>", "<|eot|>", "<|eom|>", "<|end|>", "<end_of_turn>", "<turn|>", "<|tool_response>", "<|end_of_turn|>",
    "<|endofturn|>", "<|END_OF_TURN_TOKEN|>", "<|end_of_role|>", "<end_of_utterance>", "<|return|>", "<|call|>",
    "<|calls|>", "<|flush|>", "<EOT>", "_<EOT>", "[EOT]", "<eot>", "[e~[", "<|eos|>",
];

/// The ids of [`END_TOKENS`] among a vocabulary's control tokens.
pub(super) fn known_ends(control: impl Fn(&str) -> Option<u32>) -> Vec<u32> {
    // Where messages end in `<|return|>` or `<|call|>` (gpt-oss), `<|end|>` ends a part of one.
    let parts = ["<|call|>", "<|calls|>"].iter().any(|name| control(name).is_some())
        && ["<|return|>", "<|flush|>"].iter().any(|name| control(name).is_some());
    let ends = END_TOKENS.iter().filter(|name| !(parts && **name == "<|end|>"));
    ends.filter_map(|name| control(name)).collect()
}
