//! The pre-tokenizers of GGUF's byte-pair vocabularies, by the name in `tokenizer.ggml.pre`: one row a family. The
//! patterns are those that the models' authors published (in `tokenizer.json` or their own code), in order; each is
//! applied to what the one before left, its matches and what lies between them.

use crate::{Error, Result};

/// GPT-2 (Radford et al. 2019).
pub(super) const GPT2: &str = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// GPT-4 and Llama 3: contractions in any case, at most three digits, line breaks by themselves.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 2: Llama 3's with single digits.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 3.5: combining marks belong to words.
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// MiniCPM 5, after its digits were cut.
const MINICPM5: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 2's without contractions, for Turkish.
const UFAKZEKA: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED_CODER: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str =
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const EXAONE_MOE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+";
/// Mistral's Tekken: words change at a capital.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// GPT-4o (o200k): Tekken's with contractions and groups of three digits.
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// GPT-4o's with single digits.
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Kimi K2: GPT-4o's, but Chinese characters stand by themselves.
const KIMI_K2: &str = r"\p{Han}+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// DeepSeek V3, after its digits and its Chinese and Japanese characters were cut.
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
/// DeepSeek LLM's letters: Latin, Greek, Cyrillic, Georgian and other scripts with capitals.
const DEEPSEEK_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\x{1F7D}ᾀ-ᾴᾶ-ᾼ\x{1FBE}ῂ-ῄῆ-ῌῐ-\x{1FD3}ῖ-\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\x{2126}ℨ\x{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
const CJK: &str = "[一-龥ࠀ-一가-\u{D7FF}]+";
const HAN_KANA: &str = "[一-龥\u{3040}-ゟ゠-ヿ]+";
/// BLOOM: words between spaces and punctuation.
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
const DIGIT: &str = r"\p{N}";
const DIGITS: &str = r"\p{N}+";
const UP_TO_THREE_DIGITS: &str = r"\p{N}{1,3}";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";
/// SentencePiece-like vocabularies with merges: lines and line breaks.
const LINES: &str = r"[^\n]+|\n+";

/// The properties of one family of pre-tokenizers.
pub(super) struct Pre {
    pub(super) names: &'static [&'static str],
    pub(super) patterns: &'static [&'static str],
    /// A word that is a token is not taken apart, whatever the merges say.
    pub(super) whole_words: bool,
    /// A text begins with BOS unless the file says otherwise.
    pub(super) add_bos: bool,
    /// The tokens are text with `▁` for spaces, and bytes are `<0x0A>`, rather than GPT-2's byte alphabet.
    pub(super) sentencepiece: bool,
}

const PLAIN: Pre = Pre { names: &[], patterns: &[], whole_words: false, add_bos: false, sentencepiece: false };

