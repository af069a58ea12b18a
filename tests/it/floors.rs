//! The map of ARCHITECTURE.md, held by a test: which rooms a room may use, and no circle of files anywhere.

use crate::imports::{Arrow, ModulePath, Sources};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, top down, each with those that it may use: all of them further down.
const ROOMS: &[(&str, &[&str])] = &[
    ("web", &["engine", "select", "device", "weights", "pictures", "error", "sampler"]),
    (
        "engine",
        &[
            "select",
            "api",
            "convert",
            "lora",
            "speech",
            "generate",
            "embed",
            "viewer",
            "models",
            "load",
            "ops",
            "device",
            "tokenizer",
            "chat",
            "weights",
            "pictures",
            "error",
            "sampler",
        ],
    ),
    ("select", &["api", "generate", "models", "load", "nn", "ops", "device", "weights", "error", "sampler"]),
    ("api", &["speech", "generate", "embed", "ops", "tokenizer", "chat", "weights", "pictures", "error", "sampler"]),
    ("convert", &["lora", "models", "load", "nn", "tokenizer", "chat", "weights", "error"]),
    // Sound or ids in, ids or vectors out: no tokenizer.
    ("speech", &["generate", "models", "ops", "device", "error", "sampler"]),
    ("generate", &["lora", "models", "nn", "ops", "device", "error", "sampler"]),
    ("embed", &["models", "nn", "ops", "device", "error"]),
    ("viewer", &["models", "device", "pictures", "error"]),
    ("lora", &["models", "load", "nn", "ops", "device", "weights", "error"]),
    ("models", &["load", "nn", "ops", "device", "weights", "pictures", "error"]),
    ("load", &["nn", "ops", "device", "weights", "error"]),
    // Layers, kernels and devices know no file.
    ("nn", &["ops", "device", "error"]),
    ("ops", &["device", "error"]),
    ("device", &["error"]),
    ("chat", &["tokenizer", "weights", "error"]),
    ("tokenizer", &["weights", "error"]),
    // A file knows no device.
    ("weights", &["error"]),
    ("pictures", &["error"]),
    ("sampler", &["error"]),
    ("error", &[]),
];

/// What is wrong with a crate's rooms, one line each.
fn wrong_floors(sources: &Sources, rooms: &[(&str, &[&str])]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, (room, may)) in rooms.iter().enumerate() {
        let is_below = |other: &&&str| rooms[at + 1..].iter().any(|(name, _)| name == *other);
        wrong.extend(may.iter().filter(|other| !is_below(other)).map(|other| format!("{other} is not below {room}")));
    }
    let room = |module: &ModulePath| module.first().cloned().unwrap_or_else(|| "the crate's root".into());
    let uses = |name: &str| rooms.iter().find(|(room, _)| *room == name).map(|(_, may)| *may);
    for arrow in sources.arrows() {
        if arrow.from.is_empty() {
            continue; // the root passes names of all rooms on
        }
        let (from, to) = (room(&arrow.from), room(&arrow.to));
        let line = format!("{}: {from} uses {to} ({})", sources.file(&arrow.from), arrow.by);
        match uses(&from) {
            _ if from == to => {}
            None => wrong.push(format!("{line}, and is no room of the map")),
            Some(may) if !may.contains(&to.as_str()) => wrong.push(line),
            Some(_) => {}
        }
    }
    wrong
}

fn wrong_circles(sources: &Sources) -> Vec<String> {
    let circles = sources.circles().into_iter();
    let line = |arrow: Arrow| format!("  {} → {} ({})", sources.file(&arrow.from), sources.file(&arrow.to), arrow.by);
    circles
        .map(|arrows| format!("a circle:\n{}", arrows.into_iter().map(line).collect::<Vec<_>>().join("\n")))
        .collect()
}

/// The `src/` folders of this workspace.
fn crates() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let members = fs::read_dir(root.join("crates")).expect("the workspace's crates");
    let mut crates = vec![root.join("src")];
    crates.extend(members.map(|entry| entry.expect("an entry").path().join("src")));
    crates.retain(|folder| folder.is_dir());
    assert!(crates.len() > 1, "{crates:?}");
    crates
}

/// The folder of the numbers' crate.
fn numerics() -> PathBuf {
    crates().into_iter().find(|folder| folder.ends_with("numerics/src")).expect("numerics")
}

