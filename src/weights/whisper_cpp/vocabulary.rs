//! Tokens whose ids are their ranks: what tokenizer.json would say of them (byte-level BPE, Radford et al. 2019).

use cresset_numerics::sort_by;
use serde_json::Value;
use std::collections::HashMap;

/// Bytes of a token whose merge is looked for; Whisper's have up to 128.
const MAX_MERGED: usize = 128;
/// What a transcript has no use for, each with and without a space before it (`non_speech_tokens` of OpenAI's tokenizer.py).
const SIGNS: &str = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 \
                     << >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
/// Notes are suppressed from their first token on.
const NOTES: &str = "♩ ♪ ♫ ♬ ♭ ♮ ♯";

/// The tokens of text by id, each in GPT-2's alphabet, in which every byte is a letter.
#[derive(Default)]
pub(super) struct Vocabulary {
    tokens: Vec<String>,
}

/// The ids of tokens.
pub(super) type Ids<'a> = HashMap<&'a str, u32>;

impl Vocabulary {
    /// With one more token.
    pub fn push(&mut self, bytes: &[u8]) {
        self.tokens.push(letters(bytes));
    }

    /// Tokens.
    pub fn len(&self) -> u32 {
        self.tokens.len() as u32
    }

    /// Ids by token. Where two tokens are the same there are fewer.
    pub fn ids(&self) -> Ids<'_> {
        self.tokens.iter().map(String::as_str).zip(0..).collect()
    }

    /// tokenizer.json: the vocabulary, and the merge that makes each token.
    pub fn tokenizer_json(&self, ids: &Ids) -> String {
        let quoted = |letters: &str| Value::from(letters).to_string();
        let bytes = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#;
        let mut json = format!(r#"{{"version":"1.0","added_tokens":[],"pre_tokenizer":{bytes},"decoder":{bytes},"#);
        // Written as it goes: as a tree it would be many times larger than what it is made of.
        json += r#""model":{"type":"BPE","vocab":{"#;
        for (id, token) in self.tokens.iter().enumerate() {
            let comma = if id > 0 { "," } else { "" };
            json += &format!("{comma}{}:{id}", quoted(token));
        }
        json += r#"},"merges":["#;
        let halves = self.tokens.iter().zip(0..).filter_map(|(token, id)| halves(token, id, ids));
        for (i, (left, right)) in halves.enumerate() {
            let comma = if i > 0 { "," } else { "" };
            json += &format!("{comma}[{},{}]", quoted(left), quoted(right));
        }
        json + "]}}"
    }
}

/// The ids of tokens that no transcript has, in order.
pub(super) fn suppressed(ids: &Ids) -> Vec<u32> {
    let mut all = Vec::new();
    for (signs, are_notes) in [(SIGNS, false), (NOTES, true)] {
        for sign in signs.split_whitespace() {
            for text in [letters(sign.as_bytes()), letters(format!(" {sign}").as_bytes())] {
                // From the whole down to its first letter; of what is no note, the whole alone.
                let mut ends = text.char_indices().map(|(at, letter)| at + letter.len_utf8()).rev();
                let end = ends.find(|&end| !are_notes || ids.contains_key(&text[..end])).unwrap_or(0);
                all.extend(ids.get(&text[..end]).copied());
            }
        }
    }
    all.extend([" -", " '"].iter().filter_map(|sign| ids.get(&*letters(sign.as_bytes())).copied()));
    sort_by(&mut all, u32::cmp);
    all.dedup();
    all
}

/// The two tokens that are merged to this one: what the merges before its own leave of its letters.
fn halves<'t>(token: &'t str, id: u32, ids: &Ids) -> Option<(&'t str, &'t str)> {
    let mut ends: Vec<usize> = token.char_indices().map(|(at, _)| at).chain([token.len()]).collect();
    if !(3..=MAX_MERGED + 1).contains(&ends.len()) {
        return None;
    }
    while ends.len() > 3 {
        let rank = |i: usize| ids.get(&token[ends[i]..ends[i + 2]]).copied().filter(|rank| *rank < id);
        let (_, at) = (0..ends.len() - 2).filter_map(|i| Some((rank(i)?, i))).min()?;
        ends.remove(at + 1);
    }
    Some(token.split_at(ends[1]))
}

/// Bytes in GPT-2's alphabet.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(letter).collect()
}

/// The character that stands for a byte: itself where it can be seen, else one from U+0100 on.
fn letter(byte: u8) -> char {
    let moved = match byte {
        0..=32 => byte,
        127..=160 => byte - 127 + 33,
        173 => 67,
        _ => return char::from(byte),
    };
    char::from_u32(0x100 + u32::from(moved)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merges_follow_from_ranks() {
        let mut vocabulary = Vocabulary::default();
        for token in ["a", "b", "c", " ", "ab", "bc", "abc", " a", "-", " -"] {
            vocabulary.push(token.as_bytes());
        }
        let ids = vocabulary.ids();
        let json: Value = serde_json::from_str(&vocabulary.tokenizer_json(&ids)).expect("JSON");
        assert_eq!(json["model"]["merges"], json!([["a", "b"], ["b", "c"], ["ab", "c"], ["Ġ", "a"], ["Ġ", "-"]]));
        assert_eq!((&json["model"]["vocab"]["Ġa"], ids.get("bc")), (&json!(7), Some(&5)));
        assert_eq!(suppressed(&ids), [3, 9], "the first token of a note behind a space is the space here");
    }

    #[test]
    fn bytes_have_letters_of_their_own() {
        let letters: std::collections::HashSet<char> = (0..=255).map(letter).collect();
        assert_eq!((letters.len(), letter(b'!'), letter(b' '), letter(b'\n'), letter(173)), (256, '!', 'Ġ', 'Ċ', 'Ń'));
    }
}
