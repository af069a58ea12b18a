//! Which of Microsoft's shader compilers Direct3D 12 gets. FXC is on every Windows and knows neither f16 nor subgroups nor
//! packed products. DXC knows all of them, but versions before 1.9 make invalid code of packed products
//! (<https://github.com/microsoft/DirectXShaderCompiler/issues/7400>), and any program may have put an old one on the PATH:
//! it is taken only where it lies beside this program.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// DXC's file.
const DXC: &str = "dxcompiler.dll";
/// The first version that is right.
const LEAST_DXC: (u16, u16) = (1, 9);

/// A compiler of HLSL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiler {
    Fxc,
    Dxc { path: PathBuf, version: (u16, u16) },
}

impl Compiler {
    /// The DXC that may be used on this machine.
    pub fn dxc() -> Option<Compiler> {
        let program = env::current_exe().ok().filter(|_| cfg!(windows))?;
        dxc_in(program.parent()?)
    }

    /// The compiler's name as page and terminal show it.
    pub fn name(&self) -> String {
        match self {
            Compiler::Fxc => "FXC".to_string(),
            Compiler::Dxc { version: (major, minor), .. } => format!("DXC {major}.{minor}"),
        }
    }

    pub fn option(&self) -> wgpu::Dx12Compiler {
        match self {
            Compiler::Fxc => wgpu::Dx12Compiler::Fxc,
            Compiler::Dxc { path, .. } => wgpu::Dx12Compiler::DynamicDxc { dxc_path: path.display().to_string() },
        }
    }
}

/// The DXC of a folder, if it has one that is right.
fn dxc_in(folder: &Path) -> Option<Compiler> {
    let path = folder.join(DXC);
    let version = version(&fs::read(&path).ok()?)?;
    (version >= LEAST_DXC).then_some(Compiler::Dxc { path, version })
}

/// The file version of a program or library for Windows: two of the four numbers of `VS_FIXEDFILEINFO`
/// (<https://learn.microsoft.com/windows/win32/api/verrsrc/ns-verrsrc-vs_fixedfileinfo>).
fn version(file: &[u8]) -> Option<(u16, u16)> {
    /// Its signature, and the version of the structure.
    const HEAD: [u32; 2] = [0xfeef_04bd, 0x0001_0000];
    // Resources lie at multiples of four bytes.
    let (words, _) = file.as_chunks::<4>();
    let word = |at: usize| words.get(at).map(|bytes| u32::from_le_bytes(*bytes));
    let at = (0..words.len()).find(|&at| [word(at), word(at + 1)] == HEAD.map(Some))?;
    let both = word(at + 2)?;
    Some(((both >> 16) as u16, both as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a version among other things, the signature alone before it.
    fn library(version: u32) -> Vec<u8> {
        let words = [0x0090_5a4d, 0xfeef_04bd, 7, 0xfeef_04bd, 0x0001_0000, version, 0x158d, 0];
        words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_version_is_read() {
        assert_eq!(version(&library(0x0001_0009)), Some((1, 9)));
        assert_eq!(version(&library(0x000a_0000)), Some((10, 0)));
        for cut in [0, 1, 7, 19, 23] {
            assert_eq!(version(&library(0x0001_0009)[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn dxc_is_taken_where_it_is_right() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(DXC);
        assert_eq!(dxc_in(folder.path()), None);
        for (version, name) in [(0x0001_0008, None), (0x0001_0009, Some("DXC 1.9")), (0x0002_0000, Some("DXC 2.0"))] {
            fs::write(&path, library(version)).expect("a file");
            let found = dxc_in(folder.path());
            assert_eq!(found.as_ref().map(Compiler::name).as_deref(), name);
            assert!(found.is_none_or(|dxc| matches!(dxc, Compiler::Dxc { path: at, .. } if at == path)));
        }
        fs::write(&path, b"no library").expect("a file");
        assert_eq!(dxc_in(folder.path()), None);
    }
}
