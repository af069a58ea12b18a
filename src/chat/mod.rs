//! Messages to prompt text, by the Jinja template that comes with the model, and answers to tool calls.
//!
//! The environment is the one of Hugging Face's `apply_chat_template`: jinja2 with `trim_blocks` and `lstrip_blocks`,
//! loop controls, `{% generation %}` blocks, and the additions `raise_exception`, `strftime_now` and `tojson`. There are no
//! other templates to include or to extend.
//!
//! A template comes from a stranger's file, and in a page an overflow of the stack, an allocation that fails or a panic ends
//! the engine. So a source is held to bounds by its tokens before it is parsed (`bounds`), its tree is run with a charge
//! around each operation that walks or makes a value (`guard`), and all charges go to one budget of steps and bytes
//! (`budget`), which the output shares. A template is compiled when it is rendered, so a file may bring any number.
//!
//! | file | what it does |
//! |---|---|
//! | `find` | where a model keeps its templates, and the texts of its special tokens |
//! | `fallback` | our own templates, for files without one |
//! | `bounds` | what a template's source may be |
//! | `guard`, `expressions` | a template's tree → the tree that is run |
//! | `budget` | what a template may spend, and how deep its values may be nested |
//! | `library`, `filters`, `format`, `changing` | functions, tests and filters that pay for what they do |
//! | `methods` | Python's methods of texts, lists and dictionaries |
//! | `arguments`, `print`, `json`, `date` | how Python binds arguments and prints values, JSON and dates |
//! | `reasons` | why a template is refused, in words |
//! | `messages` | OpenAI's messages as templates expect them |
//! | `tool_calls` | calls in a model's answer |

mod arguments;
mod bounds;
mod budget;
mod changing;
mod date;
mod expressions;
mod fallback;
mod filters;
mod find;
mod format;
mod guard;
mod json;
mod library;
mod messages;
mod methods;
mod print;
mod reasons;
pub mod tool_calls;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::{self, CodeGenerator, Instructions};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, State, Value as Jinja};
use serde_json::{Map, Value};

use crate::tokenizer::Tokenizer;
use crate::weights::Checkpoint;
use crate::{Error, Result};
use budget::Meter;
use find::DEFAULT;
use guard::Guarded;
use json::Size;
use reasons::{cut, template_error};

/// Bytes of a rendered prompt; the longest context of any model is shorter.
const MAX_OUTPUT: usize = 16 << 20;
/// Nesting of blocks and macros while rendering, kept low for the small stack of a web worker.
const MAX_RECURSION: usize = 200;

/// The template used with tools, where a model brings several.
const TOOL_USE: &str = "tool_use";

/// A model's chat templates.
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// `bos_token`, `eos_token` and others that the template may name.
    tokens: Vec<(String, String)>,
    /// In the model's order.
    names: Vec<String>,
    sources: Vec<String>,
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
    /// The text of a picture in a message, for templates that go over no parts.
    pub picture: &'static str,
}

