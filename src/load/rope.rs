//! How a file describes its rotary positions.

use super::find::Tensors;
use super::hyper::Hyper;
use crate::error::{Error, Result};
use crate::nn::RopeScaling;
use serde_json::Value;

/// Rotary positions, as numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeSpec {
    /// Dimensions of a head that turn.
    pub dims: usize,
    /// The slowest pair turns by 1 / base^((dims − 2) / dims) a position.
    pub base: f64,
    /// How the angles are stretched for longer contexts.
    pub scaling: Option<RopeScaling>,
}

impl RopeSpec {
    /// From a file's metadata or config.json, for `context` positions. `section`: which of config.json's several sets of `rope_parameters` (Gemma
    /// 3 has one for each kind of layer).
    ///
    /// # Errors
    /// `MODEL_FORMAT` for numbers that are missing or make no sense; `MODEL_UNSUPPORTED` for a scaling this build does not
    /// compute.
    pub async fn read(
        hyper: &Hyper<'_>,
        tensors: &Tensors<'_>,
        head_dim: usize,
        context: usize,
        section: Option<&str>,
    ) -> Result<Self> {
        let source = Source { hyper, objects: objects(hyper, section), context: context as f64 };
        let dims = source.dims(head_dim)?;
        let base = match source.number("rope_theta")? {
            Some(base) => base,
            None => hyper.optional_number("rope.freq_base", "rope_theta|rotary_emb_base")?.unwrap_or(10_000.0),
        };
        let mut spec = RopeSpec { dims, base, scaling: None };
        spec.scaling = match tensors.has("rope_divisors", 0) {
            true => {
                let divisors = tensors.values("rope_divisors", 0, &[dims / 2]).await?;
                check_divisors(hyper, "rope_freqs.weight", &divisors)?;
                Some(RopeScaling::Divisors { divisors, magnitude: 1.0 })
            }
            false if hyper.config().is_some() => source.config_scaling(dims)?,
            false => gguf_scaling(&source, tensors, dims).await?,
        };
        Ok(spec)
    }
}

/// config.json's objects about RoPE, by their newer and their older name; a section where there is one of that name.
fn objects<'a>(hyper: &Hyper<'a>, section: Option<&str>) -> Vec<(&'static str, &'a Value)> {
    let Some(config) = hyper.config() else { return Vec::new() };
    let objects = ["rope_parameters", "rope_scaling"].map(|key| (key, &config[key]));
    let narrowed = objects.map(|(key, object)| match section.map(|section| &object[section]) {
        Some(nested) if nested.is_object() => (key, nested),
        _ => (key, object),
    });
    narrowed.into_iter().filter(|(_, object)| object.is_object()).collect()
}

fn check_divisors(hyper: &Hyper, name: &str, divisors: &[f32]) -> Result<()> {
    match divisors.iter().all(|d| d.is_finite() && *d > 0.0) {
        true => Ok(()),
        false => Err(hyper.wrong(name, "must hold numbers greater than zero")),
    }
}

/// Where the numbers come from.
struct Source<'s, 'a> {
    hyper: &'s Hyper<'a>,
    /// Where config.json has its numbers, with their names.
    objects: Vec<(&'static str, &'a Value)>,
    /// Positions the engine will hold.
    context: f64,
}

impl Source<'_, '_> {
    fn dims(&self, head_dim: usize) -> Result<usize> {
        let fraction = match self.number("partial_rotary_factor")? {
            None => self.hyper.optional_number("", "partial_rotary_factor|rotary_pct|rotary_emb_fraction")?,
            factor => factor,
        };
        let dims = match (fraction, self.hyper.optional_count("rope.dimension_count", "rotary_dim")?) {
            (_, Some(dims)) => dims,
            (Some(fraction), None) => (head_dim as f64 * fraction) as usize,
            (None, None) => head_dim,
        };
        match dims.is_multiple_of(2) && (2..=head_dim).contains(&dims) {
            true => Ok(dims),
            false => {
                let name = if self.hyper.config().is_some() { "partial_rotary_factor" } else { "rope.dimension_count" };
                Err(self.hyper.wrong(name, "must make an even number of dimensions, no more than a head has"))
            }
        }
    }

