#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scaffold_test.sh SOURCE_DIR BUILD_DIR FAMILY NAME: the way of an author who begins with `tenon new FAMILY NAME`,
# against the installed Tenon: the project passes its own checks with g++ and with clang++, `tenon plugins` lists it as
# usable, and its pipeline gives the tokens of the reference implementations.
set -euo pipefail

source_dir=$1
build_dir=$2
family=$3
name=$4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
tenon=$prefix/bin/tenon
target=${name//./_}
tiny=(--set "model=$source_dir/tests/data/models/llama" --token-ids "1,5,9,20" --max-tokens 24 --greedy --json)
unset TENON_PLUGIN_PATH  # the installed folder must do

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# tokens PIPELINE: what the tiny model says by it.
tokens() {
  "$tenon" run "$1" "${tiny[@]}" | sed -n 's/.*"token_ids":\(\[[0-9,]*\]\).*/\1/p'
}

cmake --install "$build_dir" --prefix "$prefix" >"$work/install.log" || fail "cmake --install"
expected=$(tokens "$source_dir/configs/reference.yaml")
[[ $expected == \[*,*\] ]] || fail "the reference gave no tokens"

cd "$work"
"$tenon" new "$family" "$name" >new.log || fail "tenon new $family $name"
grep -qF "cd $target" new.log || fail "the next commands are not shown: $(cat new.log)"
if command -v clang-format >/dev/null; then
  clang-format --dry-run -Werror "$target"/*.cc "$target"/*.h || fail "the project is not formatted"
fi

for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || fail "$compiler is not installed; ./setup.sh test installs it"
  cp -r "$target" "$compiler"
  CXX=$compiler "$compiler/ci.sh" "$prefix" >"$compiler.log" 2>&1 || { cat "$compiler.log" >&2; fail "ci.sh with $compiler"; }
  grep -q "100% tests passed, 0 tests failed out of 1" "$compiler.log" || fail "its test did not run with $compiler"
  "$tenon" plugins --plugin-dir "$compiler/build" --json >listed.json
  python3 -c "
import json
found = [c for c in json.load(open('listed.json'))['components'] if c['name'] == '$name']
assert [(c['family'], c['state'], c['default']) for c in found] == [('$family', 'usable', False)], found
" || fail "tenon plugins does not list $name as usable"
  got=$(tokens "$compiler/pipeline.yaml")
  [[ $got == "$expected" ]] || fail "$compiler: $got; the reference gives $expected"
  echo "$compiler: built, tested, ran"
done

# Both builds at once, under two names.
if [[ $family == decoding ]]; then
  cat >both.yaml <<YAML
model: none
plugins: [{path: g++/build/$target.so, as: one}, {path: clang++/build/$target.so, as: two}]
decoding: [{use: one, a: 0.1}, {use: two, a: 0.3}, sampler]
YAML
  got=$(tokens both.yaml)
  [[ $got == "$expected" ]] || fail "two builds at once: $got; the reference gives $expected"
  echo "both builds at once: ran"
fi
