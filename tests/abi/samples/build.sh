#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build.sh PREFIX: builds the samples with the SDK installed under PREFIX, by g++ for x86-64, into the folder of its
# ABI. That is done once for an ABI, when its first SDK is released: what later hosts are tested with are these files,
# as they were.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
prefix=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
abi=$(sed -n 's/.*kAbiVersion = \([0-9]*\);.*/\1/p' "$prefix/include/tenon/plugin.h")
cmake -S "$here" -B "$work" -G Ninja -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_CXX_FLAGS="-ffile-prefix-map=$here=."
cmake --build "$work"
mkdir -p "$here/abi_$abi"
cp "$work"/*.so "$here/abi_$abi/"
