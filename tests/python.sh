#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# python.sh ARGUMENTS...: python3 with the packages of requirements.txt, in build/python; made when it is not there yet,
# and anew when the list or the interpreter changes.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(dirname "$tests")/build/python
wanted="$(python3 --version) $home $(cksum <"$tests/requirements.txt")"

mkdir -p "$(dirname "$home")"
exec 9>"$home.lock"
flock 9
if [[ ! -x $home/bin/python3 || $(cat "$home/made" 2>/dev/null) != "$wanted" ]]; then
  rm -rf "$home"
  python3 -m venv "$home" >&2
  "$home/bin/python3" -m pip install --quiet --no-input --disable-pip-version-check --only-binary=:all: -r "$tests/requirements.txt" >&2
  printf '%s\n' "$wanted" >"$home/made"
fi
exec 9>&-
exec "$home/bin/python3" "$@"
