//! Writes every WGSL module that a plan may hold, on any device: `cargo run --release --example wgsl -- FOLDER`.
//!
//! Out: `NAME-HASH.wgsl`, and `NAME-HASH.json` with the entry point's name, what the text needs (`f16`, `subgroups`, `packed`)
//! and its constants. With `--translated FOLDER` also what naga makes of each: `NAME-HASH.vulkan1.3.spv`, `NAME-HASH.6_6.hlsl`,
//! `NAME-HASH.2.4.metal` and others; with `--every N` each Nth module only.

#[allow(dead_code, reason = "tests read more of it")]
#[path = "../tests/support/modules.rs"]
mod modules;
#[path = "../tests/support/translate.rs"]
mod translate;

use clap::Parser;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
struct Args {
    /// Where to write the modules.
    folder: PathBuf,
    /// Where to write what naga makes of them.
    #[arg(long)]
    translated: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    every: usize,
}

fn main() -> ExitCode {
    match write(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(args: &Args) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    [Some(&args.folder), args.translated.as_ref()]
        .into_iter()
        .flatten()
        .try_for_each(fs::create_dir_all)
        .map_err(told)?;
    let modules = modules::every();
    let written: Vec<_> = modules.iter().step_by(args.every.max(1)).collect();
    for module in &written {
        let (stem, features) = (module.stem(), module.features());
        let facts = json!({
            "name": module.kernel.name,
            "f16": features.f16,
            "subgroups": features.subgroups,
            "packed": features.packed,
            "weights": module.options.weights.iter().map(|format| format.name()).collect::<Vec<_>>(),
            "constants": module.options.constants.iter().cloned().collect::<BTreeMap<_, _>>(),
        });
        fs::write(args.folder.join(format!("{stem}.wgsl")), &module.wgsl).map_err(told)?;
        fs::write(args.folder.join(format!("{stem}.json")), facts.to_string()).map_err(told)?;
        let Some(folder) = &args.translated else { continue };
        let translated = translate::translate(&module.wgsl, module.kernel.name, features);
        let translated = translated.map_err(|error| format!("{stem}: {error}"))?;
        for (name, words) in translated.spirv {
            fs::write(folder.join(format!("{stem}.{name}.spv")), bytemuck::cast_slice(&words)).map_err(told)?;
        }
        for (name, text, entry) in translated.hlsl {
            fs::write(folder.join(format!("{stem}.{name}.hlsl")), format!("// {entry}\n{text}")).map_err(told)?;
        }
        for (name, text) in translated.metal {
            fs::write(folder.join(format!("{stem}.{name}.metal")), text).map_err(told)?;
        }
    }
    println!("{} of {} modules", written.len(), modules.len());
    Ok(())
}