impl ChatTemplate {
    /// A template, compiled once to see that it can be. `bos` and `eos` are the texts of the tokens, which templates put around turns.
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
            let own = own.map(|names| format!("the model's are {}; ", cut(&names))).unwrap_or_default();
            let reason = format!("there is no template called {template:?}; {own}built in are {}", fallback::names());
            return Err(Error::invalid("chat_template", reason));
        }
        Self::compile(&[(DEFAULT.into(), template)], tokens)
    }

    fn compile(sources: &[(String, &str)], tokens: Vec<(String, String)>) -> Result<Self> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(template_error)?);
        environment.set_recursion_limit(MAX_RECURSION);
        environment.set_unknown_method_callback(methods::method);
        library::add_to(&mut environment);
        filters::add_to(&mut environment);
        let (names, sources) = sources.iter().map(|(name, source)| (name.clone(), with_newlines(source))).unzip();
        let template = ChatTemplate { environment, tokens, names, sources, fallback: None };
        // The default template is checked now, others when a request asks for them.
        let usual = template.names.iter().rposition(|name| name == DEFAULT).unwrap_or(0);
        if let Some(source) = template.sources.get(usual) {
            let source = bounds::checked(source, template.environment.syntax())?;
            compile(&template.names[usual], &source, template.environment.syntax())?;
        }
        Ok(template)
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
    /// [`Error::InvalidRequest`] for a template that the model does not have, [`Error::Template`] for one that cannot be
    /// compiled.
    pub fn uses(&self, variable: &str, options: &RenderOptions) -> Result<bool> {
        self.with_compiled(options, |compiled| compiled.reads.contains(variable))
    }

    /// Asks something of the template that `options` choose.
    fn with_compiled<T>(&self, options: &RenderOptions, ask: impl FnOnce(&Compiled) -> T) -> Result<T> {
        let (name, source) = self.choose(options)?;
        let syntax = self.environment.syntax();
        Ok(ask(&compile(name, &bounds::checked(source, syntax)?, syntax)?))
    }

    /// How an answer begins that calls a tool; see [`tool_calls::opening`].
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a template that the model does not have.
    pub fn call_opening(&self, name: Option<&str>, options: &RenderOptions) -> Result<Option<String>> {
        Ok(tool_calls::opening(self.choose(options)?.1, name))
    }

    /// Name and source of the template for a request, chosen as transformers does.
    fn choose(&self, options: &RenderOptions) -> Result<(&str, &str)> {
        // The last one of a name counts.
        let known = |name: &str| self.names.iter().rposition(|known| known == name);
        let name = match &options.template {
            Some(name) => name.as_str(),
            None if tools(options).is_some() && known(TOOL_USE).is_some() => TOOL_USE,
            None => DEFAULT,
        };
        let Some(at) = known(name) else {
            let names = cut(&self.names.join(", "));
            let reason = format!("there is no template called {name:?}; the model's are {names}");
            return Err(Error::invalid("chat_template", reason));
        };
        Ok((&self.names[at], &self.sources[at]))
    }

    /// Renders the prompt. `messages` are OpenAI's (`role`, `content`, `tool_calls`, …), passed to the template as they
    /// are, but for what it cannot know: a `developer` whom it does not name is the `system`, and an answer without
    /// a text, such as one that calls tools, has an empty one.
    ///
    /// # Errors
    /// [`Error::Template`] with the line and the reason: what the template refuses, and what it cannot do.
    pub fn render(&self, messages: &[Value], options: &RenderOptions) -> Result<String> {
        let (name, source) = self.choose(options)?;
        let mut messages: Vec<Value> = messages.iter().map(|message| messages::as_read(message, source)).collect();
        let continued = match options.continue_final_message {
            true => Some(messages::mark_end(&mut messages)?),
            false => None,
        };
        let mut size = Size::default();
        let mut json = |value: Option<&Value>| json::from_json(value.unwrap_or(&Value::Null), &mut size);
        let mut context: Vec<(Cow<str>, Jinja)> = Vec::new();
        for (name, text) in &self.tokens {
            context.push((name.as_str().into(), text.as_str().into()));
        }
        for (name, value) in &options.extra {
            context.push((name.as_str().into(), json(Some(value))));
        }
        context.push(("messages".into(), messages.iter().map(|message| json(Some(message))).collect()));
        context.push(("tools".into(), json(tools(options))));
        context.push(("documents".into(), json(options.documents.as_ref())));
        context.push(("add_generation_prompt".into(), options.add_generation_prompt.into()));
        if let Some(now) = options.now {
            let strftime_now = Jinja::from_function(move |state: &State, format: &str| {
                let mut meter = Meter::new(state);
                // `%A` becomes a Wednesday.
                meter.charge(8 * format.len() as u64)?;
                date::strftime(now, format, &mut meter)
            });
            context.push(("strftime_now".into(), strftime_now));
        }
        let prompt = self.run((name, source), Jinja::from_pairs(context), &size)?;
        if prompt.len() > MAX_OUTPUT {
            let reason = format!("the prompt has {} bytes, more than any context holds", prompt.len());
            return Err(Error::Template { line: 1, reason });
        }
        match continued {
            Some(text) => messages::cut_at_mark(prompt, &text),
            None => Ok(prompt),
        }
    }

    fn run(&self, (name, source): (&str, &str), context: Jinja, given: &Size) -> Result<String> {
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(budget::fuel(given.values, given.bytes)));
        let source = bounds::checked(source, environment.syntax())?;
        let Compiled { instructions, blocks, .. } = compile(name, &source, environment.syntax())?;
        let mut text = String::new();
        let mut output = machinery::make_string_output(&mut text);
        machinery::eval(&environment, &instructions, context, &blocks, &mut output, AutoEscape::None)
            .map_err(template_error)?;
        drop(output);
        Ok(text)
    }

    /// As [`Self::render`], of messages as OpenAI's clients send them: the arguments of tool calls as JSON text, texts in
    /// parts. Most templates want the former as objects and the latter as one text, unless they go over parts. If the
    /// template refuses them so, the messages are tried with one text each, and as they came.
    ///
    /// # Errors
    /// [`Error::Template`], as [`Self::render`].
    pub fn render_request(&self, messages: &[Value], options: &RenderOptions) -> Result<String> {
        let has_parts = messages.iter().any(|message| message.get("content").is_some_and(Value::is_array));
        let reads_parts = || self.with_compiled(options, |compiled| compiled.reads_parts);
        let in_parts = has_parts && reads_parts()?;
        let as_usual = messages::plain(messages, in_parts, options.picture);
        let given = as_usual.as_deref().unwrap_or(messages);
        let refused = match self.render(given, options) {
            // One that goes over parts may see none in a text, and pass over it.
            Ok(prompt) if lacks(&prompt, given) && reads_parts()? => {
                let parts = messages::in_parts(given).and_then(|parts| self.render(&parts, options).ok());
                return Ok(parts.filter(|better| !lacks(better, given)).unwrap_or(prompt));
            }
            Ok(prompt) => return Ok(prompt),
            Err(refused) => refused,
        };
        let joined = if in_parts { messages::plain(messages, false, options.picture) } else { None };
        let parted = if reads_parts().unwrap_or(false) { messages::in_parts(given) } else { None };
        let mut others =
            [joined.as_deref(), parted.as_deref(), as_usual.is_some().then_some(messages)].into_iter().flatten();
        others.find_map(|messages| self.render(messages, options).ok()).ok_or(refused)
    }
}

