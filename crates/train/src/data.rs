//! Text to training batches: documents → byte-level BPE → one shuffled stream → windows of `context` tokens.
//!
//! A batch is a function of (seed, step) alone, so a run that resumes sees the very batches it would have seen.

use std::path::{Path, PathBuf};

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Model, ModelWrapper, Tokenizer, models::TrainerWrapper};

use cresset::{Error, Result};

/// Separates documents in a text file, and is the token before, and so after, every document.
pub const SEPARATOR: &str = "<|endoftext|>";

/// The non-empty documents of some UTF-8 files, trimmed.
///
/// # Errors
/// `MODEL_NOT_FOUND` and `STORAGE` for a file that is missing or cannot be read, `MODEL_FORMAT` for one that is not UTF-8,
/// `INVALID_REQUEST` if there is no document in any.
pub fn read_documents(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut documents = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).map_err(|e| unreadable(file, &e))?;
        let text =
            String::from_utf8(bytes).map_err(|_| Error::format(file.display().to_string(), "is not UTF-8 text"))?;
        documents.extend(text.split(SEPARATOR).map(str::trim).filter(|d| !d.is_empty()).map(str::to_owned));
    }
    if documents.is_empty() {
        return Err(Error::invalid("--data", "the files hold no text"));
    }
    Ok(documents)
}

/// Takes every 33rd document out of `documents`; where there are fewer than 33, the last 33rd of each one's text.
pub fn hold_out(documents: &mut Vec<String>) -> Vec<String> {
    const PART: usize = 33;
    if documents.len() < PART {
        let cut = |text: &mut String| text.split_off(text.floor_char_boundary(text.len() - text.len() / PART));
        return documents.iter_mut().map(cut).collect();
    }
    let (mut held_out, mut count) = (Vec::new(), 0);
    documents.retain_mut(|document| {
        count += 1;
        let kept = count % PART != 0;
        if !kept {
            held_out.push(std::mem::take(document));
        }
        kept
    });
    held_out
}

fn unreadable(file: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::ModelNotFound { what: file.display().to_string(), hint: "".into() },
        _ => Error::Storage { reason: format!("{} cannot be read: {error}", file.display()) },
    }
}

/// A byte-level BPE of `vocab` tokens over `documents`, split by GPT-2's pattern (Radford et al. 2019), so that GGUF's
/// `tokenizer.ggml.pre = gpt-2` describes it. Token 0 is [`SEPARATOR`], put before every text that is encoded with
/// special tokens; 1..257 are the bytes.
///
/// # Errors
/// `INVALID_REQUEST` for a `vocab` too small for the bytes or larger than the text yields.
pub fn train_tokenizer(documents: &[String], vocab: usize) -> Result<Tokenizer> {
    if vocab < 257 {
        return Err(Error::invalid("--vocab", "must be at least 257: the separator and the 256 bytes"));
    }
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocab)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(SEPARATOR, true)])
        .build();
    let bytes = ByteLevel::new(false, false, true);
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes));
    let mut trainer = TrainerWrapper::BpeTrainer(trainer);
    tokenizer.train(&mut trainer, documents.iter().map(String::as_str)).map_err(tokenizer_error)?;
    let id =
        tokenizer.token_to_id(SEPARATOR).ok_or_else(|| Error::Internal("the tokenizer lost its separator".into()))?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{SEPARATOR} $A"))
        .map_err(tokenizer_error)?
        .special_tokens(vec![(SEPARATOR, id)])
        .build()
        .map_err(tokenizer_error)?;
    tokenizer.with_post_processor(Some(template));
    if tokenizer.get_vocab_size(true) < vocab {
        return Err(Error::invalid(
            "--vocab",
            format!("the text yields only {} tokens; ask for at most that many", tokenizer.get_vocab_size(true)),
        ));
    }
    Ok(tokenizer)
}

fn tokenizer_error(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("tokenizers: {error}"))
}

/// Tokens and merges of a byte-level BPE, as a GGUF file lists them: tokens by id, merges `left right` by rank.
///
/// # Errors
/// `MODEL_UNSUPPORTED` for a tokenizer of another kind.
pub fn vocabulary(tokenizer: &Tokenizer) -> Result<(Vec<String>, Vec<String>)> {
    let ModelWrapper::BPE(model) = tokenizer.get_model() else {
        return Err(Error::unsupported("a tokenizer other than byte-level BPE"));
    };
    let count = model.get_vocab_size() as u32;
    let tokens: Option<Vec<String>> = (0..count).map(|id| model.id_to_token(id)).collect();
    let json = serde_json::to_value(model).map_err(tokenizer_error)?;
    let pair = |merge: &serde_json::Value| match merge {
        serde_json::Value::Array(pair) => Some(format!("{} {}", pair.first()?.as_str()?, pair.get(1)?.as_str()?)),
        other => other.as_str().map(str::to_owned),
    };
    let merges: Option<Vec<String>> = json["merges"].as_array().and_then(|m| m.iter().map(pair).collect());
    tokens.zip(merges).ok_or_else(|| Error::Internal("the tokenizer has gaps in its ids or merges".into()))
}

/// Encoded documents, and how many bytes of text each token stands for.
pub struct Corpus {
    /// Each begins with the separator.
    documents: Vec<Vec<u32>>,
    token_bytes: Vec<u32>,
    separator: u32,
}

