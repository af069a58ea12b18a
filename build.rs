//! Tells builds apart: what a self-test found out about one build's kernels says nothing about another's.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// What kernels are made of.
const SOURCES: [&str; 4] = ["crates/numerics/src", "shaders", "src/device", "src/ops"];

fn main() {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut files);
    }
    files.sort();
    // FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>: nobody is to be kept from forging it.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for file in files {
        for byte in fs::read(&file).expect("a file of this repository") {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    println!("cargo::rustc-env=CRESSET_BUILD={version}-{hash:016x}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}
