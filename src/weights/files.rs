//! Which files make one model, told by their names.

use std::rc::Rc;

use crate::{Error, Result};

use super::foreign;
use super::source::Source;
use cresset_numerics::sort_by;

/// The files of one model: a `.gguf`; a `ggml-*.bin` of whisper.cpp's; or `*.safetensors` (with `*.safetensors.index.json` where sharded) and the JSON
/// files beside it. Files of other names are ignored, unless there is only one, which is then told by its first bytes.
///
/// A clone reads the same files.
#[derive(Default, Clone)]
pub struct Files {
    sources: Vec<Rc<dyn Source>>,
    /// The half of the model that sees, by whatever name.
    projector: Option<Rc<dyn Source>>,
}

impl Files {
    /// Files in any order.
    pub fn new(sources: Vec<Box<dyn Source>>) -> Self {
        Files { sources: sources.into_iter().map(Rc::from).collect(), projector: None }
    }

    /// A file that was among others, by itself.
    pub(super) fn of(source: Rc<dyn Source>) -> Self {
        Files { sources: vec![source], projector: None }
    }

    /// One file and nothing beside it.
    pub fn single(source: impl Source + 'static) -> Self {
        Files { sources: vec![Rc::new(source)], projector: None }
    }

    /// These files, with the half of the model that sees from others: the one file that they are.
    ///
    /// # Errors
    /// `INVALID_REQUEST` where they are several, or none.
    pub fn with_projector(self, projector: Files) -> Result<Files> {
        match <[Rc<dyn Source>; 1]>::try_from(projector.sources) {
            Ok([projector]) => Ok(Files { projector: Some(projector), ..self }),
            Err(others) => {
                Err(Error::invalid("projector", format!("is {} files; a projector is one GGUF file", others.len())))
            }
        }
    }
}

/// Where sentence-transformers says how tokens become a vector.
const POOLING: &str = "1_Pooling/config.json";

/// The role of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Config,
    Tokenizer,
    TokenizerConfig,
    SpecialTokensMap,
    AddedTokens,
    GenerationConfig,
    PreprocessorConfig,
    SourcePieces,
    Vocab,
    ProcessorConfig,
    ChatTemplate,
    ChatTemplateJson,
    AdapterConfig,
    Modules,
    Pooling,
    Index,
    Projector,
    Gguf,
    Safetensors,
    WhisperCpp,
    Other,
}

impl Role {
    fn of(name: &str) -> Role {
        if name.replace('\\', "/").ends_with(POOLING) {
            return Role::Pooling;
        }
        let name = base_name(name).to_ascii_lowercase();
        match name.as_str() {
            "config.json" => Role::Config,
            "tokenizer.json" => Role::Tokenizer,
            "tokenizer_config.json" => Role::TokenizerConfig,
            "special_tokens_map.json" => Role::SpecialTokensMap,
            "added_tokens.json" => Role::AddedTokens,
            "generation_config.json" => Role::GenerationConfig,
            "preprocessor_config.json" => Role::PreprocessorConfig,
            "source.spm" => Role::SourcePieces,
            "vocab.json" => Role::Vocab,
            "processor_config.json" => Role::ProcessorConfig,
            "chat_template.jinja" => Role::ChatTemplate,
            "chat_template.json" => Role::ChatTemplateJson,
            "adapter_config.json" => Role::AdapterConfig,
            "modules.json" => Role::Modules,
            _ if name.ends_with(".safetensors.index.json") => Role::Index,
            _ if name.ends_with(".gguf") && name.contains("mmproj") => Role::Projector,
            _ if name.ends_with(".gguf") => Role::Gguf,
            _ if name.ends_with(".safetensors") => Role::Safetensors,
            _ if name.starts_with("ggml-") && name.ends_with(".bin") => Role::WhisperCpp,
            _ => Role::Other,
        }
    }

    /// Whether it holds tensors, or says which files do.
    fn is_weights(self) -> bool {
        matches!(self, Role::Gguf | Role::Safetensors | Role::WhisperCpp | Role::Index | Role::Projector)
    }
}

/// Folders that a name goes through.
fn depth(name: &str) -> usize {
    name.matches(['/', '\\']).count()
}

/// The name without folders.
pub(super) fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// `model-00001-of-00003.safetensors` is part 1 of 3 of `model`: (stem, part, parts, extension).
fn part_of(name: &str) -> Option<(&str, u32, u32, &str)> {
    let (stem, extension) = base_name(name).rsplit_once('.')?;
    let (stem, parts) = stem.rsplit_once("-of-")?;
    let (stem, part) = stem.rsplit_once('-')?;
    let number = |digits: &str| (digits.len() == 5).then(|| digits.parse::<u32>().ok())?;
    Some((stem, number(part)?, number(parts)?, extension))
}

