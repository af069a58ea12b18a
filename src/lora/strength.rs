//! The scale of each pair and the rank it should have: `adapter_config.json` of PEFT and of MLX, GGUF's metadata.
//! Adapters that are more than LoRA are refused here, by the name of their method.

use super::pairs::World;
use super::targets::LoraTargets;
use crate::error::{Error, Result};
use crate::weights::Checkpoint;
use regex::Regex;
use serde_json::Value;

/// How strong the pairs are.
pub struct Strength {
    rule: Rule,
    /// The rank that PEFT's config gives, and those of single projections.
    rank: Option<usize>,
    ranks: Vec<(Regex, usize)>,
}

enum Rule {
    /// Alpha divided by the rank, or by its square root.
    Alpha { alpha: f32, alphas: Vec<(Regex, f32)>, root: bool },
    /// The factor itself.
    Factor(f32),
}

/// PEFT's settings that change more than the product of two matrices, with the value that changes nothing.
const BEYOND: &[(&str, &str)] = &[
    ("use_dora", "DoRA"),
    ("use_qalora", "QA-LoRA"),
    ("use_bdlora", "BD-LoRA"),
    ("lora_bias", "a bias beside B (lora_bias)"),
    ("modules_to_save", "modules trained as a whole (modules_to_save)"),
    ("trainable_token_indices", "trained tokens (trainable_token_indices)"),
    ("alora_invocation_tokens", "an activated LoRA (alora_invocation_tokens)"),
    ("layer_replication", "replicated layers (layer_replication)"),
    ("target_parameters", "corrections of bare parameters (target_parameters)"),
    ("kasa_config", "KaSA"),
    ("monteclora_config", "MonteCLoRA"),
    ("arrow_config", "Arrow's routing of adapters"),
];

/// Initialisations that also change the base, so that the pairs alone are no adapter for the published one.
const CHANGES_BASE: [&str; 3] = ["pissa", "olora", "corda"];

impl Strength {
    /// `alpha`: the caller's, which comes before the files'.
    ///
    /// # Errors
    /// `INVALID_REQUEST` where neither says it, `MODEL_UNSUPPORTED` for what is more than LoRA, `MODEL_FORMAT` for settings
    /// that make no sense or are for another architecture.
    pub fn read(checkpoint: &Checkpoint, targets: &LoraTargets, alpha: Option<f32>) -> Result<Strength> {
        let mut strength = match (told(checkpoint)?, alpha) {
            (Some(strength), _) => strength,
            (None, Some(alpha)) => Strength::of_alpha(alpha),
            (None, None) => {
                let reason = "is needed: no adapter_config.json came with the adapter to say it";
                return Err(Error::invalid("alpha", reason));
            }
        };
        check_family(checkpoint, targets)?;
        match (&mut strength.rule, alpha) {
            (Rule::Alpha { alpha, alphas, .. }, Some(given)) => {
                *alpha = given;
                alphas.clear();
            }
            (rule, Some(given)) => *rule = Rule::Alpha { alpha: given, alphas: Vec::new(), root: false },
            (_, None) => {}
        }
        Ok(strength)
    }

    fn of_alpha(alpha: f32) -> Strength {
        Strength { rule: Rule::Alpha { alpha, alphas: Vec::new(), root: false }, rank: None, ranks: Vec::new() }
    }

    /// The rank of the pair for the base's tensor `base`, where the config says it.
    pub fn rank(&self, base: &str) -> Option<usize> {
        first_match(&self.ranks, base).or(self.rank)
    }

    /// The factor of the product of B and A.
    pub fn scale(&self, base: &str, rank: usize) -> f32 {
        match &self.rule {
            Rule::Factor(factor) => *factor,
            Rule::Alpha { alpha, alphas, root } => {
                let rank = rank as f32;
                first_match(alphas, base).unwrap_or(*alpha) / if *root { rank.sqrt() } else { rank }
            }
        }
    }
}

/// Whether the files say how strong the adapter is; errors as for [`Strength::read`].
pub fn is_said(checkpoint: &Checkpoint) -> Result<bool> {
    told(checkpoint).map(|told| told.is_some())
}

/// Whether `adapter_config.json` is one of mlx-lm.
pub fn is_mlx(config: &Value) -> bool {
    config["lora_parameters"].is_object()
}

/// The strength that the files state; `None` where they state none.
fn told(checkpoint: &Checkpoint) -> Result<Option<Strength>> {
    match (World::of(checkpoint), checkpoint.adapter_config()) {
        (World::Gguf, _) => gguf(checkpoint).map(Some),
        (_, Some(config)) if is_mlx(config) => mlx(config).map(Some),
        (_, Some(config)) => peft(config).map(Some),
        (_, None) => Ok(None),
    }
}

/// A GGUF adapter names the architecture it is for.
fn check_family(checkpoint: &Checkpoint, targets: &LoraTargets) -> Result<()> {
    let names = targets.gguf_names();
    let other = checkpoint.metadata().str("general.architecture")?.filter(|n| !names.is_empty() && !names.contains(n));
    match other {
        Some(name) => Err(targets.mismatch(checkpoint.name(), format!("it is for the architecture {name}"))),
        None => Ok(()),
    }
}

