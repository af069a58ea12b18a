//! The files in which older repositories name special and added tokens, read as transformers reads them: into
//! `tokenizer_config.json`, which names them all today.

use serde_json::{Map, Value, json};

/// The fields of `tokenizer_config.json` that name special tokens, each by a text or an object with one.
const NAMED_TOKENS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Those with several: a list, or since transformers 5 an object of named ones.
const LISTS: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];

/// A token's text in a configuration: `"</s>"` or `{"content": "</s>", …}`.
pub fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// The special tokens that a `tokenizer_config.json` names, as it writes them.
pub fn special_tokens(config: &Value) -> impl Iterator<Item = &Value> {
    let named = NAMED_TOKENS.iter().filter_map(|name| config.get(name));
    let lists = LISTS.iter().filter_map(|name| config.get(name)).flat_map(|value| match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(named) => named.values().collect(),
        _ => vec![],
    });
    named.chain(lists).filter(|value| token_text(value).is_some())
}

/// `tokenizer_config.json` with what `special_tokens_map.json` and `added_tokens.json` say. Both are read only where it has no
/// `added_tokens_decoder`, whose place they then take; then the map's names go before its own.
pub(super) fn with_older_files(config: Option<Value>, map: Option<Value>, added: Option<Value>) -> Option<Value> {
    let has_decoder = config.as_ref().is_some_and(|config| config.get("added_tokens_decoder").is_some());
    if has_decoder || (map.is_none() && added.is_none()) {
        return config;
    }
    let mut config = config.unwrap_or_else(|| json!({}));
    let fields = config.as_object_mut()?; // read as an object
    for (name, value) in map.iter().filter_map(Value::as_object).flatten() {
        let value = match (LISTS.contains(&name.as_str()), fields.get(name), value) {
            (true, Some(Value::Array(own)), Value::Array(more)) => {
                own.iter().chain(more.iter().filter(|token| !own.contains(token))).cloned().collect()
            }
            _ => value.clone(),
        };
        fields.insert(name.clone(), value);
    }
    let special: Vec<String> = special_tokens(&config).filter_map(token_text).map(str::to_owned).collect();
    let decoder = added.iter().filter_map(Value::as_object).flatten().map(|(text, id)| {
        let special = special.contains(text);
        (id.to_string(), json!({ "content": text, "special": special, "normalized": !special }))
    });
    config["added_tokens_decoder"] = decoder.collect::<Map<_, _>>().into();
    Some(config)
}
