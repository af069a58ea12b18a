//! Messages to prompt text, by the Jinja template that comes with the model.
//!
//! The environment is the one of Hugging Face's `apply_chat_template`: jinja2 with `trim_blocks` and `lstrip_blocks`,
//! loop controls, `{% generation %}` blocks, and the additions `raise_exception`, `strftime_now` and `tojson`
//! (`python.rs`). A template comes from a model file, so it is given a budget: rendering stops when it is used up.

mod python;

use std::borrow::Cow;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value as Jinja};
use serde_json::{Map, Value};

use crate::tokenizer::Tokenizer;
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// minijinja's fuel: about one unit an instruction and one for every 64 bytes created. Real templates use some
/// hundred units a message; this is tens of thousands of messages, or a few hundred megabytes.
const FUEL: u64 = 5_000_000;
/// Bytes of a rendered prompt; the longest context of any model is shorter.
const MAX_OUTPUT: usize = 16 << 20;
/// Bytes of a template; the longest published ones have about 20,000.
const MAX_SOURCE: usize = 1 << 17;
/// Nesting of blocks, macros and includes while rendering, kept low for the small stack of a web worker.
const MAX_RECURSION: usize = 200;

/// The template used with tools, where a model brings several.
const TOOL_USE: &str = "tool_use";
const DEFAULT: &str = "default";

