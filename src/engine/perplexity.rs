//! Perplexity: how well a model predicts a text.

use crate::error::{Error, Result};
use crate::generate::{Generator, YieldNow};
use crate::sampler::logprob;
use crate::tokenizer::Tokenizer;

/// The score of a text.
#[derive(Debug, Clone, Copy)]
pub struct Perplexity {
    /// exp of the mean negative log-likelihood of the scored tokens.
    pub perplexity: f64,
    /// How many tokens were predicted.
    pub scored_tokens: usize,
    /// Negative log-likelihood in bits, per byte of text.
    pub bits_per_byte: f64,
}

/// Scores a text in windows of `window` tokens side by side; in each, every token but the first is predicted. `on_progress`
/// gets the tokens that are done, and all.
///
/// # Errors
/// `INVALID_REQUEST` for a text or a window that is too short, and errors of the device.
pub async fn perplexity(
    generator: &mut Generator,
    tokenizer: &Tokenizer,
    (text, window): (&str, usize),
    on_progress: &mut dyn FnMut(usize, usize),
    yield_now: &YieldNow,
) -> Result<Perplexity> {
    let window = window.min(generator.context());
    let bos = tokenizer.encode("", true, false)?;
    let ids = tokenizer.encode(text, false, false)?;
    let body = window.saturating_sub(bos.len());
    if body < 2 || ids.len() < 2 {
        return Err(Error::invalid("file", "is too short to score, or the context is"));
    }
    let (mut bits, mut scored, mut bytes) = (0f64, 0usize, 0usize);
    for (i, chunk) in ids.chunks(body).enumerate() {
        let row: Vec<u32> = bos.iter().chain(chunk).copied().collect();
        bits += negative_log_likelihood(generator, &row, yield_now).await? / std::f64::consts::LN_2;
        scored += row.len() - 1;
        // Without a first token of its own, a window cannot score the text's first token.
        let scored_ids = &chunk[usize::from(bos.is_empty())..];
        bytes += scored_ids.iter().filter_map(|&id| tokenizer.token_bytes(id)).map(|b| b.len()).sum::<usize>();
        on_progress(((i + 1) * body).min(ids.len()), ids.len());
    }
    Ok(Perplexity {
        perplexity: (bits * std::f64::consts::LN_2 / scored as f64).exp(),
        scored_tokens: scored,
        bits_per_byte: bits / bytes.max(1) as f64,
    })
}

/// −Σ ln p of every id but the first, each given those before it.
async fn negative_log_likelihood(generator: &mut Generator, row: &[u32], yield_now: &YieldNow) -> Result<f64> {
    let (mut position, mut sum) = (0, 0f64);
    let mut on_row = |logits: &[f32]| {
        position += 1;
        if let Some(&next) = row.get(position) {
            sum -= f64::from(logprob(logits, next));
        }
    };
    generator.logits(row, true, &mut on_row, yield_now).await?;
    Ok(sum)
}