/// Whether what a user says, as a text of its own, is not in the prompt.
fn lacks(prompt: &str, messages: &[Value]) -> bool {
    let users = messages.iter().filter(|message| message["role"] == "user");
    users.filter_map(|message| message["content"].as_str()).any(|text| !prompt.contains(text.trim()))
}

/// A source with the line breaks that Jinja makes of all kinds.
fn with_newlines(source: &str) -> String {
    source.replace("\r\n", "\n").replace('\r', "\n")
}

/// A template that can be run.
struct Compiled<'s> {
    instructions: Instructions<'s>,
    /// Inheritance between templates is compiled out.
    blocks: BTreeMap<&'s str, Instructions<'s>>,
    /// The names of the variables that it looks at.
    reads: BTreeSet<&'s str>,
    /// Whether it goes over the parts of a content.
    reads_parts: bool,
}

/// `source` has been checked.
fn compile<'s>(name: &'s str, source: &'s str, syntax: &SyntaxConfig) -> Result<Compiled<'s>> {
    let tree = machinery::parse(source, name, syntax.clone()).map_err(template_error)?;
    let Guarded { tree, reads, reads_parts } = guard::guarded(&tree)?;
    let mut generator = CodeGenerator::new(name, source);
    generator.compile_stmt(&tree);
    let (instructions, blocks) = generator.finish();
    Ok(Compiled { instructions, blocks, reads, reads_parts })
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