#[rustfmt::skip] // a table
pub(super) const PRE_TOKENIZERS: &[Pre] = &[
    Pre { names: &["gpt-2", "phi-2", "gpt2", "mpt", "olmo", "gpt-neox", "jais", "trillion", "granite-docling", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0", "mellum", "modern-bert", "exaone4"],
          patterns: &[GPT2], ..PLAIN },
    Pre { names: &["default"], patterns: &[r"[\p{P}$+<=>^~|]+", GPT2, DIGITS, THREE_DIGITS], ..PLAIN },
    Pre { names: &["smollm", "starcoder", "refact", "granite", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"],
          patterns: &[DIGIT, GPT2], ..PLAIN },
    Pre { names: &["falcon"], patterns: &[r"[\p{P}$+<=>^~|`]+", GPT2, THREE_DIGITS], ..PLAIN },
    Pre { names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"],
          patterns: &[LLAMA3], whole_words: true, add_bos: true, ..PLAIN },
    Pre { names: &["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"], patterns: &[LLAMA3], ..PLAIN },
    Pre { names: &["qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "kormo", "f2llmv2", "grok-2", "solar-open"],
          patterns: &[QWEN2], ..PLAIN },
    Pre { names: &["qwen35"], patterns: &[QWEN35], ..PLAIN },
    Pre { names: &["tekken"], patterns: &[TEKKEN], whole_words: true, add_bos: true, ..PLAIN },
    Pre { names: &["gpt-4o", "llama4", "phi-4", "o200k", "kanana2", "talkie", "minimax-m2"], patterns: &[GPT4O], ..PLAIN },
    Pre { names: &["granite-embed-multi-97m"], patterns: &[GPT4O], whole_words: true, ..PLAIN },
    Pre { names: &["deepseek-llm"], patterns: &["[\r\n]", DEEPSEEK_LETTERS, r"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", r"\s+$", CJK, DIGITS], ..PLAIN },
    Pre { names: &["deepseek-coder"], patterns: &["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK, DIGIT], ..PLAIN },
    Pre { names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"], patterns: &[UP_TO_THREE_DIGITS, HAN_KANA, DEEPSEEK3], ..PLAIN },
    Pre { names: &["kimi-k2"], patterns: &[KIMI_K2], ..PLAIN },
    Pre { names: &["bloom", "poro-chat", "gpt3-finnish"], patterns: &[BLOOM], ..PLAIN },
    Pre { names: &["viking"], patterns: &[BLOOM, DIGIT], ..PLAIN },
    Pre { names: &["bailingmoe", "bailingmoe2", "llada-moe"], patterns: &[BAILING], ..PLAIN },
    Pre { names: &["seed-coder"], patterns: &[SEED_CODER], ..PLAIN },
    Pre { names: &["exaone-moe"], patterns: &[EXAONE_MOE], ..PLAIN },
    Pre { names: &["youtu"], patterns: &["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u{3040}-ゟ゠-ヿ]+", YOUTU], whole_words: true, ..PLAIN },
    Pre { names: &["ufakzeka"], patterns: &[UFAKZEKA], ..PLAIN },
    Pre { names: &["laguna"], patterns: &[LINES, QWEN2], ..PLAIN },
    Pre { names: &["minicpm5"], patterns: &[UP_TO_THREE_DIGITS, MINICPM5], whole_words: true, ..PLAIN },
    Pre { names: &["gemma4", "granite-embed-multi-311m"], patterns: &[LINES], whole_words: true, add_bos: true, sentencepiece: true },
    Pre { names: &["sarvam-moe"], patterns: &[LINES], sentencepiece: true, ..PLAIN },
];

/// The pre-tokenizer of that name; [`Error::Unsupported`], listing those there are, for any other.
pub(super) fn pre_tokenizer(name: &str) -> Result<&'static Pre> {
    PRE_TOKENIZERS.iter().find(|pre| pre.names.contains(&name)).ok_or_else(|| {
        let known: Vec<&str> = PRE_TOKENIZERS.iter().flat_map(|pre| pre.names).copied().collect();
        Error::Unsupported {
            what: format!("the pre-tokenizer `{name}` of the tokenizer"),
            hint: format!("; known are {}", known.join(", ")).into(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::split::SplitStep;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    /// The words recorded by `tests/golden/splits.py`, which has the patterns as published and another matcher.
    #[test]
    fn words_are_as_published() {
        let recorded = include_str!("../../tests/tokenizers/splits.json");
        let recorded: serde_json::Value = serde_json::from_str(recorded).expect("JSON");
        let texts = recorded["texts"].as_array().expect("texts");
        let families = recorded["words"].as_object().expect("families");
        assert!(families.len() >= 18 && texts.len() >= 26);
        for (name, words) in families {
            let pre = pre_tokenizer(name).expect("a known name");
            for (text, want) in texts.iter().zip(words.as_array().expect("a list for each text")) {
                let mut pieces = PreTokenizedString::from(text.as_str().expect("a text"));
                for pattern in pre.patterns {
                    SplitStep::isolated(pattern).expect("compiles").pre_tokenize(&mut pieces).expect("splits");
                }
                let got = pieces.get_splits(OffsetReferential::Original, OffsetType::None);
                let got: Vec<&str> = got.into_iter().map(|(word, ..)| word).filter(|word| !word.is_empty()).collect();
                let want: Vec<&str> = want.as_array().expect("words").iter().filter_map(|word| word.as_str()).collect();
                assert_eq!(got, want, "{name} on {text}");
            }
        }
    }

    #[test]
    fn names_are_listed_once() {
        let mut names: Vec<&str> = PRE_TOKENIZERS.iter().flat_map(|pre| pre.names).copied().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        let error = pre_tokenizer("of-tomorrow").err().expect("unknown").to_string();
        assert!(error.contains("`of-tomorrow`") && error.contains("llama-bpe, llama3"), "{error}");
    }
}
