#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# refusals_test.sh TENON: what `tenon new` does not do, each said once, with nothing left behind.
set -euo pipefail

tenon=$1
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# refused CODE WORDS ARGUMENT...: `tenon new ARGUMENT...` ends with CODE, WORDS in its one error, and changes nothing.
refused() {
  local code=0 expected=$1 words=$2 before after
  shift 2
  before=$(find . | sort)
  "$tenon" new "$@" >out 2>err || code=$?
  after=$(grep -v -x -e ./out -e ./err <(find . | sort))
  before=$(grep -v -x -e ./out -e ./err <<<"$before")
  [[ $code == "$expected" ]] || fail "new $*: exit code $code, not $expected: $(cat err)"
  [[ ! -s out ]] || fail "new $*: wrote to stdout: $(cat out)"
  grep -qF -- "$words" err || fail "new $*: \"$words\" is not in: $(cat err)"
  [[ $(grep -c . err) -le 2 ]] || fail "new $*: more than one error: $(cat err)"
  [[ $before == "$after" ]] || fail "new $*: left something behind"
}

refused 2 "FAMILY is required"
refused 2 "NAME is required" attention
refused 2 '"device"; attention, quant, scheduler, parallel, decoding allowed' device acme.flash
refused 2 '"attentoin"; attention, quant' attentoin acme.flash
refused 2 '"flash" has no vendor; vendor.technique is wanted, e.g. acme.fast_path' attention flash
refused 2 '"Acme.flash" is not lower_case' attention Acme.flash
refused 2 '"acme.../flash" is not lower_case' attention acme.../flash
refused 2 'has the vendor "tenon", which is taken' attention tenon.flash
refused 2 "The following argument was not expected: extra" attention acme.flash extra

mkdir existing
echo mine >existing/plugin.cc
refused 1 "tenon: existing/plugin.cc is there already; nothing was written" quant acme.flash --dir existing
[[ $(cat existing/plugin.cc) == mine ]] || fail "an existing file was changed"

echo mine >file
refused 1 "tenon: file: the folder cannot be made: Not a directory" attention acme.flash --dir file
refused 1 "tenon: /proc/flash: the folder cannot be made" attention acme.flash --dir /proc/flash
if [[ $(id -u) != 0 ]]; then
  mkdir locked && chmod a-w locked
  refused 1 "locked/below: the folder cannot be made: Permission denied" attention acme.flash --dir locked/below
  refused 1 "cannot be written: Permission denied" attention acme.flash --dir locked
fi

# A folder with other files in it will do.
mkdir others && touch others/notes
"$tenon" new decoding acme.flash --dir others >out
[[ -f others/flash.cc && -f others/notes ]] || fail "nothing was written beside other files"
refused 1 "is there already" decoding acme.flash --dir others
echo "all refused"
