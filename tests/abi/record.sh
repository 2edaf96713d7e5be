#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# record.sh: records the boundary as the SDK's headers have it now: boundary.abi, which abidiff compares later headers
# with, and layouts.inc. To be run where types, functions or enumerators were added; where anything else has changed
# after the first release, give kAbiVersion the next number instead.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/probe.sh" "$here/../../sdk/include" "$work"
cp "$work/boundary.abi" "$here/boundary.abi"
python3 "$here/boundary.py" layouts "$here/boundary.abi" "$here/layouts.inc"