/// Inputs and the tokens that follow them, `[rows, context]` row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Token ids.
    pub inputs: Vec<i32>,
    /// For every input the token after it.
    pub targets: Vec<i32>,
    /// Windows in the batch.
    pub rows: usize,
}

impl Corpus {
    /// Encodes documents with a tokenizer whose [`SEPARATOR`] comes before every text.
    ///
    /// # Errors
    /// `MODEL_FORMAT` if the tokenizer has no separator.
    pub fn new(tokenizer: &Tokenizer, texts: &[String]) -> Result<Corpus> {
        let separator = tokenizer
            .token_to_id(SEPARATOR)
            .ok_or_else(|| Error::format("tokenizer.json", format!("has no token {SEPARATOR}")))?;
        let documents = texts
            .iter()
            .map(|text| Ok(tokenizer.encode_fast(text.as_str(), true).map_err(tokenizer_error)?.get_ids().to_vec()))
            .collect::<Result<Vec<_>>>()?;
        // A byte-level token has one character a byte; the separator is no text.
        let length = |id| tokenizer.id_to_token(id).map_or(0, |t| t.chars().count() as u32);
        let mut token_bytes: Vec<u32> = (0..tokenizer.get_vocab_size(true) as u32).map(length).collect();
        token_bytes[separator as usize] = 0;
        Ok(Corpus { documents, token_bytes, separator })
    }

    /// Tokens of all documents together, the separators before them counted.
    pub fn tokens(&self) -> usize {
        self.documents.iter().map(Vec::len).sum()
    }

    /// Bytes of text that these tokens decode to.
    pub fn bytes_of(&self, tokens: &[i32]) -> u64 {
        tokens.iter().map(|&t| u64::from(self.token_bytes[t as usize])).sum()
    }

    /// All documents in the given order, and a last separator so that the last one's end is a target too.
    fn stream(&self, order: impl Iterator<Item = usize>) -> Vec<i32> {
        let mut stream: Vec<i32> = order.flat_map(|i| &self.documents[i]).map(|&t| t as i32).collect();
        stream.push(self.separator as i32);
        stream
    }

    /// The documents in order as batches of `rows` windows; the last may have fewer rows. What does not fill a window
    /// is left out.
    pub fn in_order(&self, rows: usize, context: usize) -> Vec<Batch> {
        let stream = self.stream(0..self.documents.len());
        let windows = (stream.len() - 1) / context;
        let starts: Vec<usize> = (0..windows).map(|w| w * context).collect();
        starts.chunks(rows).map(|starts| cut(&stream, starts, context)).collect()
    }
}

/// Windows of `context` tokens from `starts`, and the same one token later.
fn cut(stream: &[i32], starts: &[usize], context: usize) -> Batch {
    let take = |shift: usize| starts.iter().flat_map(|s| &stream[s + shift..s + shift + context]).copied().collect();
    Batch { inputs: take(0), targets: take(1), rows: starts.len() }
}

/// Endless shuffled batches. Every epoch joins the documents in a new order and cuts the stream at a new offset.
pub struct Batches<'a> {
    corpus: &'a Corpus,
    rows: usize,
    context: usize,
    seed: u64,
    /// Batches in an epoch.
    per_epoch: usize,
    epoch: Option<(usize, Vec<i32>, Vec<usize>)>, // epoch, stream, starts of its windows in the order of use
}

impl<'a> Batches<'a> {
    /// Batches of `rows` windows of `context` tokens each, in an order that `seed` decides.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the text does not fill one batch.
    pub fn new(corpus: &'a Corpus, rows: usize, context: usize, seed: u64) -> Result<Self> {
        // One context is lost to the offset, at most.
        let windows = corpus.tokens().saturating_sub(context) / context;
        if rows == 0 || windows < rows {
            return Err(Error::invalid(
                "--batch",
                format!("the text makes {windows} windows of {context} tokens; a batch needs 1 to that many"),
            ));
        }
        Ok(Batches { corpus, rows, context, seed, per_epoch: windows / rows, epoch: None })
    }

    /// Batches until every document has been used once.
    pub fn per_epoch(&self) -> usize {
        self.per_epoch
    }

    /// The batch of a step (from 0).
    pub fn get(&mut self, step: usize) -> Batch {
        let (epoch, index) = (step / self.per_epoch, step % self.per_epoch);
        if self.epoch.as_ref().is_none_or(|(e, ..)| *e != epoch) {
            self.epoch = Some(self.shuffle(epoch));
        }
        let (_, stream, starts) = self.epoch.as_ref().expect("shuffled above");
        cut(stream, &starts[index * self.rows..][..self.rows], self.context)
    }

    fn shuffle(&self, epoch: usize) -> (usize, Vec<i32>, Vec<usize>) {
        let mut random = SplitMix64(self.seed ^ (epoch as u64).wrapping_mul(0xd134_2543_de82_ef95));
        let mut order: Vec<usize> = (0..self.corpus.documents.len()).collect();
        random.shuffle(&mut order);
        let offset = random.below(self.context);
        let mut starts: Vec<usize> =
            (0..self.per_epoch * self.rows).map(|window| offset + window * self.context).collect();
        random.shuffle(&mut starts);
        (epoch, self.corpus.stream(order.into_iter()), starts)
    }
}

/// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..n`, by the high half of a 128-bit product.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Fisher and Yates.
    fn shuffle(&mut self, items: &mut [usize]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