    /// A value of the RoPE objects, with the name of the one that has it.
    fn value(&self, key: &str) -> Option<(String, &Value)> {
        let mut found = self.objects.iter().filter(|(_, object)| !object[key].is_null());
        found.next().map(|(name, object)| (format!("{name}.{key}"), &object[key]))
    }

    /// A number of the RoPE objects, if it is there.
    fn number(&self, key: &str) -> Result<Option<f64>> {
        let Some((name, value)) = self.value(key) else { return Ok(None) };
        let number = value.as_f64().filter(|x| x.is_finite() && *x > 0.0);
        number.map(Some).ok_or_else(|| self.hyper.wrong(&name, "must be a number greater than zero"))
    }

    fn required(&self, key: &str) -> Result<f64> {
        let object = self.objects.first().map_or("rope_parameters", |(name, _)| name);
        self.number(key)?.ok_or_else(|| self.hyper.wrong(&format!("{object}.{key}"), "is missing"))
    }

    /// LongRoPE's factors of one kind.
    fn factors(&self, key: &str, dims: usize) -> Result<Vec<f32>> {
        let list = self.value(key).and_then(|(_, list)| list.as_array());
        let factors =
            list.and_then(|list| list.iter().map(|x| x.as_f64().map(|x| x as f32)).collect::<Option<Vec<_>>>());
        let wrong = || self.hyper.wrong(&format!("rope_scaling.{key}"), &format!("must be {} numbers", dims / 2));
        let factors = factors.filter(|factors| factors.len() == dims / 2).ok_or_else(wrong)?;
        check_divisors(self.hyper, key, &factors)?;
        Ok(factors)
    }

    /// The scaling config.json asks for.
    fn config_scaling(&self, dims: usize) -> Result<Option<RopeScaling>> {
        let kind = ["rope_type", "type"].into_iter().find_map(|key| self.value(key)?.1.as_str().map(str::to_string));
        let positions = self.hyper.optional_number("", "max_position_embeddings")?;
        let original = match self.number("original_max_position_embeddings")? {
            None => self.hyper.optional_number("", "original_max_position_embeddings")?,
            original => original,
        };
        match kind.as_deref() {
            None | Some("default") => Ok(None),
            Some("linear") => Ok(Some(RopeScaling::Linear { factor: self.required("factor")? })),
            Some("llama3") => self.llama3().map(Some),
            Some("yarn") => self.yarn(positions, original).map(Some),
            Some("longrope" | "su") => self.long_rope(dims, positions, original.or(positions)).map(Some),
            Some(kind) => Err(Error::unsupported(format!("the RoPE scaling {kind}"))),
        }
    }

    fn llama3(&self) -> Result<RopeScaling> {
        let (low, high) = (self.required("low_freq_factor")?, self.required("high_freq_factor")?);
        if high <= low {
            return Err(self.hyper.wrong("rope_scaling.high_freq_factor", "must be larger than low_freq_factor"));
        }
        Ok(RopeScaling::Llama3 {
            factor: self.required("factor")?,
            low_freq_factor: low,
            high_freq_factor: high,
            original_context: self.required("original_max_position_embeddings")?,
        })
    }

    /// `positions`, `original`: those that the model was made for, with and without the scaling.
    fn yarn(&self, positions: Option<f64>, original: Option<f64>) -> Result<RopeScaling> {
        let original_context = original
            .or(positions)
            .ok_or_else(|| self.hyper.wrong("rope_parameters.original_max_position_embeddings", "is missing"))?;
        let factor = match (self.number("factor")?, positions) {
            (Some(factor), _) => factor,
            (None, Some(positions)) => positions / original_context,
            (None, None) => self.required("factor")?,
        };
        // As the paper's eq. 22, or by DeepSeek's two numbers for it.
        let sharpened = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
        let by_scales = match (self.number("mscale")?, self.number("mscale_all_dim")?) {
            (Some(m), Some(all)) => sharpened(m) / sharpened(all),
            _ => sharpened(1.0),
        };
        Ok(RopeScaling::Yarn {
            factor,
            original_context,
            beta_fast: self.number("beta_fast")?.unwrap_or(32.0),
            beta_slow: self.number("beta_slow")?.unwrap_or(1.0),
            truncate: self.value("truncate").and_then(|(_, value)| value.as_bool()).unwrap_or(true),
            magnitude: self.number("attention_factor")?.unwrap_or(by_scales),
        })
    }