fn first_match<T: Copy>(patterns: &[(Regex, T)], name: &str) -> Option<T> {
    patterns.iter().find(|(pattern, _)| pattern.is_match(name)).map(|(_, value)| *value)
}

fn wrong(field: &str, must: &str) -> Error {
    Error::format("adapter_config.json", format!("{field} {must}"))
}

fn number(value: &Value, field: &str) -> Result<f32> {
    let number = value.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
    number.ok_or_else(|| wrong(field, "must be a number"))
}

fn rank(value: &Value, field: &str) -> Result<usize> {
    let rank = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
    rank.ok_or_else(|| wrong(field, "must be a whole number greater than zero"))
}

/// Null, false, an empty list or object, `"none"`.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text == "none",
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn peft(config: &Value) -> Result<Strength> {
    let kind = config["peft_type"].as_str().unwrap_or("LORA");
    if kind != "LORA" {
        return Err(Error::unsupported(format!("an adapter of the type {kind}")));
    }
    if let Some((_, what)) = BEYOND.iter().find(|(field, _)| !says_nothing(&config[*field])) {
        return Err(Error::unsupported(format!("{what} in an adapter")));
    }
    if !says_nothing(&config["bias"]) {
        return Err(Error::unsupported(format!("an adapter with trained biases (bias: {})", config["bias"])));
    }
    let start = config["init_lora_weights"].as_str().unwrap_or_default();
    if CHANGES_BASE.iter().any(|kind| start.starts_with(kind)) {
        return Err(Error::Unsupported {
            what: format!("an adapter that began as {start}, which changes the base"),
            hint: "; convert it with PEFT's path_initial_model_for_weight_conversion".into(),
        });
    }
    let alpha = match &config["lora_alpha"] {
        Value::Null => 8.0, // PEFT's own default
        alpha => number(alpha, "lora_alpha")?,
    };
    let r = match &config["r"] {
        Value::Null => None,
        r => Some(rank(r, "r")?),
    };
    let alphas = patterns(&config["alpha_pattern"], "alpha_pattern", number)?;
    let ranks = patterns(&config["rank_pattern"], "rank_pattern", rank)?;
    let root = config["use_rslora"].as_bool().unwrap_or(false);
    Ok(Strength { rule: Rule::Alpha { alpha, alphas, root }, rank: r, ranks })
}

/// PEFT's patterns: regular expressions that end a module's name, from a dot on.
fn patterns<T>(value: &Value, field: &str, read: fn(&Value, &str) -> Result<T>) -> Result<Vec<(Regex, T)>> {
    let Some(map) = value.as_object() else { return Ok(Vec::new()) };
    let pattern = |(key, value): (&String, &Value)| {
        let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{key})$"));
        let regex = regex.map_err(|_| wrong(field, &format!("has a pattern that cannot be read: {key:?}")))?;
        Ok((regex, read(value, field)?))
    };
    map.iter().map(pattern).collect()
}

/// `lora_parameters` of mlx-lm: a factor, in some versions with alpha ÷ rank beside it.
fn mlx(config: &Value) -> Result<Strength> {
    let parameters = &config["lora_parameters"];
    let kind = config["fine_tune_type"].as_str().unwrap_or("lora");
    if kind != "lora" {
        return Err(Error::unsupported(format!("an adapter of the type {kind}")));
    }
    let r = match (&parameters["rank"], &parameters["r"]) {
        (Value::Null, Value::Null) => None,
        (Value::Null, r) | (r, _) => Some(rank(r, "lora_parameters.rank")?),
    };
    let given = |field: &str| match &parameters[field] {
        Value::Null => Ok(None),
        value => number(value, field).map(Some),
    };
    let rule = match (given("scale")?, given("alpha")?, r) {
        (Some(scale), Some(alpha), Some(r)) => Rule::Factor(scale * alpha / r as f32),
        (Some(scale), ..) => Rule::Factor(scale),
        (None, Some(alpha), _) => Rule::Alpha { alpha, alphas: Vec::new(), root: false },
        (None, None, _) => return Err(wrong("lora_parameters", "has neither scale nor alpha")),
    };
    Ok(Strength { rule, rank: r, ranks: Vec::new() })
}

fn gguf(checkpoint: &Checkpoint) -> Result<Strength> {
    let metadata = checkpoint.metadata();
    if !checkpoint.is_adapter() {
        return Err(Error::format(checkpoint.name(), "is no adapter: general.type is another"));
    }
    if let Some(kind) = metadata.str("adapter.type")?.filter(|kind| *kind != "lora") {
        return Err(Error::unsupported(format!("an adapter of the type {kind}")));
    }
    if metadata.get("adapter.alora.invocation_tokens").is_some() {
        return Err(Error::unsupported("an activated LoRA (adapter.alora.invocation_tokens)"));
    }
    let alpha = metadata.f32("adapter.lora.alpha")?.filter(|alpha| alpha.is_finite());
    let alpha = alpha.ok_or_else(|| Error::format(checkpoint.name(), "says no adapter.lora.alpha"))?;
    // llama.cpp takes no alpha, written as 0, for a factor of 1.
    let strength = Strength::of_alpha(alpha);
    Ok(if alpha == 0.0 { Strength { rule: Rule::Factor(1.0), ..strength } } else { strength })
}
