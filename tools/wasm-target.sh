#!/usr/bin/env bash
# Makes `cargo build --target wasm32-unknown-unknown` work, also where rustup cannot download.
# In: the active rustc. Out: its sysroot holds the standard library for wasm32; nothing is done where it does already.
#
# With `threads FOLDER`: makes FOLDER a sysroot whose standard library for wasm32 is compiled for memory that threads
# share, which nobody distributes. Always from source; nothing is done where this rustc's is there.
#
# `rustup target add` is the normal way. Where it fails, the library is built from the source of exactly this rustc
# (half a minute) and laid into the sysroot. The source comes from the first of: the sysroot itself, rustup's component
# `rust-src`, Debian's package `rust-src` of the same version, a `rust-library-VERSION.tar.xz` in ../shared/toolchain.
set -euo pipefail

TARGET=wasm32-unknown-unknown
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SYSROOT=$(rustc --print sysroot)
VERSION=$(rustc --version | cut -d' ' -f2)
LIBRARY=$SYSROOT/lib/rustlib/src/rust/library
OUT=$SYSROOT/lib/rustlib/$TARGET/lib
# Debian releases after the machine's own may have the package that its own release lacks.
NEWER_SUITES=(trixie-backports trixie forky sid)

say() { printf '· %s\n' "$*"; }

have_target() { compgen -G "$OUT/libstd-*.rlib" >/dev/null && compgen -G "$OUT/libtest-*.rlib" >/dev/null; }
have_source() { [ -f "$LIBRARY/Cargo.lock" ] && [ -f "$LIBRARY/std/Cargo.toml" ]; }

# Copies a library folder (it holds Cargo.lock and std/) to where cargo looks for it.
lay_source() {
  mkdir -p "$(dirname "$LIBRARY")"
  rm -rf "$LIBRARY"
  cp -r "$1" "$LIBRARY"
}

source_from_rustup() {
  command -v rustup >/dev/null && rustup component add rust-src >/dev/null 2>&1 && have_source
}

# Downloads Debian's rust-src of this version into $1, from the machine's own suites or, with a copy of its own source
# entries, from a later suite. The machine's apt state is not touched.
download_deb() {
  local folder=$1 suite options
  (cd "$folder" && apt-get download "rust-src=$VERSION*" >/dev/null 2>&1) && return
  for suite in "${NEWER_SUITES[@]}"; do
    rm -rf "$folder/apt"
    mkdir -p "$folder/apt/sources" "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
    debian_sources "$suite" "$folder/apt/sources"
    options=(-o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$folder/apt/sources"
      -o "Dir::State::Lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt/cache")
    apt-get "${options[@]}" update >/dev/null 2>&1 || continue
    (cd "$folder" && apt-get "${options[@]}" download "rust-src=$VERSION*" >/dev/null 2>&1) && return
  done
  return 1
}

# The machine's entries for Debian itself, rewritten for suite $1, into folder $2. Both spellings that apt knows.
debian_sources() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    awk -v RS= -v ORS='\n\n' '/(^|\n)URIs:[^\n]*\/debian\/?(\n|$)/' "$file" |
      sed -E "s/^Suites:.*/Suites: $1/" >"$2/$(basename "$file")"
  done
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -nE "s#^(deb( \[[^]]*\])? [^ ]+/debian/?) [a-z]+ .*#\1 $1 main#p" | sort -u >"$2/debian.list" || true
}

source_from_debian() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  local folder
  folder=$(mktemp -d)
  chmod 755 "$folder" # apt downloads as its own user
  if download_deb "$folder" && dpkg -x "$folder"/rust-src_*.deb "$folder/tree"; then
    lay_source "$folder/tree/usr/src/rustc-$VERSION/library" || true
  fi
  rm -rf "$folder"
  have_source
}

source_from_shared() {
  local archive="${CRESSET_SHARED:-$ROOT/../shared}/toolchain/rust-library-$VERSION.tar.xz" folder
  [ -f "$archive" ] || return 1
  folder=$(mktemp -d)
  tar -xf "$archive" -C "$folder" && lay_source "$folder/library"
  rm -rf "$folder"
  have_source
}

# Builds std for the target from source, through an empty crate, and copies it to $1. The other arguments are the crates
# of it that are needed, and rustc's flags.
build_std() {
  local out=$1 crates=$2 flags=${3:-} folder log
  folder=$(mktemp -d)
  log=$folder/log
  mkdir -p "$folder/empty/src"
  printf '[package]\nname = "empty"\nedition = "2021"\n[workspace]\n' >"$folder/empty/Cargo.toml"
  printf '#![no_std]\n' >"$folder/empty/src/lib.rs"
  if ! (cd "$folder/empty" && env -u CARGO_ENCODED_RUSTFLAGS RUSTFLAGS="$flags" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$folder/out" \
    cargo build --release --target $TARGET "-Zbuild-std=$crates" >"$log" 2>&1); then
    tail -n 20 "$log" >&2
    rm -rf "$folder"
    return 1
  fi
  mkdir -p "$out"
  find "$folder/out/$TARGET/release/deps" -name 'lib*.rlib' ! -name 'libempty-*' -exec cp {} "$out/" \;
  rm -rf "$folder"
}

find_source() { have_source || source_from_rustup || source_from_debian || source_from_shared; }

main() {
  have_target && return
  if command -v rustup >/dev/null && rustup target add $TARGET >/dev/null 2>&1 && have_target; then
    say "added the Rust target $TARGET"
    return
  fi
  say "rustup cannot add $TARGET here; building Rust's standard library for it from source"
  if ! find_source; then
    echo "error: found no source of Rust $VERSION's standard library. Run 'rustup target add $TARGET' where there is" \
      "network, or 'rustup component add rust-src', and start again." >&2
    exit 1
  fi
  if ! build_std "$OUT" std,panic_abort,panic_unwind,test || ! have_target; then
    echo "error: Rust's standard library for $TARGET could not be built; run 'rustup target add $TARGET' where there" \
      "is network, and start again." >&2
    exit 1
  fi
  say "Rust target $TARGET is ready"
}

threads() {
  local folder=$1 lib=$1/lib/rustlib/$TARGET/lib
  [ "$(rustc -vV)" != "$(cat "$folder/rustc" 2>/dev/null)" ] || return 0
  say "building Rust's standard library for threads in wasm"
  if ! find_source; then
    echo "error: found no source of Rust $VERSION's standard library, from which threads in wasm are built. Run" \
      "'rustup component add rust-src' where there is network, and start again." >&2
    exit 1
  fi
  rm -rf "$folder"
  if ! build_std "$lib" std,panic_abort "-C target-feature=+simd128,+atomics,+bulk-memory --remap-path-prefix=$SYSROOT=rust"; then
    echo "error: Rust's standard library for threads in wasm could not be built." >&2
    exit 1
  fi
  rustc -vV >"$folder/rustc"
}

case ${1:-} in
  threads) threads "$2" ;;
  *) main ;;
esac
