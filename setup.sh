#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$root/build/release
tenon=$build/bin/tenon
prompt="Why is the sky blue? Answer in two sentences."

# Debian 12 packages, by what they are needed for.
packages_run=(g++ cmake ninja-build ccache pkg-config python3 python3-pip ca-certificates
  libboost1.81-dev libyaml-cpp-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libcli11-dev
  libpcre2-dev libsentencepiece-dev libutf8proc-dev libzip-dev libssl-dev libgtest-dev libgmock-dev
  libbenchmark-dev libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc)
packages_test=(clang chromium python3-venv abigail-tools openssl)
packages_ci=(git clang-format libclang-rt-14-dev shellcheck)

usage() {
  cat <<EOF
usage: ./setup.sh run [ARGUMENTS]   set up, then generate text with configs/default.yaml
       ./setup.sh test              set up, then run the whole test suite
       ./setup.sh build             set up only
       ./setup.sh packages [ci]     install the packages that building and testing (and CI) need

run passes ARGUMENTS on to \`tenon run\`: another pipeline as the first, --prompt TEXT, --chat, --max-tokens N, …
The second call does only what is left to do.

TENON_HOME            where models are kept (default: ~/.cache/tenon)
TENON_JOBS            compilers at once (default: the number of processors)
TENON_SKIP_PACKAGES   1: install nothing; everything needed is there already
EOF
}

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

die() {
  printf 'setup.sh: %s\n' "$*" >&2
  exit 1
}

# Prints those of its arguments that are not installed.
missing_packages() {
  command -v dpkg-query >/dev/null || { printf '%s\n' "$@"; return; }
  local installed
  # Where one is unknown dpkg-query fails, but prints the others all the same.
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

install_packages() {
  [[ ${TENON_SKIP_PACKAGES:-} == 1 ]] && return
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return

  if ! command -v apt-get >/dev/null; then
    die "this is not a Debian system. Install what these packages hold (TENON_SKIP_PACKAGES=1 when done): ${missing[*]}"
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      die "needs root to install packages. Run this and call again: sudo apt-get install ${missing[*]}"
    fi
    as_root=(sudo -n)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -q || die "apt-get update failed; check the network and /etc/apt/sources.list"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}. Tenon is built on Debian 12 (bookworm)"
}

say_about_cuda() {
  command -v nvcc >/dev/null || [[ -x /usr/local/cuda/bin/nvcc ]] ||
    say "nvcc not found: the CUDA parts are left out"
}

configure() {
  local cache=$build/CMakeCache.txt
  # A moved or copied checkout brings a cache that names its old place.
  if [[ -f $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
    rm -rf "$build"
  fi
  if [[ ! -f $build/build.ninja || $root/CMakePresets.json -nt $build/build.ninja ]]; then
    say "configuring $build"
    say_about_cuda
    (cd "$root" && cmake --preset release >&2)
  fi
}

# compile [TARGET...]: ninja itself knows what is left to do.
compile() {
  configure
  ninja -C "$build" -j "${TENON_JOBS:-$(nproc)}" "$@" >&2
}

pull() {
  local model
  for model in "$@"; do
    "$tenon" pull "$model" >&2
  done
}

run() {
  local pipeline=$root/configs/default.yaml argument own_prompt=
  if (($# > 0)) && [[ $1 == *.yaml || $1 == *.yml ]]; then
    pipeline=$1
    shift
  fi
  for argument in "$@"; do
    case $argument in
      --prompt | --prompt=* | --prompt-file | --prompt-file=* | --token-ids | --token-ids=* | --chat | --help | -h)
        own_prompt=1
        ;;
    esac
  done
  if [[ -z $own_prompt ]]; then
    set -- --prompt "$prompt" "$@"
    say "$prompt"
  fi
  exec "$tenon" run "$pipeline" "$@"
}

run_tests() {
  local status=0
  (cd "$root" && ctest --preset release -j "${TENON_JOBS:-$(nproc)}") || status=$?
  ((status == 0)) || printf 'setup.sh: tests failed; one again: ctest --test-dir %s -R NAME --output-on-failure\n' "$build" >&2
  return $status
}

command=${1:---help}
(($# > 0)) && shift
case $command in
  run)
    install_packages "${packages_run[@]}"
    compile tenon tenon_plugins
    pull smollm2-135m-instruct
    run "$@"
    ;;
  test)
    install_packages "${packages_run[@]}" "${packages_test[@]}"
    compile
    pull smollm2-135m-instruct gemma-3-270m all-minilm-l6-v2
    run_tests
    ;;
  build)
    install_packages "${packages_run[@]}"
    compile
    ;;
  packages)
    [[ ${1:-} != ci ]] || packages_test+=("${packages_ci[@]}")
    install_packages "${packages_run[@]}" "${packages_test[@]}"
    ;;
  -h | --help | help) usage ;;
  *)
    printf 'setup.sh: unknown command "%s"\n\n' "$command" >&2
    usage >&2
    exit 2
    ;;
esac