/// Files by role.
#[derive(Default)]
pub(super) struct Sorted {
    pub config: Option<Rc<dyn Source>>,
    pub tokenizer: Option<Rc<dyn Source>>,
    pub tokenizer_config: Option<Rc<dyn Source>>,
    pub special_tokens_map: Option<Rc<dyn Source>>,
    pub added_tokens: Option<Rc<dyn Source>>,
    pub generation_config: Option<Rc<dyn Source>>,
    pub preprocessor_config: Option<Rc<dyn Source>>,
    pub source_pieces: Option<Rc<dyn Source>>,
    pub vocab: Option<Rc<dyn Source>>,
    pub processor_config: Option<Rc<dyn Source>>,
    pub chat_template: Option<Rc<dyn Source>>,
    pub chat_template_json: Option<Rc<dyn Source>>,
    pub adapter_config: Option<Rc<dyn Source>>,
    pub modules: Option<Rc<dyn Source>>,
    pub pooling: Option<Rc<dyn Source>>,
    pub index: Option<Rc<dyn Source>>,
    /// The half of the model that sees.
    pub projector: Option<Rc<dyn Source>>,
    /// At least one. With an index there may be some that it does not name.
    pub weights: Vec<Rc<dyn Source>>,
}

impl Files {
    /// Sorts the files by role and refuses sets that are no one model.
    pub(super) fn sort(self) -> Result<Sorted> {
        let mut sorted = Sorted::default();
        let (mut ggufs, mut safetensors, mut indexes, mut others) = (vec![], vec![], vec![], vec![]);
        let mut projectors = vec![];
        // Files in subfolders belong to something else: the weights at the top count, and of other files of one name
        // the last.
        let mut sources = self.sources;
        sort_by(&mut sources, |a, b| depth(b.name()).cmp(&depth(a.name())));
        let weights = |name: &str| Role::of(name).is_weights();
        let top = sources.iter().map(|source| source.name()).filter(|name| weights(name)).map(depth).min();
        for source in sources {
            match Role::of(source.name()) {
                _ if weights(source.name()) && top.is_some_and(|top| depth(source.name()) > top) => {}
                Role::Config => sorted.config = Some(source),
                Role::Tokenizer => sorted.tokenizer = Some(source),
                Role::TokenizerConfig => sorted.tokenizer_config = Some(source),
                Role::SpecialTokensMap => sorted.special_tokens_map = Some(source),
                Role::AddedTokens => sorted.added_tokens = Some(source),
                Role::GenerationConfig => sorted.generation_config = Some(source),
                Role::PreprocessorConfig => sorted.preprocessor_config = Some(source),
                Role::SourcePieces => sorted.source_pieces = Some(source),
                Role::Vocab => sorted.vocab = Some(source),
                Role::ProcessorConfig => sorted.processor_config = Some(source),
                Role::ChatTemplate => sorted.chat_template = Some(source),
                Role::ChatTemplateJson => sorted.chat_template_json = Some(source),
                Role::AdapterConfig => sorted.adapter_config = Some(source),
                Role::Modules => sorted.modules = Some(source),
                Role::Pooling => sorted.pooling = Some(source),
                Role::Index => indexes.push(source),
                Role::Projector => projectors.push(source),
                Role::Gguf | Role::WhisperCpp => ggufs.push(source),
                Role::Safetensors => safetensors.push(source),
                Role::Other => others.push(source),
            }
        }
        match ggufs.is_empty() && safetensors.is_empty() && indexes.is_empty() {
            // By itself it is looked into, to say what it is.
            true => ggufs.append(&mut projectors),
            false => sorted.projector = self.projector.or(one_projector(projectors)),
        }
        sorted.weights = match (ggufs.is_empty(), safetensors.is_empty()) {
            (false, true) => ggufs,
            (false, false) => {
                ggufs.append(&mut safetensors);
                return Err(ambiguous(&ggufs));
            }
            (true, true) if indexes.is_empty() && others.len() == 1 => others,
            (true, true) if indexes.is_empty() => {
                let what = "a .gguf or .safetensors file".to_owned();
                let advice = foreign::advice(others.iter().map(|other| other.name()));
                return Err(Error::ModelNotFound { what, hint: format!(" among the files given{advice}").into() });
            }
            (true, _) => {
                sorted.index = one_index(indexes)?;
                if sorted.index.is_some() { safetensors } else { one_model(safetensors)? }
            }
        };
        Ok(sorted)
    }
}

/// Of several, which differ in how their numbers are kept, the most exact that is not needlessly large.
fn one_projector(projectors: Vec<Rc<dyn Source>>) -> Option<Rc<dyn Source>> {
    let rank = |source: &Rc<dyn Source>| {
        let name = base_name(source.name()).to_lowercase();
        ["f16", "bf16", "q8_0"].iter().position(|format| name.contains(format)).unwrap_or(3)
    };
    projectors.into_iter().min_by_key(rank)
}