fn read_all(folder: &Path) -> Vec<(String, String)> {
    fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            match path.is_dir() {
                true => collect(&path, files),
                false if path.extension().is_some_and(|e| e == "rs") => {
                    files.push((path.to_string_lossy().replace('\\', "/"), fs::read_to_string(&path).expect("text")));
                }
                false => {}
            }
        }
    }
    let mut files = Vec::new();
    collect(folder, &mut files);
    files
}

#[test]
fn rooms_use_only_those_below_them() {
    let sources = Sources::read(&crates()[0]);
    assert!(sources.len() > 100 && sources.arrows().len() > 300, "the scan found {} files", sources.len());
    let wrong = wrong_floors(&sources, ROOMS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_is_no_circle_of_files() {
    for folder in crates() {
        let wrong = wrong_circles(&Sources::read(&folder));
        assert!(wrong.is_empty(), "{}:\n{}", folder.display(), wrong.join("\n"));
    }
}

/// A small crate whose rooms are `top`, `middle` and `leaf`, in which nothing is wrong.
const HOUSE: &[(&str, &str)] = &[
    (
        "lib.rs",
        "pub mod leaf;\npub mod middle;\npub mod top;\npub use leaf::Error;\npub type Result<T> = core::result::Result<T, Error>;",
    ),
    ("leaf.rs", "pub struct Error;\npub const N: u32 = 1;"),
    ("middle/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::*;"),
    ("middle/a.rs", "use crate::{Error, leaf::{self, N}};\npub struct A;\nfn f() -> Error { leaf::N; Error }"),
    (
        "middle/b.rs",
        "use super::A;\npub struct B(A);\n#[cfg(test)]\nmod tests { use crate::top::Top; use super::super::a; }",
    ),
    (
        "top.rs",
        "use crate::middle::{A, B as C};\nuse std::fmt;\npub struct Top(C);\nmod inner { use super::Top; fn f(_: Top) {} }",
    ),
];
const HOUSES_ROOMS: &[(&str, &[&str])] = &[("top", &["middle"]), ("middle", &["leaf"]), ("leaf", &[])];

/// What is wrong with [`HOUSE`] if one of its files reads otherwise.
fn wrong_with(file: &str, text: &str) -> Vec<String> {
    let others = HOUSE.iter().filter(|(name, _)| *name != file).copied();
    let sources = Sources::of(others.chain([(file, text)]));
    let mut wrong = wrong_floors(&sources, HOUSES_ROOMS);
    wrong.extend(wrong_circles(&sources));
    wrong
}

#[test]
fn a_good_house_passes() {
    let (file, text) = HOUSE[0];
    assert_eq!(wrong_with(file, text), Vec::<String>::new());
}

#[test]
fn every_kind_of_violation_is_found() {
    let up = |text: &str| wrong_with("middle/a.rs", &format!("{text}\npub struct A;"));
    let line = |by: &str| format!("middle/a.rs: middle uses top ({by})");
    // Up, in every way to say so; each makes a circle as well, since `top` uses `middle`.
    for (text, by) in [
        ("use crate::top::Top;", "crate::top::Top"),
        ("use super::super::top::Top;", "super::super::top::Top"),
        ("use crate::{leaf::N, top::{self, Top}};", "crate::top"),
        ("use crate::top as roof;\nfn f(_: roof::Top) {}", "crate::top"),
        ("use crate::top::*;", "crate::top"),
        ("fn f(_: Option<crate::top::Top>) {}", "crate::top::Top"),
        ("fn f() { let _ = vec![crate::top::Top]; }", "crate::top::Top"),
        ("mod inner { use super::super::super::top::Top; }", "self::super::super::top::Top"),
        ("use self::inner::f;\nmod inner { pub fn f() { crate::top::g() } }", "crate::top::g"),
    ] {
        let wrong = up(text);
        assert_eq!(wrong.first(), Some(&line(by)), "{text}");
        assert!(wrong.len() == 2 && wrong[1].starts_with("a circle:\n"), "{text}: {wrong:?}");
    }
    // Past a floor: `top` may not use `leaf`, by its path or by what the root re-exports.
    for by in ["crate::leaf::N", "crate::Error", "super::Error"] {
        let wrong = wrong_with("top.rs", &format!("use {by};"));
        assert_eq!(wrong, [format!("top.rs: top uses leaf ({by})")]);
    }
    // What the root defines itself is above every room.
    assert_eq!(
        wrong_with("leaf.rs", "use crate::Result;\npub struct Error;")[0],
        "leaf.rs: leaf uses the crate's root (crate::Result)"
    );
    // A room that is not on the map.
    let wrong = wrong_with("attic.rs", "use crate::leaf::N;");
    assert_eq!(wrong, ["attic.rs: attic uses leaf (crate::leaf::N), and is no room of the map"]);
    // Circles within a room: by re-exports, by a folder's own code, round about.
    let circle = "a circle:\n  middle/a.rs → middle/b.rs (super::B)\n  middle/b.rs → middle/a.rs (super::A)";
    assert_eq!(up("use super::B;"), [circle]);
    let folder = "mod a;\nmod b;\npub use a::A;\npub use b::B;\npub struct C;\nfn f() -> Option<A> { None }";
    assert_eq!(wrong_with("middle/mod.rs", folder), Vec::<String>::new(), "a folder may use its files");
    let file = "use super::C;\npub struct A;";
    let others = HOUSE.iter().filter(|(name, _)| !name.starts_with("middle/") && *name != "top.rs").copied();
    let b = ("middle/b.rs", "pub struct B;");
    let sources = Sources::of(others.chain([("middle/mod.rs", folder), ("middle/a.rs", file), b]));
    let circle = "a circle:\n  middle/mod.rs → middle/a.rs (A)\n  middle/a.rs → middle/mod.rs (super::C)";
    assert_eq!(wrong_circles(&sources), [circle]);
    // A map that is no order.
    let rooms: &[(&str, &[&str])] = &[("middle", &["leaf", "top"]), ("leaf", &[]), ("top", &["middle"])];
    assert_eq!(wrong_floors(&Sources::of([]), rooms), ["middle is not below top"]);
}

/// Cargo keeps `numerics` from knowing anything above it; who may know it is our own rule.
#[test]
fn numbers_are_for_kernels_and_their_formats_for_all() {
    for (name, text) in read_all(&crates()[0]) {
        let text = text.replace("use cresset_numerics::sort_by;", ""); // the one sort is for all
        let may = ["/src/ops/", "/src/device/", "/src/lib.rs"].iter().any(|part| name.contains(part));
        assert!(may || !text.contains("cresset_numerics"), "{name} knows cresset_numerics");
    }
    let sources = Sources::read(&numerics());
    let of_formats = |module: &ModulePath| module.first().is_some_and(|room| room == "quant");
    let arrows = sources.arrows();
    assert!(arrows.iter().filter(|arrow| of_formats(&arrow.from)).count() > 15);
    for arrow in arrows.iter().filter(|arrow| of_formats(&arrow.from)) {
        let file = sources.file(&arrow.from);
        assert!(of_formats(&arrow.to), "{file}: a weight format knows only formats, not {}", arrow.by);
    }
}

#[test]
fn only_the_web_knows_javascript_and_only_training_knows_burn() {
    for (name, text) in crates().iter().flat_map(|folder| read_all(folder)) {
        let web = name.contains("/src/web/") || name.ends_with("/src/device/web.rs");
        let trains = name.contains("/crates/train/");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(web || !line.contains("JsValue"), "{name} knows JsValue: {line}");
            assert!(trains || !line.contains("burn::"), "{name} knows burn: {line}");
        }
    }
}

#[test]
fn every_kernel_has_its_shader_and_every_format_its_dequant() {
    let stems = |folder: &Path, extension: &str| {
        let entries = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
        let mut stems: Vec<String> = entries
            .filter(|p| p.extension().is_some_and(|e| e == extension))
            .map(|p| p.file_stem().expect("a stem").to_string_lossy().into_owned())
            .filter(|stem| !["convert", "format", "mod", "registers", "shared", "spec"].contains(&stem.as_str())) // what all share
            .collect();
        stems.sort();
        stems
    };
    assert_eq!(stems(Path::new("src/ops"), "rs"), stems(Path::new("shaders"), "wgsl"));
    assert_eq!(stems(&numerics().join("quant"), "rs"), stems(Path::new("shaders/quant"), "wgsl"));
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
