//! A template's source → the source that is compiled, or why it is refused. The parser, the compiler and the destructor of
//! what they make call themselves once for each level of nesting, and nothing can catch an overflow of the stack. So the
//! levels are counted before, in the tokens that the parser is going to see.

use std::borrow::Cow;
use std::ops::Range;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::reasons::template_error;
use crate::{Error, Result};

/// Bytes of a template; the longest published ones have about 20,000.
const MAX_SOURCE: usize = 1 << 17;
/// Words and signs within tags; the longest published ones have about 4,000. Parser and compiler take some microseconds for
/// each in a page.
const MAX_TOKENS: usize = 20_000;
/// Brackets in brackets. Published templates have 4. Each costs the parser some 15 nested calls.
const MAX_BRACKETS: usize = 32;
/// Levels of an expression's tree: operators, filters, tests, attributes, subscripts and brackets from the tag down to an
/// operand. Published templates have about 20; a text that is joined from dozens of pieces has about 100.
const MAX_EXPRESSION: usize = 200;
/// Blocks in blocks, where an `elif` lies in the one before. Published templates have about 10.
const MAX_BLOCKS: usize = 100;

/// The source as it is compiled, if it keeps to the bounds.
///
/// `{% generation %}` marks what the assistant wrote, for training. Here it becomes a block that is always rendered.
/// Escapes in texts become those that minijinja has in common with Python.
///
/// # Errors
/// [`Error::Template`] with the line where a bound is passed, or where the text has no tokens.
pub(super) fn checked<'s>(source: &'s str, syntax: &SyntaxConfig) -> Result<Cow<'s, str>> {
    if source.len() > MAX_SOURCE {
        let reason = format!("{} bytes are too long for a template", source.len());
        return Err(Error::Template { line: 1, reason });
    }
    let mut nesting = Nesting::default();
    let mut replaced: Vec<(Range<usize>, String)> = Vec::new();
    for (i, token) in tokenize(source, false, syntax.clone()).enumerate() {
        let (token, span) = token.map_err(template_error)?;
        if i == MAX_TOKENS {
            let reason = format!("more than {MAX_TOKENS} words and signs are too many for a template");
            return Err(Error::Template { line: span.start_line.into(), reason });
        }
        let first_of_block = nesting.in_block && nesting.tokens_of_tag == 0;
        nesting.add(&token).map_err(|what| Error::Template {
            line: span.start_line.into(),
            reason: format!("the template exceeds the recursion limit for {what}"),
        })?;
        let range = span.start_offset as usize..span.end_offset as usize;
        let text = match token {
            Token::Ident("generation") if first_of_block => "if true".into(),
            Token::Ident("endgeneration") if first_of_block => "endif".into(),
            Token::String(_) => escaped_alike(&source[range.clone()]),
            _ => continue,
        };
        replaced.push((range, text));
    }
    if replaced.is_empty() {
        return Ok(source.into());
    }
    let (mut copy, mut copied) = (String::new(), 0);
    for (range, text) in replaced {
        copy.push_str(&source[copied..range.start]);
        copy.push_str(&text);
        copied = range.end;
    }
    copy.push_str(&source[copied..]);
    Ok(copy.into())
}

/// A literal in which each escape means to minijinja what it means to Python.
fn escaped_alike(literal: &str) -> String {
    let mut out = String::new();
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        let escaped = chars.next();
        rest = chars.as_str();
        match escaped {
            Some('\n') => {}
            Some('/') => out.push_str(r"\\/"),
            Some('a') => out.push_str(r"\x07"),
            Some('v') => out.push_str(r"\x0b"),
            Some('U') => match rest.get(..8).and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?)) {
                Some(c) => {
                    rest = &rest[8..];
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                None => out.push_str(r"\\U"),
            },
            // One of '"', '\'', '\\' or a letter that both know, or neither.
            other => out.extend(['\\'].into_iter().chain(other)),
        }
    }
    out + rest
}

/// How deep the tokens so far are nested.
#[derive(Default)]
struct Nesting {
    in_block: bool,
    tokens_of_tag: usize,
    /// The tag's own level and those of the brackets that are open in it.
    brackets: Vec<Level>,
    /// A `set` without `=` begins a block, which shows at its end.
    set_block: bool,
    /// For each open block the levels it takes.
    blocks: Vec<usize>,
    open_blocks: usize,
}

/// The tree of what lies between two brackets, or in a tag.
#[derive(Default)]
struct Level {
    /// Steps of the item so far, items being separated by commas: each may put all that comes before it one level deeper.
    steps: usize,
    /// The deepest bracket that was closed in this item.
    inner: usize,
    /// The deepest item before this one.
    before: usize,
}

impl Level {
    fn depth(&self) -> usize {
        self.before.max(self.steps + self.inner)
    }
}

impl Nesting {
    /// Errors say what is too deep.
    fn add(&mut self, token: &Token) -> std::result::Result<(), &'static str> {
        match token {
            Token::TemplateData(_) => return Ok(()),
            Token::VariableStart | Token::BlockStart => {
                self.in_block = matches!(token, Token::BlockStart);
                self.tokens_of_tag = 0;
                self.set_block = false;
                self.brackets.clear();
                self.brackets.push(Level::default());
                return Ok(());
            }
            Token::BlockEnd if self.set_block => self.open_block(),
            Token::VariableEnd | Token::BlockEnd => {}
            Token::Ident(name) if self.in_block && self.tokens_of_tag == 0 => self.block(name),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.step();
                self.brackets.push(Level::default());
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                if self.brackets.len() > 1
                    && let Some(closed) = self.brackets.pop()
                    && let Some(level) = self.brackets.last_mut()
                {
                    level.inner = level.inner.max(closed.depth());
                }
            }
            Token::Comma => {
                if let Some(level) = self.brackets.last_mut() {
                    *level = Level { before: level.depth(), ..Level::default() };
                }
            }
            Token::Ident("not" | "and" | "or" | "in" | "is" | "if" | "else") => self.step(),
            Token::Ident(_) | Token::Str(_) | Token::String(_) => {}
            Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            Token::Assign if self.brackets.len() == 1 => {
                self.set_block = false;
                self.step();
            }
            _ => self.step(),
        }
        self.tokens_of_tag += 1;
        if self.brackets.len() > MAX_BRACKETS {
            return Err("brackets");
        }
        if let Some((level, around)) = self.brackets.split_last()
            && level.depth() + around.iter().map(|level| level.steps).sum::<usize>() > MAX_EXPRESSION
        {
            return Err("expressions");
        }
        if self.open_blocks > MAX_BLOCKS {
            return Err("blocks");
        }
        Ok(())
    }

    fn step(&mut self) {
        if let Some(level) = self.brackets.last_mut() {
            level.steps += 1;
        }
    }

    fn block(&mut self, name: &str) {
        match name {
            "set" => self.set_block = true,
            "for" | "if" | "with" | "macro" | "call" | "filter" | "autoescape" | "generation" => self.open_block(),
            "elif" => {
                if let Some(levels) = self.blocks.last_mut() {
                    *levels += 1;
                    self.open_blocks += 1;
                }
            }
            name if name.starts_with("end") => self.open_blocks -= self.blocks.pop().unwrap_or(0),
            _ => {}
        }
    }

    fn open_block(&mut self) {
        self.blocks.push(1);
        self.open_blocks += 1;
    }
}
