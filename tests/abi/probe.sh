#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# probe.sh SDK_INCLUDE OUT_FOLDER: builds OUT_FOLDER/probe.so, which mentions every boundary type, and records what
# abidw reads in it as OUT_FOLDER/boundary.abi.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
include=$(realpath "$1")
out=$2
python3 "$here/boundary.py" probe "$include" "$out/probe.cc"
cd "$out"
# Without -femit-class-debug-always a class of pure virtual functions is a name and nothing more.
g++ -std=c++20 -g -O0 -fPIC -shared -fvisibility=hidden -femit-class-debug-always -I"$include" probe.cc -o probe.so
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --drop-private-types --headers-dir "$include" \
  --suppressions "$here/outside.suppr" --out-file boundary.abi probe.so