/// A model's chat template, compiled.
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` and others that the template may name.
    tokens: Vec<(String, String)>,
}

/// What a prompt is made from besides its messages.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    /// Ends the prompt with the beginning of the assistant's turn.
    pub add_generation_prompt: bool,
    /// Tools as OpenAI's requests list them (`[{"type": "function", "function": {…}}]`).
    pub tools: Option<Value>,
    /// Documents for templates that know retrieval.
    pub documents: Option<Value>,
    /// Any other variables (`chat_template_kwargs`), such as `enable_thinking`.
    pub extra: Map<String, Value>,
    /// Seconds since 1970 in the visitor's time zone, for templates that tell the model the date. Without it there is
    /// no `strftime_now`, and most such templates fall back to a fixed date.
    pub now: Option<i64>,
}

impl ChatTemplate {
    /// Compiles a template. `bos` and `eos` are the texts of the tokens, which templates put around turns. Syntax errors
    /// are [`Error::Template`] with their line.
    pub fn new(source: &str, bos: Option<&str>, eos: Option<&str>) -> Result<Self> {
        let tokens = [("bos_token", bos), ("eos_token", eos)];
        let tokens = tokens.into_iter().filter_map(|(name, text)| Some((name.into(), text?.into())));
        Self::with_named(&[(DEFAULT, source)], tokens.collect())
    }

    /// The template of a checkpoint, or `None`: `chat_template.jinja`, else `tokenizer_config.json`, else GGUF's
    /// `tokenizer.chat_template`. Where there are several, those named `default` and `tool_use` count. `tokenizer` is
    /// the checkpoint's own; it knows the texts of BOS and EOS where no configuration names them.
    pub fn from_checkpoint(checkpoint: &Checkpoint, tokenizer: Option<&Tokenizer>) -> Result<Option<Self>> {
        let config = checkpoint.tokenizer_config();
        let gguf = |key: &str| checkpoint.metadata().str(key);
        let sources = if let Some(source) = checkpoint.chat_template_file() {
            vec![(DEFAULT, source)]
        } else if let Some(template) = config.and_then(|config| config.get("chat_template")) {
            Self::named(template)
        } else {
            let tool_use = gguf("tokenizer.chat_template.tool_use")?.map(|source| (TOOL_USE, source));
            let default = gguf("tokenizer.chat_template")?.map(|source| (DEFAULT, source));
            default.into_iter().chain(tool_use).collect()
        };
        if !sources.iter().any(|(name, _)| *name == DEFAULT) {
            return Ok(None);
        }
        Self::with_named(&sources, special_tokens(config, tokenizer)).map(Some)
    }

    /// The templates of `tokenizer_config.json`: one text, or a list of `{"name", "template"}`.
    fn named(template: &Value) -> Vec<(&str, &str)> {
        match template {
            Value::String(source) => vec![(DEFAULT, source)],
            Value::Array(list) => list
                .iter()
                .filter_map(|entry| Some((entry.get("name")?.as_str()?, entry.get("template")?.as_str()?)))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn with_named(sources: &[(&str, &str)], tokens: Vec<(String, String)>) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(template_error)?);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(MAX_RECURSION);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", python::tojson);
        environment.add_filter(BOUNDED, python::bounded);
        environment.add_function("raise_exception", |message: String| -> Result<Jinja, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        for (name, source) in sources {
            if source.len() > MAX_SOURCE {
                let reason = format!("{} bytes are too long for a template", source.len());
                return Err(Error::Template { line: 1, reason });
            }
            let source = bound_assignments(&open_generation_blocks(source)).into_owned();
            environment.add_template_owned((*name).to_owned(), source).map_err(template_error)?;
        }
        Ok(ChatTemplate { environment, tokens })
    }

    /// Renders the prompt. `messages` are OpenAI's (`role`, `content`, `tool_calls`, …), passed to the template as they
    /// are. What the template refuses, and what it cannot do, is [`Error::Template`] with the line and the reason.
    pub fn render(&self, messages: &[Value], options: &RenderOptions) -> Result<String> {
        let mut context: Vec<(Cow<str>, Jinja)> = Vec::new();
        for (name, text) in &self.tokens {
            context.push((name.as_str().into(), text.as_str().into()));
        }
        for (name, value) in &options.extra {
            context.push((name.as_str().into(), python::from_json(value)));
        }
        context.push(("messages".into(), messages.iter().map(python::from_json).collect()));
        context.push(("tools".into(), python::from_json(options.tools.as_ref().unwrap_or(&Value::Null))));
        context.push(("documents".into(), python::from_json(options.documents.as_ref().unwrap_or(&Value::Null))));
        context.push(("add_generation_prompt".into(), options.add_generation_prompt.into()));
        if let Some(now) = options.now {
            let strftime_now = Jinja::from_function(move |format: String| python::strftime(now, &format));
            context.push(("strftime_now".into(), strftime_now));
        }
        let with_tools =
            options.tools.as_ref().is_some_and(|tools| tools.as_array().is_none_or(|list| !list.is_empty()));
        let template = match self.environment.get_template(TOOL_USE) {
            Ok(template) if with_tools => template,
            _ => self.environment.get_template(DEFAULT).map_err(template_error)?,
        };
        let prompt = template.render(Jinja::from_pairs(context)).map_err(template_error)?;
        if prompt.len() > MAX_OUTPUT {
            let reason = format!("the prompt has {} bytes, more than any context holds", prompt.len());
            return Err(Error::Template { line: 1, reason });
        }
        Ok(prompt)
    }
}

/// Texts of the special tokens by the names templates use for them.
fn special_tokens(config: Option<&Value>, tokenizer: Option<&Tokenizer>) -> Vec<(String, String)> {
    const NAMES: [&str; 7] =
        ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];
    let from_config = |name: &str| {
        let value = config?.get(name)?;
        value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
    };
    let from_tokenizer = |name: &str| {
        let id = match name {
            "bos_token" => tokenizer?.bos(),
            "eos_token" => tokenizer?.eos(),
            _ => None,
        };
        String::from_utf8(tokenizer?.token_bytes(id?)?).ok()
    };
    let text = |name: &str| from_config(name).or_else(|| from_tokenizer(name));
    NAMES.into_iter().filter_map(|name| Some((name.to_owned(), text(name)?))).collect()
}

/// `{% generation %}` marks what the assistant wrote, for training. Here it is a block that is always rendered.
fn open_generation_blocks(source: &str) -> Cow<'_, str> {
    let tag = regex::Regex::new(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})").expect("a valid pattern");
    tag.replace_all(source, |captures: &regex::Captures| {
        let block = if captures.get(2).is_some() { "endif" } else { "if true" };
        [&captures[1], block, &captures[3]].concat()
    })
}

/// The filter that every assigned value passes.
const BOUNDED: &str = "bounded_by_the_renderer";

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

fn template_error(error: minijinja::Error) -> Error {
    let line = error.line().unwrap_or(1);
    let reason = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "the template runs for too long or makes too much text".into(),
        // What raise_exception says is meant for the person.
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    Error::Template { line, reason }
}