    fn long_rope(&self, dims: usize, positions: Option<f64>, original: Option<f64>) -> Result<RopeScaling> {
        let original = original.ok_or_else(|| self.hyper.wrong("original_max_position_embeddings", "is missing"))?;
        let key = if self.context > original { "long_factor" } else { "short_factor" };
        let divisors = self.factors(key, dims)?;
        let factor = match (positions, self.number("factor")?) {
            (Some(positions), _) => positions / original,
            (None, factor) => factor.unwrap_or(1.0),
        };
        let magnitude = match self.number("attention_factor")? {
            Some(magnitude) => magnitude,
            None => long_magnitude(factor, original),
        };
        Ok(RopeScaling::Divisors { divisors, magnitude })
    }
}

/// config.json's factors of LongRoPE, long and short, and the context from which on the long ones count; `None` where it
/// says nothing of them.
///
/// # Errors
/// `MODEL_FORMAT` for factors that are not `dims` / 2 numbers, or numbers that make no sense.
#[cfg(not(target_arch = "wasm32"))]
pub fn long_factors(hyper: &Hyper<'_>, dims: usize) -> Result<Option<([Vec<f32>; 2], f64)>> {
    let source = Source { hyper, objects: objects(hyper, None), context: 0.0 };
    if source.value("long_factor").is_none() {
        return Ok(None);
    }
    let factors = [source.factors("long_factor", dims)?, source.factors("short_factor", dims)?];
    let own = source.number("original_max_position_embeddings")?;
    let original = own.or(hyper.optional_number("", "original_max_position_embeddings|max_position_embeddings")?);
    Ok(original.map(|original| (factors, original)))
}

/// LongRoPE's sharpening of attention (Ding et al. 2024, <https://arxiv.org/abs/2402.13753>).
fn long_magnitude(factor: f64, original: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original.ln()).sqrt() }
}

/// The scaling a GGUF file's metadata and tensors ask for.
async fn gguf_scaling(source: &Source<'_, '_>, tensors: &Tensors<'_>, dims: usize) -> Result<Option<RopeScaling>> {
    let hyper = source.hyper;
    let original = hyper.optional_number("rope.scaling.original_context_length", "")?;
    let factor = match hyper.optional_number("rope.scaling.factor", "")? {
        None => hyper.optional_number("rope.scale_linear", "")?, // its name in older files
        factor => factor,
    };
    if tensors.has("rope_long", 0) && tensors.has("rope_short", 0) {
        let trained = hyper.number("context_length", "")?;
        let original = original.unwrap_or(trained);
        let name = if source.context > original { "rope_long" } else { "rope_short" };
        let divisors = tensors.values(name, 0, &[dims / 2]).await?;
        check_divisors(hyper, name, &divisors)?;
        let magnitude = hyper.optional_number("rope.scaling.attn_factor", "")?;
        let magnitude = magnitude.unwrap_or_else(|| long_magnitude(trained / original, original));
        return Ok(Some(RopeScaling::Divisors { divisors, magnitude }));
    }
    match hyper.text("rope.scaling.type", "")? {
        Some("none") => Ok(None),
        // llama.cpp takes a factor without a type for a linear one.
        None | Some("linear") => Ok(factor.map(|factor| RopeScaling::Linear { factor })),
        Some("yarn") => {
            let factor = factor.ok_or_else(|| hyper.wrong("rope.scaling.factor", "is missing"))?;
            let attention = hyper.optional_number("rope.scaling.attn_factor", "")?.unwrap_or(1.0);
            Ok(Some(RopeScaling::Yarn {
                factor,
                original_context: match original {
                    Some(original) => original,
                    None => hyper.number("context_length", "")?,
                },
                beta_fast: hyper.optional_number("rope.scaling.yarn_beta_fast", "")?.unwrap_or(32.0),
                beta_slow: hyper.optional_number("rope.scaling.yarn_beta_slow", "")?.unwrap_or(1.0),
                truncate: true,
                magnitude: attention * if factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 },
            }))
        }
        Some(kind) => Err(Error::unsupported(format!("the RoPE scaling {kind}"))),
    }
}
