//! Which files a name means: weights, and what belongs to them. The page does the same in `www/files/sources.js`.

use super::address::{file_name, joined};
use super::catalogue;
use super::http::Http;
use super::hub::{self, Listed};
use super::name::Name;
use super::place::{Place, file_url};
use cresset::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// The kind of weights to choose in a repository that has both.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Model,
    Adapter,
}

/// A file to download.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// Its name in the model's folder, with `/`.
    pub name: String,
    pub url: String,
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
    /// Nothing is missing without it.
    pub optional: bool,
}

/// Files that belong to weights in safetensors.
const BESIDE: [&str; 14] = [
    "config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    MARIAN[0],
    MARIAN[1],
    "chat_template.jinja",
    "chat_template.json",
    "modules.json",
];
/// Marian's vocabulary. Other models have a file of the second name too, which says nothing that their tokenizer.json does not.
const MARIAN: [&str; 2] = ["source.spm", "vocab.json"];
/// How sentence-transformers makes a vector of a text.
const POOLING: &str = "1_Pooling/config.json";
/// Files that a model is split into, at most.
const PARTS: u32 = 1000;

/// The files of what was named, weights or their index first.
///
/// # Errors
/// `MODEL_NOT_FOUND`, `MODEL_FORMAT` for an index that names none, and those of [`Http::get`].
pub fn list(http: &Http, name: &Name, kind: Kind) -> Result<Vec<Remote>> {
    match name {
        Name::Hub(place) => hub_files(http, place, kind),
        Name::Url(url) => url_files(http, url),
        Name::Bundled(id) => match catalogue::bundled(id).and_then(|row| row.hub.as_ref()) {
            Some(hub) => list(http, &Name::parse(hub.model.as_ref())?, kind),
            None => Err(Error::ModelNotFound {
                what: format!("the file of the model {id}"),
                hint: "; it lies in www/models/ of Cresset's source, and is looked for beside this program".into(),
            }),
        },
        Name::Path(path) => Err(Error::Internal(format!("{} is no remote file", path.display()))),
    }
}

/// The files of a place on the hub: a GGUF's by the catalogue or its name alone, others by the repository's list.
fn hub_files(http: &Http, place: &Place, kind: Kind) -> Result<Vec<Remote>> {
    if let Some(file) = place.file.as_ref().filter(|file| is_gguf(file)) {
        let facts = catalogue::facts(&place.to_string());
        let parts = parts(file)?.into_iter().map(|part| Remote {
            name: last(&part).to_string(),
            url: file_url(place, &part),
            bytes: facts.map(|facts| facts.bytes),
            sha256: facts.map(|facts| facts.sha256.clone()),
            optional: false,
        });
        return Ok(parts.collect());
    }
    let listed = hub::list(http, place)?;
    let names: Vec<&str> = listed.iter().map(|file| file.name.as_str()).collect();
    let within = |folder: &str| -> Vec<&str> {
        names.iter().filter_map(|name| name.strip_prefix(folder)).filter(|name| !name.contains('/')).collect()
    };
    let (folder, chosen) = match place.file.as_deref() {
        Some(file) if names.contains(&file) => file
            .rsplit_once('/')
            .map_or((String::new(), Some(file)), |(folder, name)| (format!("{folder}/"), Some(name))),
        Some(folder) => (format!("{folder}/"), best(&within(&format!("{folder}/")), kind)),
        None => (String::new(), best(&within(""), kind)),
    };
    let Some(chosen) = chosen else {
        let files: Vec<&str> = names.iter().copied().filter(|name| is_weights(name)).take(8).collect();
        let hint = if files.is_empty() { String::new() } else { format!("; there are {}", files.join(", ")) };
        return Err(Error::ModelNotFound {
            what: format!("a .gguf or .safetensors file at {place}"),
            hint: hint.into(),
        });
    };
    let remote = |file: &Listed| Remote {
        name: file.name[folder.len()..].to_string(),
        url: file_url(place, &file.name),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
        optional: false,
    };
    let find = |name: &str| listed.iter().find(|file| file.name == format!("{folder}{name}"));
    let need = |name: &str| {
        let absent = || Error::ModelNotFound { what: name.to_string(), hint: format!(", which {chosen} needs").into() };
        find(name).map(remote).ok_or_else(absent)
    };
    if is_gguf(chosen) {
        let mut names = parts(chosen)?;
        names.extend(best_projector(&within(&folder)).map(str::to_string));
        return names.iter().map(|name| need(name)).collect();
    }
    let mut files = vec![need(chosen)?];
    if chosen.ends_with(".index.json") {
        let text = http.text(&files[0].url)?;
        for shard in shards(chosen, &text)? {
            files.push(need(&shard)?);
        }
    }
    // Modules of sentence-transformers have folders of their own: 1_Pooling, 2_Dense.
    let is_module = |name: &str| {
        name.split_once('_').is_some_and(|(number, rest)| number.parse::<u8>().is_ok() && rest.contains('/'))
    };
    let beside = listed.iter().filter(|file| {
        let name = file.name.strip_prefix(folder.as_str()).unwrap_or_default();
        let wanted = name != MARIAN[1] || find(MARIAN[0]).is_some();
        BESIDE.contains(&name) && wanted
            || (is_module(name) && (name.ends_with(".json") || name.ends_with(".safetensors")))
    });
    files.extend(beside.map(remote));
    Ok(files)
}

