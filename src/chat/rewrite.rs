//! What is changed in a template's source before minijinja compiles it.

use std::borrow::Cow;

/// The filter that every assigned value passes.
pub(super) const BOUNDED: &str = "bounded_by_the_renderer";

pub(super) fn rewrite(source: &str) -> String {
    bound_assignments(&open_generation_blocks(source)).into_owned()
}

/// `{% generation %}` marks what the assistant wrote, for training. Here it is a block that is always rendered.
fn open_generation_blocks(source: &str) -> Cow<'_, str> {
    let tag = regex::Regex::new(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})").expect("a valid pattern");
    tag.replace_all(source, |captures: &regex::Captures| {
        let block = if captures.get(2).is_some() { "endif" } else { "if true" };
        [&captures[1], block, &captures[3]].concat()
    })
}

/// `{% set x = value %}` to `{% set x = (value) | bounded… %}`. Fuel bounds what a template computes, but not how deeply
/// it nests a list in itself step by step, and a value that is too deep overflows the stack when it is dropped.
fn bound_assignments(source: &str) -> Cow<'_, str> {
    let value = r#"(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'%]|%[^}"'])*?"#;
    let tag = format!(r"(?s)(\{{%[-+]?\s*set\s[\w\s.,()]*=)({value})(\s*[-+]?%\}})");
    let tag = regex::Regex::new(&tag).expect("a valid pattern");
    tag.replace_all(source, |captures: &regex::Captures| {
        format!("{} ({}) | {BOUNDED}{}", &captures[1], &captures[2], &captures[3])
    })
}
