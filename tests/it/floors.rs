//! Imports point down only: every `crate::` path in `src/` against the floors of ARCHITECTURE.md.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the ground up: a room may import those of lower floors.
const FLOORS: &[(&str, u32)] = &[
    ("error", 0),
    ("quant", 1),
    ("sampler", 1),
    ("weights", 2),
    ("device", 2),
    ("tokenizer", 3),
    ("ops", 3),
    ("nn", 4),
    ("load", 5),
    ("models", 6),
    ("chat", 6),
    ("generate", 7),
    ("embed", 7),
    ("api", 7),
    ("select", 8),
    ("engine", 9),
    ("web", 10),
];

/// Pairs that the numbers would allow but the design forbids.
const NEVER: &[(&str, &str, &str)] = &[
    ("generate", "tokenizer", "generate sees ids, never a string"),
    ("embed", "tokenizer", "embed sees ids, never a string"),
    ("ops", "weights", "a kernel knows no file"),
    ("ops", "models", "a kernel knows no model"),
    ("nn", "weights", "a layer knows no file"),
    ("load", "models", "reading a checkpoint knows no architecture"),
    ("lora", "models", "an adapter knows no architecture"),
    ("device", "weights", "the device knows no file"),
    ("weights", "device", "a file knows no device"),
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The room a file belongs to: the first part of its path below `src/`.
fn room(path: &Path) -> String {
    let first = path.strip_prefix("src").expect("below src").components().next().expect("a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_string()
}

/// The rooms that a line names after `crate::`.
fn imported(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with('$'))
        .map(|(at, _)| code[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn imports_point_down() {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    assert!(files.len() > 40, "the scan found {} files", files.len());
    let mut checked = 0;
    for path in files {
        let room = room(&path);
        let Some(own) = floor(&room) else { continue }; // lib.rs, main.rs, cli.rs may import anything
        for (number, line) in fs::read_to_string(&path).expect("text").lines().enumerate() {
            for other in imported(line).into_iter().filter(|other| *other != room) {
                let Some(theirs) = floor(&other) else { continue }; // Result and Error, re-exported at the root
                let at = format!("{}:{}: {room} imports {other}", path.display(), number + 1);
                assert!(theirs < own, "{at}, which is not below it");
                if let Some((.., why)) = NEVER.iter().find(|(a, b, _)| *a == room && *b == other) {
                    panic!("{at}: {why}");
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 60, "only {checked} imports were seen");
}

/// Cargo keeps `crates/numerics` from knowing anything above it; who may know it is our own rule.
#[test]
fn numbers_are_for_kernels_and_their_formats_for_all() {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    for path in files {
        let text = fs::read_to_string(&path).expect("text");
        let may = ["ops", "device", "lib"].contains(&room(&path).as_str());
        assert!(may || !text.contains("cresset_numerics"), "{} knows cresset_numerics", path.display());
    }
    let mut formats = Vec::new();
    rust_files(Path::new("crates/numerics/src/quant"), &mut formats);
    assert!(formats.len() > 15, "the scan found {} files", formats.len());
    for path in formats {
        for line in fs::read_to_string(&path).expect("text").lines() {
            let others = imported(line).into_iter().find(|other| other != "quant");
            assert_eq!(others, None, "{}: a weight format knows only formats", path.display());
        }
    }
}

#[test]
fn only_the_web_knows_javascript() {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    for path in files {
        let text = fs::read_to_string(&path).expect("text");
        let name = path.to_string_lossy().replace('\\', "/");
        let web = name.starts_with("src/web/") || name == "src/device/web.rs";
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(web || !line.contains("JsValue"), "{name} knows JsValue: {line}");
        }
    }
}

#[test]
fn every_kernel_has_its_shader_and_every_format_its_dequant() {
    let stems = |folder: &str, extension: &str| {
        let entries = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
        let mut stems: Vec<String> = entries
            .filter(|p| p.extension().is_some_and(|e| e == extension))
            .map(|p| p.file_stem().expect("a stem").to_string_lossy().into_owned())
            .filter(|stem| !["convert", "format", "mod", "registers", "shared", "spec"].contains(&stem.as_str())) // what all share
            .collect();
        stems.sort();
        stems
    };
    assert_eq!(stems("src/ops", "rs"), stems("shaders", "wgsl"));
    assert_eq!(stems("crates/numerics/src/quant", "rs"), stems("shaders/quant", "wgsl"));
}

/// WGSL makes such a variable zero each time it comes to it; SwiftShader, in a loop, does so only the first time.
#[test]
fn variables_of_shaders_say_what_they_begin_with() {
    let mut checked = 0;
    for folder in ["shaders", "shaders/shared", "shaders/quant"] {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("var ")) {
                assert!(line.contains('='), "{}: {line}", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "only {checked} variables were seen");
}
