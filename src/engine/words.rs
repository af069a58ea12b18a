//! The ids of a passage become words (OpenAI's whisper/tokenizer.py, transformers' `_combine_tokens_into_words`): at spaces, or by
//! characters in languages that are written without them; punctuation belongs to its word.

use crate::error::Result;
use std::ops::Range;

/// Languages that are written without spaces.
const UNSPACED: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const BEFORE_A_WORD: &str = "\"'“¡¿([{-";
const BEHIND_A_WORD: &str = "\"'.。,，!！?？:：”)]}、";

/// A word, and which of the passage's ids it is made of.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    /// With the space before it.
    pub text: String,
    /// Its ids.
    pub ids: Range<usize>,
}

/// The words of text ids in a language.
///
/// # Errors
/// Those of `decode`.
pub(super) fn words(
    ids: &[u32],
    language: Option<&str>,
    decode: &dyn Fn(&[u32]) -> Result<String>,
) -> Result<Vec<Part>> {
    let characters = characters(ids, decode)?;
    let is_spaced = !language.is_some_and(|code| UNSPACED.contains(&code));
    let mut words: Vec<Part> = Vec::new();
    for part in characters {
        let begins = part.text.starts_with(' ') || PUNCTUATION.contains(part.text.trim());
        match words.last_mut() {
            Some(word) if is_spaced && !begins => word.append(part),
            _ => words.push(part),
        }
    }
    Ok(with_what_follows(with_what_precedes(words)))
}

/// Ids by themselves, or together with those that end what they begin: a character's bytes may be in several.
fn characters(ids: &[u32], decode: &dyn Fn(&[u32]) -> Result<String>) -> Result<Vec<Part>> {
    let whole: Vec<char> = decode(ids)?.chars().collect();
    let mut parts = Vec::new();
    let (mut from, mut read) = (0, 0);
    for to in 1..=ids.len() {
        let text = decode(&ids[from..to])?;
        // A replacement character that the whole has as well is no half of a character.
        let broken = text.chars().position(|c| c == char::REPLACEMENT_CHARACTER);
        let is_half = broken.and_then(|at| whole.get(read + at)).is_some_and(|c| *c != char::REPLACEMENT_CHARACTER);
        if !is_half || to == ids.len() {
            read += text.chars().count();
            parts.push(Part { text, ids: from..to });
            from = to;
        }
    }
    Ok(parts)
}

/// Opening punctuation joins the word behind it.
fn with_what_precedes(words: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for mut word in words.into_iter().rev() {
        let opens = word.text.starts_with(' ') && BEFORE_A_WORD.contains(word.text.trim());
        if let Some(behind) = joined.pop() {
            if opens {
                word.append(behind);
            } else {
                joined.push(behind);
            }
        }
        joined.push(word);
    }
    joined.reverse();
    joined
}

/// Closing punctuation joins the word before it.
fn with_what_follows(words: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::new();
    for word in words {
        match joined.last_mut() {
            Some(before) if !before.text.ends_with(' ') && BEHIND_A_WORD.contains(&*word.text) => before.append(word),
            _ => joined.push(word),
        }
    }
    joined
}

impl Part {
    fn append(&mut self, behind: Part) {
        self.text += &behind.text;
        self.ids.end = behind.ids.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of tokens with these bytes.
    fn split(tokens: &[&[u8]], language: &str) -> Vec<(String, Range<usize>)> {
        let decode = |ids: &[u32]| {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| tokens[*id as usize]).copied().collect();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let ids: Vec<u32> = (0..tokens.len() as u32).collect();
        let words = words(&ids, Some(language), &decode).expect("words");
        words.into_iter().map(|word| (word.text, word.ids)).collect()
    }

    fn texts(tokens: &[&str], language: &str) -> Vec<String> {
        let bytes: Vec<&[u8]> = tokens.iter().map(|token| token.as_bytes()).collect();
        split(&bytes, language).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn words_begin_with_spaces_and_keep_their_punctuation() {
        let tokens = [" He", "llo", ",", " \"", "dear", "\"", " world", "!", "?"];
        assert_eq!(texts(&tokens, "en"), [" Hello,", " \"dear\"", " world!?"]);
        assert_eq!(texts(&[" don", "'t", " -", " ¿", "qué", "?"], "es"), [" don't", " - ¿qué?"]);
        assert_eq!(texts(&["Wal", "ter", "."], "en"), ["Walter."], "without a space before the first");
        assert_eq!(texts(&[], "en"), [""; 0]);
    }

    #[test]
    fn languages_without_spaces_go_by_characters() {
        assert_eq!(texts(&["你", "好", "，", "世界", "。"], "zh"), ["你", "好，", "世界。"]);
        assert_eq!(texts(&["你", "好", "，", "世界", "。"], "en"), ["你好，世界。"]);
    }

    #[test]
    fn halves_of_characters_stay_together() {
        let bytes = "é好".as_bytes();
        let tokens: [&[u8]; 5] = [b" caf", &bytes[..1], &bytes[1..3], &bytes[3..], b"."];
        assert_eq!(split(&tokens, "fr"), [(" café好.".to_string(), 0..5)]);
        assert_eq!(split(&tokens, "zh"), [(" caf".to_string(), 0..1), ("é好.".to_string(), 1..5)]);
        // Bytes that never become a character keep their place.
        assert_eq!(split(&[b" a", &bytes[..1]], "zh"), [(" a".to_string(), 0..1), ("\u{fffd}".to_string(), 1..2)]);
    }
}
