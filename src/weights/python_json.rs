//! JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` are numbers there, which JSON has no words for.

use std::borrow::Cow;

const WORDS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// The text with null in the place of such numbers: a value that is odd is as good as absent.
pub(super) fn plain_json(text: &str) -> Cow<'_, str> {
    if !WORDS.iter().any(|word| text.contains(word)) {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut rest, mut quoted) = (String::with_capacity(text.len()), text, false);
    while let Some(first) = rest.chars().next() {
        let word = WORDS.iter().find(|word| !quoted && rest.starts_with(**word));
        let taken = match (word, first) {
            (Some(word), _) => word.len(),
            (None, '\\') if quoted => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => first.len_utf8(),
        };
        quoted ^= first == '"';
        plain.push_str(if word.is_some() { "null" } else { &rest[..taken] });
        rest = &rest[taken..];
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_null_and_texts_stay() {
        let python = r#"{"a": NaN, "b": [-Infinity,Infinity], "NaN \" NaN": "NaN é\\", "c": NaN}"#;
        assert_eq!(plain_json(python), r#"{"a": null, "b": [null,null], "NaN \" NaN": "NaN é\\", "c": null}"#);
        assert_eq!(plain_json("NaN\\"), "null\\");
        assert_eq!(plain_json(r#""NaN\"#), r#""NaN\"#);
        assert!(matches!(plain_json(r#"{"a": 1}"#), Cow::Borrowed(_)));
    }
}
