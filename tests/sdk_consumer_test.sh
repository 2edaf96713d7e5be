#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sdk_consumer_test.sh SOURCE_DIR BUILD_DIR [TENON]: a plugin author's whole way, outside the tree. Installs the
# build to a fresh prefix, builds the template with g++ and with clang++ against that prefix alone, and loads the
# results with a host built by g++. With TENON (the binary, built) also: `tenon plugins` lists the plugin, and
# a pipeline that uses it generates text.
set -euo pipefail

source_dir=$1
build_dir=$2
tenon=${3:-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

install_tenon() {
  if [[ -n $tenon ]]; then
    cmake --install "$build_dir" --prefix "$prefix" >"$work/install.log" || fail "cmake --install"
  else
    cmake --install "$build_dir" --prefix "$prefix" --component sdk >"$work/install.log" || fail "cmake --install"
  fi
  [[ -f $prefix/include/tenon/plugin.h ]] || fail "no include/tenon/plugin.h in the prefix"
  [[ -f $prefix/lib/cmake/Tenon/TenonConfig.cmake ]] || fail "no lib/cmake/Tenon/TenonConfig.cmake in the prefix"
  if grep -rqF "$source_dir" "$prefix/include" "$prefix/lib/cmake"; then
    fail "the installed SDK points back into the source tree"
  fi
}

# build SOURCE BUILD COMPILER
build() {
  if ! { cmake -S "$1" -B "$2" -G Ninja -DCMAKE_CXX_COMPILER="$3" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" && cmake --build "$2"; } >"$2.log" 2>&1; then
    cat "$2.log" >&2
    fail "building $1 with $3"
  fi
}

# Only the entry may be visible: anything else could bind to another plugin's copy.
check_exports() {
  local exported
  exported=$(nm -D --defined-only "$1" | awk '{print $NF}')
  [[ $exported == tenon_plugin_v1 ]] || fail "$1 exports: $exported"
}

check_in_tenon() {
  local listed text
  listed=$("$tenon" plugins --plugin-dir "$1" --json) || fail "tenon plugins --plugin-dir"
  [[ $listed == *'"acme.top_a"'* ]] || fail "tenon plugins does not list acme.top_a"
  "$tenon" plugins --plugin-dir "$1" --describe acme.top_a | grep -q 'ruled out' || fail "tenon plugins --describe"
  text=$(cd "$1/.." && "$tenon" run pipeline.yaml --prompt "Name three colours." --max-tokens 16 --seed 7) ||
    fail "tenon run with acme.top_a"
  [[ -n $text ]] || fail "tenon run with acme.top_a printed nothing"
}

install_tenon
if [[ -n $tenon ]]; then
  [[ -x $prefix/bin/tenon ]] || fail "no bin/tenon in the prefix"
  tenon=$prefix/bin/tenon
  unset TENON_PLUGIN_PATH  # the installed folder must do
fi
cp -r "$source_dir/tests/sdk_consumer" "$work/host"
build "$work/host" "$work/host/build" g++

for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || fail "$compiler is not installed; ./setup.sh test installs it"
  copy=$work/template-$compiler
  cp -r "$prefix/share/tenon/template" "$copy"
  build "$copy" "$copy/build" "$compiler"
  ctest --test-dir "$copy/build" >"$copy/test.log" || { cat "$copy/test.log" >&2; fail "the template's own test"; }
  check_exports "$copy/build/acme_top_a.so"
  "$work/host/build/tiny_host" "$copy/build/acme_top_a.so" || fail "loading the plugin built by $compiler"
  if [[ -n $tenon ]]; then
    check_in_tenon "$copy/build"
  fi
  echo "$compiler: built, loaded${tenon:+, ran in a pipeline}"
done
