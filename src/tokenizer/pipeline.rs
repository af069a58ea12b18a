//! Text to ids, by the `tokenizers` crate: added tokens are cut out, the rest is normalized, split and encoded.

use tokenizers::{
    AddedToken, AddedVocabulary, Model, ModelWrapper, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizer,
    Token,
};

use super::build::{self, Normalize};
use super::bytes::char_to_byte;
use super::split::SplitStep;
use crate::{Error, Result};

pub(super) struct Pipeline {
    /// All added tokens, and those that are no control tokens: a visitor's text must not hold any of those.
    added: [AddedVocabulary; 2],
    normalizer: Vec<NormalizerWrapper>,
    steps: Vec<SplitStep>,
    model: ModelWrapper,
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
        Ok(Pipeline { added: [all, without_control], normalizer, steps, model: model.into() })
    }

    pub(super) fn encode(&self, text: &str, parse_special: bool, ids: &mut Vec<u32>) -> Result<()> {
        let failed = |error: tokenizers::Error| Error::invalid("text", error.to_string());
        let normalizer = Normalize::new(&self.normalizer);
        let mut pieces = self.added[usize::from(!parse_special)].extract_and_normalize(Some(&normalizer), text);
        if let Some(error) = normalizer.failure() {
            return Err(Error::invalid("text", error));
        }
        self.steps.iter().try_for_each(|step| step.pre_tokenize(&mut pieces)).map_err(failed)?;
        pieces.tokenize(|word| self.tokenize(word.get())).map_err(failed)?;
        let pieces = pieces.get_splits(OffsetReferential::Original, OffsetType::None);
        ids.extend(pieces.iter().flat_map(|(_, _, tokens)| tokens.iter().flatten()).map(|token| token.id));
        Ok(())
    }

    /// The tokens of one word. The crate drops what byte-pair encoding has no token for; here that is an error.
    fn tokenize(&self, word: &str) -> tokenizers::Result<Vec<Token>> {
        let tokens = self.model.tokenize(word)?;
        if tokens.last().map_or(0, |token| token.offsets.1) == word.len() {
            return Ok(tokens);
        }
        let has_token = |c: char| self.model.token_to_id(c.encode_utf8(&mut [0; 4])).is_some();
        let missing = word.chars().find(|c| !has_token(*c)).unwrap_or_default();
        let byte = char_to_byte(missing).filter(|_| self.steps.iter().any(SplitStep::is_bytes));
        let missing = byte.map_or(format!("{missing:?}"), |byte| match byte {
            0..=0x7F => format!("{:?}", char::from(byte)),
            0x80.. => format!("the byte 0x{byte:02X}"),
        });
        Err(format!("this model's vocabulary has no token for {missing}").into())
    }

    /// The id of a token by its text.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.added[0].token_to_id(token, &self.model)
    }
}