fn url_files(http: &Http, url: &str) -> Result<Vec<Remote>> {
    let one =
        |url: String, name: &str, optional| Remote { name: name.to_string(), url, bytes: None, sha256: None, optional };
    let path = url.split('?').next().unwrap_or_default();
    let name = file_name(url);
    let beside = || BESIDE.iter().chain([&POOLING]).map(|name| one(joined(url, name), name, true));
    let of_index = |index: &str| -> Result<Vec<Remote>> {
        let name = file_name(index);
        let mut files = vec![one(index.to_string(), &name, false)];
        files.extend(shards(&name, &http.text(index)?)?.iter().map(|shard| one(joined(index, shard), shard, false)));
        files.extend(beside());
        Ok(files)
    };
    if path.ends_with('/') {
        return match of_index(&joined(url, "model.safetensors.index.json")) {
            Err(Error::ModelNotFound { .. }) => {
                let single = one(joined(url, "model.safetensors"), "model.safetensors", false);
                Ok(std::iter::once(single).chain(beside()).collect())
            }
            files => files,
        };
    }
    if is_gguf(&name) {
        let parts = parts(&name)?;
        let of = |part: &String| if parts.len() == 1 { url.to_string() } else { joined(url, part) };
        return Ok(parts.iter().map(|part| one(of(part), part, false)).collect());
    }
    if name.ends_with(".index.json") {
        return of_index(url);
    }
    let file = one(url.to_string(), &name, false);
    Ok(if name.ends_with(".safetensors") { std::iter::once(file).chain(beside()).collect() } else { vec![file] })
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_gguf(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".gguf")
}

/// Whether it is the half of a model that sees, by its name.
pub fn is_projector(name: &str) -> bool {
    is_gguf(name) && last(name).to_ascii_lowercase().contains("mmproj")
}

fn is_weights(name: &str) -> bool {
    is_gguf(name) || name.ends_with(".safetensors")
}

fn too_many(name: &str, count: impl std::fmt::Display) -> Error {
    Error::format(name, format!("it claims to be one of {count} parts; a model has at most {PARTS}"))
}

/// All parts of a split GGUF, of which `path` is any, the first one first; a whole one alone.
fn parts(path: &str) -> Result<Vec<String>> {
    let whole = || vec![path.to_string()];
    let Some((stem, count)) = path[..path.len() - ".gguf".len()].rsplit_once("-of-") else { return Ok(whole()) };
    let Some((stem, part)) = stem.rsplit_once('-') else { return Ok(whole()) };
    let number = |digits: &str| (digits.len() == 5).then(|| digits.parse::<u32>().ok()).flatten();
    match (number(part), number(count)) {
        (Some(part), Some(count)) if (1..=count).contains(&part) => {
            if count > PARTS {
                return Err(too_many(path, count));
            }
            let end = &path[path.len() - ".gguf".len()..];
            Ok((1..=count).map(|part| format!("{stem}-{part:05}-of-{count:05}{end}")).collect())
        }
        _ => Ok(whole()),
    }
}

/// The files that an index of tensors names. Nothing in it leads anywhere but beside it.
fn shards(index: &str, text: &str) -> Result<BTreeSet<String>> {
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(map) = json["weight_map"].as_object() else {
        return Err(Error::format(index, "there is no readable weight_map"));
    };
    let is_beside =
        |name: &str| !name.starts_with('.') && !name.contains(['/', '\\', ':', '?', '#', '%']) && name.len() < 256;
    let names: Option<BTreeSet<String>> = map
        .values()
        .map(|name| name.as_str().filter(|name| is_beside(name) && is_weights(name)).map(str::to_string))
        .collect();
    match names {
        Some(names) if names.len() > PARTS as usize => Err(too_many(index, names.len())),
        Some(names) if !names.is_empty() => Ok(names),
        _ => Err(Error::format(index, "it names files that are not beside it, or none")),
    }
}

