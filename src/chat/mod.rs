//! Messages to prompt text, by the Jinja template that comes with the model, and answers to tool calls.
//!
//! The environment is the one of Hugging Face's `apply_chat_template`: jinja2 with `trim_blocks` and `lstrip_blocks`,
//! loop controls, `{% generation %}` blocks, and the additions `raise_exception`, `strftime_now` and `tojson`. A template
//! comes from a model file, so it is given a budget: rendering stops when it is used up.
//!
//! | file | what it does |
//! |---|---|
//! | `find` | where a model keeps its templates, and the texts of its special tokens |
//! | `fallback` | our own templates, for files without one |
//! | `rewrite` | changes to a template's source |
//! | `python`, `date` | what Python gives to templates |
//! | `messages` | OpenAI's messages as templates expect them |
//! | `tool_calls` | calls in a model's answer |

mod date;
mod fallback;
mod find;
mod messages;
mod python;
mod rewrite;
pub mod tool_calls;

use std::borrow::Cow;
use std::error::Error as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Template, Value as Jinja};
use serde_json::{Map, Value};

use crate::tokenizer::Tokenizer;
use crate::weights::Checkpoint;
use crate::{Error, Result};
use find::DEFAULT;
use rewrite::{BOUNDED, rewrite};

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

/// A model's chat templates, compiled.
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` and others that the template may name.
    tokens: Vec<(String, String)>,
    /// In the model's order.
    names: Vec<String>,
    fallback: Option<&'static str>,
}

/// What a prompt is made from besides its messages.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    /// Which of the model's templates; `None`: `tool_use` with tools where there is one, otherwise `default`.
    pub template: Option<String>,
    /// Ends the prompt with the beginning of the assistant's turn.
    pub add_generation_prompt: bool,
    /// Ends the prompt with the last message's own words, for the model to go on with.
    pub continue_final_message: bool,
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
    /// Compiles a template. `bos` and `eos` are the texts of the tokens, which templates put around turns.
    ///
    /// # Errors
    /// [`Error::Template`] for a syntax error, with its line.
    pub fn new(source: &str, bos: Option<&str>, eos: Option<&str>) -> Result<Self> {
        let tokens = [("bos_token", bos), ("eos_token", eos)];
        let tokens = tokens.into_iter().filter_map(|(name, text)| Some((name.into(), text?.into())));
        Self::compile(&[(DEFAULT.into(), source)], tokens.collect())
    }

    /// The templates of a checkpoint, or those of the family that its vocabulary hints at, or `None`. `tokenizer` is the
    /// checkpoint's own; it knows the texts of BOS and EOS where no configuration names them.
    ///
    /// # Errors
    /// [`Error::Template`] for a syntax error, [`Error::Format`] where a file says something that is no template.
    pub fn from_checkpoint(checkpoint: &Checkpoint, tokenizer: Option<&Tokenizer>) -> Result<Option<Self>> {
        let tokens = find::special_tokens(checkpoint.tokenizer_config(), tokenizer);
        let sources = find::sources(checkpoint)?;
        if !sources.is_empty() {
            return Self::compile(&sources, tokens).map(Some);
        }
        let Some(family) = tokenizer.and_then(fallback::of) else { return Ok(None) };
        let template = Self::compile(&[(DEFAULT.into(), family.source)], tokens)?;
        Ok(Some(ChatTemplate { fallback: Some(family.name), ..template }))
    }

    /// The sources of a checkpoint's templates, by name.
    ///
    /// # Errors
    /// [`Error::Format`] where GGUF's key holds no text.
    pub fn sources(checkpoint: &Checkpoint) -> Result<Vec<(String, &str)>> {
        find::sources(checkpoint)
    }

    /// A template that a request brings along: one of our own by its name (`chatml`, `llama-3`, …), or Jinja.
    /// `checkpoint` is what the model has, where it has one.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a name that no template has, [`Error::Template`] for a syntax error.
    pub fn from_request(template: &str, model: Option<&Self>, tokenizer: Option<&Tokenizer>) -> Result<Self> {
        let tokens = match model {
            Some(model) => model.tokens.clone(),
            None => find::special_tokens(None, tokenizer),
        };
        if let Some(family) = fallback::named(template) {
            return Self::compile(&[(DEFAULT.into(), family.source)], tokens);
        }
        if !template.contains('{') {
            let own = model.filter(|model| model.fallback.is_none()).map(|model| model.names.join(", "));
            let own = own.map(|names| format!("the model's are {names}; ")).unwrap_or_default();
            let reason = format!("there is no template called {template:?}; {own}built in are {}", fallback::names());
            return Err(Error::invalid("chat_template", reason));
        }
        Self::compile(&[(DEFAULT.into(), template)], tokens)
    }

    fn compile(sources: &[(String, &str)], tokens: Vec<(String, String)>) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(template_error)?);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(MAX_RECURSION);
        environment.set_unknown_method_callback(python::method);
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
            environment.add_template_owned(name.clone(), rewrite(source)).map_err(template_error)?;
        }
        let names = sources.iter().map(|(name, _)| name.clone()).collect();
        Ok(ChatTemplate { environment, tokens, names, fallback: None })
    }

    /// The names of the model's templates: `default` alone, usually.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The family whose template this is, where the file brought none.
    pub fn fallback(&self) -> Option<&'static str> {
        self.fallback
    }

    /// Whether the template that `options` choose looks at a variable, such as `tools`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a template that the model does not have.
    pub fn uses(&self, variable: &str, options: &RenderOptions) -> Result<bool> {
        Ok(self.choose(options)?.undeclared_variables(false).contains(variable))
    }

    /// How an answer begins that calls a tool; see [`tool_calls::opening`].
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a template that the model does not have.
    pub fn call_opening(&self, name: Option<&str>, options: &RenderOptions) -> Result<Option<String>> {
        Ok(tool_calls::opening(self.choose(options)?.source(), name))
    }

    /// The template for a request, chosen as transformers does.
    fn choose(&self, options: &RenderOptions) -> Result<Template<'_, '_>> {
        let known = |name: &str| self.names.iter().any(|known| known == name);
        let name = match &options.template {
            Some(name) => name.as_str(),
            None if tools(options).is_some() && known(TOOL_USE) => TOOL_USE,
            None => DEFAULT,
        };
        if !known(name) {
            let reason = format!("there is no template called {name:?}; the model's are {}", self.names.join(", "));
            return Err(Error::invalid("chat_template", reason));
        }
        self.environment.get_template(name).map_err(template_error)
    }

    /// Renders the prompt. `messages` are OpenAI's (`role`, `content`, `tool_calls`, …), passed to the template as they
    /// are.
    ///
    /// # Errors
    /// [`Error::Template`] with the line and the reason: what the template refuses, and what it cannot do.
    pub fn render(&self, messages: &[Value], options: &RenderOptions) -> Result<String> {
        let mut messages: Vec<Value> = messages.iter().map(messages::with_reasoning).collect();
        let continued = match options.continue_final_message {
            true => Some(messages::mark_end(&mut messages)?),
            false => None,
        };
        let json = |value: Option<&Value>| python::from_json(value.unwrap_or(&Value::Null));
        let mut context: Vec<(Cow<str>, Jinja)> = Vec::new();
        for (name, text) in &self.tokens {
            context.push((name.as_str().into(), text.as_str().into()));
        }
        for (name, value) in &options.extra {
            context.push((name.as_str().into(), python::from_json(value)));
        }
        context.push(("messages".into(), messages.iter().map(python::from_json).collect()));
        context.push(("tools".into(), json(tools(options))));
        context.push(("documents".into(), json(options.documents.as_ref())));
        context.push(("add_generation_prompt".into(), options.add_generation_prompt.into()));
        if let Some(now) = options.now {
            let strftime_now = Jinja::from_function(move |format: String| date::strftime(now, &format));
            context.push(("strftime_now".into(), strftime_now));
        }
        let prompt = self.choose(options)?.render(Jinja::from_pairs(context)).map_err(template_error)?;
        if prompt.len() > MAX_OUTPUT {
            let reason = format!("the prompt has {} bytes, more than any context holds", prompt.len());
            return Err(Error::Template { line: 1, reason });
        }
        match continued {
            Some(text) => messages::cut_at_mark(prompt, &text),
            None => Ok(prompt),
        }
    }

    /// As [`Self::render`], of messages as OpenAI's clients send them: the arguments of tool calls as JSON text, texts in
    /// parts. Most templates want the former as objects and the latter as one text; for those that don't, the messages
    /// are tried as they came.
    ///
    /// # Errors
    /// [`Error::Template`], as [`Self::render`].
    pub fn render_request(&self, messages: &[Value], options: &RenderOptions) -> Result<String> {
        match messages::plain(messages) {
            None => self.render(messages, options),
            Some(plain) => {
                let first = self.render(&plain, options);
                first.or_else(|refused| self.render(messages, options).map_err(|_| refused))
            }
        }
    }
}

/// The tools, if there are any.
fn tools(options: &RenderOptions) -> Option<&Value> {
    options.tools.as_ref().filter(|tools| !tools.is_null() && tools.as_array().is_none_or(|list| !list.is_empty()))
}

/// For models that cannot chat.
pub fn no_template() -> Error {
    let names = fallback::names();
    Error::Unsupported {
        what: "chat".into(),
        hint: format!(
            ": the model has no chat template, and its vocabulary hints at none; use a completion, or name a \
             chat_template ({names}, or Jinja of your own)"
        )
        .into(),
    }
}

fn template_error(error: minijinja::Error) -> Error {
    // An include only says that something within it failed; what is at the bottom.
    let mut error = &error;
    while let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<minijinja::Error>()) {
        error = cause;
    }
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
