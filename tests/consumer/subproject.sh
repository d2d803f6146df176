#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# subproject.sh SOURCE static|shared|system: a parent project that takes satchel in as a subproject builds and runs. With
# `system` there is no wrap to fall back to: what satchel needs is that of the system, and nothing can be downloaded.
set -euo pipefail

source=$1 kind=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/consumer/support.sh
. "$source/tests/consumer/support.sh"

# Only what belongs to the library: a parent must not need more, and build directories stay out.
mkdir -p "$work/subprojects/satchel/subprojects"
for entry in meson.build meson_options.txt include lib; do
  cp -r "$source/$entry" "$work/subprojects/satchel/"
done
how=(-Ddefault_library=static --wrap-mode=nofallback)
found="subproject('satchel').get_variable('satchel_dep')"
if [[ $kind != system ]]; then
  cp -r "$source"/subprojects/{*.wrap,packagefiles} "$work/subprojects/satchel/subprojects/"
  # An installed satchel must not be found instead.
  how=(-Ddefault_library="$kind" --force-fallback-for=satchel)
  found="dependency('satchel', fallback: 'satchel')"
fi
cp "$source/tests/consumer/main.cpp" "$work/"
cat >"$work/meson.build" <<TEXT
project('consumer', 'cpp', default_options: ['cpp_std=c++20'])
satchel = $found
assert(satchel.get_variable('have_mqtt') in ['true', 'false'])
executable('consumer', 'main.cpp', dependencies: satchel)
TEXT

# Plain is fastest, and without -g the directory does not enter what the compiler cache looks at, so only the first run
# compiles all.
meson setup "$work/build" "$work" -Dbuildtype=plain -Dsatchel:cli=disabled "${how[@]}" | tee "$work/log"
if grep -E 'WARNING|DEPRECATION' "$work/log"; then
  echo "a parent project sees warnings of satchel's build" >&2
  exit 1
fi
ninja -C "$work/build"
run_consumer "$work/build/consumer"