/// The file that a person most likely means: good and small enough for most devices first.
fn best<'a>(names: &[&'a str], kind: Kind) -> Option<&'a str> {
    let find = |wanted: &str| names.iter().copied().find(|name| *name == wanted);
    let first_safetensors = || names.iter().copied().find(|name| name.ends_with(".safetensors"));
    let mut ggufs: Vec<&str> = names.iter().copied().filter(|name| is_gguf(name)).collect();
    ggufs.retain(|name| !is_projector(name));
    ggufs.sort_unstable();
    if kind == Kind::Adapter {
        let usual = find("adapter_model.safetensors").or_else(|| find("adapters.safetensors"));
        return usual.or(ggufs.first().copied()).or_else(first_safetensors);
    }
    let (whole, split): (Vec<&str>, Vec<&str>) = ggufs.iter().partition(|name| !name.contains("-of-"));
    let ggufs = if whole.is_empty() { split } else { whole };
    for wanted in ["q8_0", "q4_0", "f16", "bf16", "f32", "q4_k_m", ""] {
        // f16 is in bf16 as well.
        let fits = |name: &&&str| {
            let name = name.to_ascii_lowercase();
            name.contains(wanted) && (wanted != "f16" || !name.contains("bf16"))
        };
        if let Some(name) = ggufs.iter().find(fits) {
            return Some(name);
        }
    }
    find("model.safetensors.index.json").or_else(|| find("model.safetensors")).or_else(first_safetensors)
}

/// The half of the model that sees, where it is a file of its own: as exact as need be.
fn best_projector<'a>(names: &[&'a str]) -> Option<&'a str> {
    let projectors = || names.iter().copied().filter(|name| is_projector(name));
    // f16 is in bf16 as well.
    let fits = |name: &str, wanted: &str| name.contains(wanted) && (wanted != "f16" || !name.contains("bf16"));
    ["f16", "bf16", "q8_0", ""]
        .iter()
        .find_map(|wanted| projectors().find(|name| fits(&name.to_ascii_lowercase(), wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_model_has_all_its_parts() {
        let names = |path: &str| parts(path).map_err(|error| error.code());
        assert_eq!(
            names("a/m-00002-of-00002.gguf"),
            Ok(vec!["a/m-00001-of-00002.gguf".into(), "a/m-00002-of-00002.gguf".into()])
        );
        for whole in ["m.gguf", "m-00003-of-00002.gguf", "m-1-of-2.gguf"] {
            assert_eq!(names(whole), Ok(vec![whole.to_string()]));
        }
        assert_eq!(names("m-00001-of-09999.gguf"), Err("MODEL_FORMAT"));
    }

    #[test]
    fn an_index_leads_nowhere_else() {
        let index =
            |file: &str| shards("i.json", &format!(r#"{{"weight_map": {{"a": "{file}"}}}}"#)).map_err(|e| e.code());
        assert_eq!(index("m.safetensors"), Ok(BTreeSet::from(["m.safetensors".to_string()])));
        for odd in ["../m.safetensors", "/m.safetensors", "https://x/m.safetensors", ".m.safetensors", "m.bin", ""] {
            assert_eq!(index(odd), Err("MODEL_FORMAT"), "{odd}");
        }
        assert!(shards("i.json", "{}").is_err() && shards("i.json", r#"{"weight_map": {}}"#).is_err());
    }

    #[test]
    fn the_best_file_is_what_the_page_takes() {
        let model = |names: &[&'static str]| best(names, Kind::Model);
        assert_eq!(model(&["m-q4_k_m.gguf", "m-Q8_0.gguf", "mmproj-q8_0.gguf"]), Some("m-Q8_0.gguf"));
        assert_eq!(model(&["m-bf16.gguf", "m-f16.gguf"]), Some("m-f16.gguf"));
        assert_eq!(best_projector(&["m.gguf", "mmproj-bf16.gguf", "mmproj-F16.gguf"]), Some("mmproj-F16.gguf"));
        assert_eq!(best_projector(&["m.gguf", "mmproj-m.gguf"]), Some("mmproj-m.gguf"));
        assert_eq!(best_projector(&["m.gguf"]), None);
        assert_eq!(
            model(&["m-q8_0-00001-of-00002.gguf", "m-q8_0-00002-of-00002.gguf"]),
            Some("m-q8_0-00001-of-00002.gguf")
        );
        assert_eq!(model(&["x.safetensors", "model.safetensors", "config.json"]), Some("model.safetensors"));
        assert_eq!(model(&["pytorch_model.bin"]), None);
        assert_eq!(best(&["model.safetensors", "adapters.safetensors"], Kind::Adapter), Some("adapters.safetensors"));
    }
}