pub(super) fn ambiguous(sources: &[Rc<dyn Source>]) -> Error {
    const SHOWN: usize = 4;
    let names: Vec<&str> = sources.iter().take(SHOWN).map(|source| base_name(source.name())).collect();
    let more = if sources.len() > SHOWN { ", …" } else { "" };
    let names = names.join(", ");
    Error::invalid("model", format!("there are several models ({names}{more}); name the one file to load"))
}

fn one_index(mut indexes: Vec<Rc<dyn Source>>) -> Result<Option<Rc<dyn Source>>> {
    if indexes.len() > 1 {
        let usual = indexes.iter().position(|index| base_name(index.name()) == "model.safetensors.index.json");
        return match usual {
            Some(i) => Ok(Some(indexes.swap_remove(i))),
            None => Err(ambiguous(&indexes)),
        };
    }
    Ok(indexes.pop())
}

/// Without an index: one file, or all parts of one.
fn one_model(mut files: Vec<Rc<dyn Source>>) -> Result<Vec<Rc<dyn Source>>> {
    sort_by(&mut files, |a, b| a.name().cmp(b.name()));
    let first = base_name(files[0].name()).to_owned();
    if let Some((stem, _, parts, extension)) = part_of(&first)
        && files.iter().all(|file| part_of(file.name()).is_some_and(|part| (part.0, part.2) == (stem, parts)))
    {
        let absent = (1..=parts).find(|&n| files.iter().all(|file| part_of(file.name()).is_none_or(|p| p.1 != n)));
        return match absent {
            None => Ok(files),
            Some(n) => Err(Error::ModelNotFound {
                what: format!("{stem}-{n:05}-of-{parts:05}.{extension}"),
                hint: format!(", which belongs to {first}").into(),
            }),
        };
    }
    if files.len() > 1 {
        // A model's usual name, then an adapter's: PEFT's and MLX's.
        let usual = ["model.safetensors", "adapter_model.safetensors", "adapters.safetensors"];
        let usual = usual.iter().find_map(|name| files.iter().position(|file| base_name(file.name()) == *name));
        let Some(i) = usual else {
            return Err(ambiguous(&files));
        };
        files = vec![files.swap_remove(i)];
    }
    Ok(files)
}

/// Opens the files of the model at a path: a `.gguf` (and the other parts of a split one), a `.safetensors` or its index (with
/// what belongs to it in the same folder), or a folder.
///
/// # Errors
/// `MODEL_NOT_FOUND` if there is no such file or the folder holds no model, `STORAGE` if the system refuses to open it.
#[cfg(not(target_arch = "wasm32"))]
pub fn open_path(path: impl AsRef<std::path::Path>) -> Result<Files> {
    use super::source::{FileSource, io_error};

    let path = path.as_ref();
    let shown = path.display().to_string();
    let refused = |error: std::io::Error| io_error(&shown, &error);
    let is_folder = path.metadata().map_err(refused)?.is_dir();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = match path.parent() {
        _ if is_folder => path,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => std::path::Path::new("."),
    };
    let wanted = |sibling: &str| {
        let role = Role::of(sibling);
        let weights = role.is_weights();
        match (is_folder, Role::of(&name)) {
            (true, _) => role != Role::Other,
            _ if sibling == name => true,
            (_, Role::Safetensors | Role::Index) if !weights => role != Role::Other,
            (_, Role::Index) => role == Role::Safetensors,
            _ => belongs_to(sibling, &name),
        }
    };

    let (mut siblings, mut names) = (vec![], vec![]);
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        names.push(entry.file_name().to_string_lossy().into_owned());
        if wanted(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            siblings.push(entry.path());
        }
    }
    siblings.sort();
    let mut sources: Vec<Rc<dyn Source>> = vec![];
    for sibling in siblings {
        sources.push(Rc::new(FileSource::open(&sibling)?));
    }
    let pooling = folder.join(POOLING);
    if wanted("config.json") && pooling.is_file() {
        sources.push(Rc::new(FileSource::open(&pooling)?.named(POOLING)));
    }
    if is_folder && !sources.iter().any(|source| Role::of(source.name()).is_weights()) {
        let what = format!("a .gguf or .safetensors file in {shown}");
        return Err(Error::ModelNotFound { what, hint: foreign::advice(names.iter().map(String::as_str)).into() });
    }
    Ok(Files { sources, projector: None })
}

/// Whether a file is another part of the same split model as `name`, or the index of its parts.
#[cfg(not(target_arch = "wasm32"))]
fn belongs_to(sibling: &str, name: &str) -> bool {
    let Some((stem, _, parts, extension)) = part_of(name) else {
        return false;
    };
    part_of(sibling).is_some_and(|part| (part.0, part.2, part.3) == (stem, parts, extension))
        || sibling == format!("{stem}.safetensors.index.json")
}
