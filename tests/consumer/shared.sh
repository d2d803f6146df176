#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shared.sh SOURCE BUILD OPTIONS COMPILER...: the library built shared and static at once, installed, and used both ways;
# then without any sink.
set -euo pipefail

source=$1 beside=$2
read -r -a options <<<"$3"
shift 3
work=$(mktemp -d)
# Beside the build that runs this test, and with its options: the compiler cache has all objects then.
build=$(mktemp -d "$(dirname "$beside")/shared-XXXXXX")
trap 'rm -rf "$work" "$build"' EXIT
# shellcheck source=tests/consumer/support.sh
. "$source/tests/consumer/support.sh"

meson setup "$build" "$source" "${options[@]}" -Ddefault_library=both -Dtests=disabled -Dexamples=disabled \
  -Dcli=disabled >"$work/log"
ninja -C "$build" >"$work/log" || { tail -n 40 "$work/log" >&2 && exit 1; }
install_build "$build"

# needs PROGRAM: the shared libraries that it names itself.
needs() { objdump -p "$1" | sed -n 's/^ *NEEDED *//p'; }

version=$(pkg-config --modversion satchel)
# is_shared PROGRAM: it uses the shared library, and what the library uses inside is no matter of its user's.
is_shared() {
  needs "$1" | grep -x "libsatchel.so.$version"
  if needs "$1" | grep -E 'fmt|mosquitto|curl'; then
    echo "a user of the shared library is linked to what only its inside needs" >&2
    return 1
  fi
}

by_pkg_config "$@"
is_shared "$work/by-pkg-config"

# What the core needs must not come from a sink: nothing is undefined then.
meson setup --reconfigure "$build" "$source" -Dmqtt=disabled -Dhttp=disabled -Db_lundef=true >"$work/log"
ninja -C "$build" >"$work/log" || { tail -n 40 "$work/log" >&2 && exit 1; }
needs "$build/lib/libsatchel.so.$version" >"$work/needs"
if grep -E 'mosquitto|curl|crypto' "$work/needs"; then
  echo "the library without sinks needs what only a sink needs" >&2
  exit 1
fi

if ! command -v cmake >/dev/null; then
  exit 0
fi
by_cmake
is_shared "$work/by-cmake/consumer"
by_cmake -Dsatchel_USE_STATIC_LIBS=ON
if needs "$work/by-cmake/consumer" | grep satchel; then
  echo "the shared library was taken where the static one was asked for" >&2
  exit 1
fi
