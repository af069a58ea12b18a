//! Text to ids, by the `tokenizers` crate: added tokens are cut out, the rest is normalized, split and encoded.

use std::collections::HashMap;

use tokenizers::{
    AddedToken, AddedVocabulary, Model, ModelWrapper, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizer,
    Token,
};

use super::build::{self, Normalize};
use super::split::SplitStep;
use crate::{Error, Result};

/// Stands before each character of a control token's text that is to stay text. A noncharacter: no text holds it.
const QUOTE: char = '\u{FDD0}';

pub(super) struct Pipeline {
    /// All added tokens, and those that are no control tokens: a visitor's text must not hold any of those.
    added: [AddedVocabulary; 2],
    normalizer: Vec<NormalizerWrapper>,
    steps: Vec<SplitStep>,
    model: ModelWrapper,
    /// The id of what the model does not know, and ids of texts that are known all the same.
    known: (u32, HashMap<String, u32>),
}

/// A text as it was before it was quoted.
pub(super) fn unquoted(text: &str) -> String {
    text.replace(QUOTE, "")
}

impl Pipeline {
    pub(super) fn new(
        added: Vec<(u32, AddedToken)>,
        normalizer: Vec<NormalizerWrapper>,
        steps: Vec<SplitStep>,
        model: impl Into<ModelWrapper>,
    ) -> Result<Self> {
        let all = build::added(added, &normalizer)?;
        let mut without_control = all.clone();
        without_control.set_encode_special_tokens(true);
        Ok(Pipeline {
            added: [all, without_control],
            normalizer,
            steps,
            model: model.into(),
            known: (0, HashMap::new()),
        })
    }

    /// From now on what the model takes for `unknown` has the id that `known` has for its text, if it has one.
    pub(super) fn keep_known(&mut self, unknown: u32, known: HashMap<String, u32>) {
        self.known = (unknown, known);
    }

    pub(super) fn encode(&self, text: &str, parse_special: bool, ids: &mut Vec<u32>) -> Result<()> {
        let failed = |error: tokenizers::Error| Error::invalid("text", error.to_string());
        let normalizer = Normalize::new(&self.normalizer);
        let mut pieces = self.added[usize::from(!parse_special)].extract_and_normalize(Some(&normalizer), text);
        if let Some(error) = normalizer.failure() {
            return Err(Error::invalid("text", error));
        }
        if text.contains(QUOTE) {
            pieces.normalize(|piece| piece.replace(QUOTE, "")).map_err(failed)?;
        }
        self.steps.iter().try_for_each(|step| step.pre_tokenize(&mut pieces)).map_err(failed)?;
        // Bytes and characters that byte-pair encoding has no token for are dropped, as they were in the model's training.
        pieces.tokenize(|word| self.model.tokenize(word.get())).map_err(failed)?;
        let pieces = pieces.get_splits(OffsetReferential::Original, OffsetType::None);
        let (unknown, known) = &self.known;
        let id = |token: &Token| match known.get(&token.value) {
            Some(id) if token.id == *unknown => *id,
            _ => token.id,
        };
        ids.extend(pieces.iter().flat_map(|(_, _, tokens)| tokens.iter().flatten()).map(id));
        Ok(())
    }

    /// The text with the tokens `is_control` that it spells quoted, or nothing if it spells none.
    pub(super) fn quoted(&self, text: &str, is_control: impl Fn(u32) -> bool) -> Option<String> {
        let pieces = self.added[0].extract_and_normalize(Some(&Normalize::new(&self.normalizer)), text);
        let pieces = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        let spelled = |token: &Option<Vec<Token>>| token.iter().flatten().any(|token| is_control(token.id));
        let control: Vec<_> = pieces.iter().filter(|(_, _, token)| spelled(token)).map(|(_, at, _)| at).collect();
        let mut quoted = String::new();
        let mut done = 0;
        for &&(from, to) in &control {
            quoted.push_str(&text[done..from]);
            text[from..to].chars().for_each(|c| quoted.extend([QUOTE, c]));
            done = to;
        }
        (!control.is_empty()).then(|| quoted + &text[done..])
    }

    /// The id of a token by its text.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.added[0].token_to_id(token, &self.model)
    }
}
