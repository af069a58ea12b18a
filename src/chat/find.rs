//! Where a model keeps its chat templates, and the texts of the special tokens that they name.

use serde_json::Value;

use crate::Result;
use crate::tokenizer::Tokenizer;
use crate::weights::Checkpoint;
use crate::weights::token_text;

/// The template used where a request names none.
pub(super) const DEFAULT: &str = "default";

/// The templates with their names: `chat_template.jinja` (or the older `chat_template.json`), else those of
/// `tokenizer_config.json`, else GGUF's `tokenizer.chat_template` and `tokenizer.chat_template.{name}`.
pub(super) fn sources(checkpoint: &Checkpoint) -> Result<Vec<(String, &str)>> {
    if let Some(source) = checkpoint.chat_template_file() {
        return Ok(vec![(DEFAULT.into(), source)]);
    }
    let in_json = [checkpoint.chat_template_json(), checkpoint.tokenizer_config()].into_iter().flatten();
    if let Some(template) = in_json.filter_map(|file| file.get("chat_template")).next() {
        return Ok(in_config(template));
    }
    let metadata = checkpoint.metadata();
    let mut sources = Vec::new();
    if let Some(source) = metadata.str("tokenizer.chat_template")? {
        sources.push((DEFAULT.into(), source));
    }
    for (key, _) in metadata.iter() {
        if let Some(name) = key.strip_prefix("tokenizer.chat_template.")
            && let Some(source) = metadata.str(key)?
        {
            sources.push((name.to_owned(), source));
        }
    }
    Ok(sources)
}

/// One text, or a list of `{"name", "template"}`.
fn in_config(template: &Value) -> Vec<(String, &str)> {
    match template {
        Value::String(source) => vec![(DEFAULT.into(), source)],
        Value::Array(list) => list
            .iter()
            .filter_map(|entry| Some((entry.get("name")?.as_str()?.to_owned(), entry.get("template")?.as_str()?)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Texts of the special tokens by the names templates use for them.
pub(super) fn special_tokens(config: Option<&Value>, tokenizer: Option<&Tokenizer>) -> Vec<(String, String)> {
    const NAMES: [&str; 7] =
        ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];
    let from_config = |name: &str| token_text(config?.get(name)?).map(str::to_owned);
    let from_tokenizer = |name: &str| {
        let id = match name {
            "bos_token" => tokenizer?.bos(),
            "eos_token" => tokenizer?.eos(),
            _ => None,
        };
        String::from_utf8(tokenizer?.token_bytes(id?)?).ok()
    };
    // `null` says that there is none, whatever other files say.
    let is_none = |name: &str| config.and_then(|config| config.get(name)).is_some_and(Value::is_null);
    let text = |name: &str| from_config(name).or_else(|| from_tokenizer(name)).filter(|_| !is_none(name));
    // Names of the model's own, such as `image_token`.
    let own = config.and_then(|config| config.get("extra_special_tokens")?.as_object()).into_iter().flatten();
    let own = own.filter_map(|(name, value)| Some((name.clone(), token_text(value)?.to_owned())));
    NAMES.into_iter().filter_map(|name| Some((name.to_owned(), text(name)?))).chain(own).collect()
}
