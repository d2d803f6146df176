#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cmake.sh SOURCE BUILD: a program builds against the installed library, by find_package(satchel).
set -euo pipefail

source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/consumer/support.sh
. "$source/tests/consumer/support.sh"

install_build "$build"
by_cmake

# Another version, a library that is missing: said at find_package, not by the linker.
refused_by_cmake 'find_package(satchel 99 REQUIRED)'
refused_by_cmake 'find_package(satchel 0.0 EXACT REQUIRED)'
refused_by_cmake 'find_package(satchel REQUIRED)' -Dsatchel_SQLiteCpp_LIBRARY=satchel_SQLiteCpp_LIBRARY-NOTFOUND \
  -DCMAKE_FIND_LIBRARY_PREFIXES=none

# A project that knows nothing of C++.
mkdir "$work/c"
cp "$source/tests/consumer/bare.c" "$work/c/"
cat >"$work/c/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.14)
project(bare LANGUAGES C)
find_package(satchel REQUIRED)
add_executable(bare bare.c)
target_link_libraries(bare PRIVATE satchel::satchel)
TEXT
{ cmake -S "$work/c" -B "$work/c/build" "-DCMAKE_PREFIX_PATH=$prefix" && cmake --build "$work/c/build"; } >"$work/cmake.log" 2>&1 ||
  { cat "$work/cmake.log" >&2 && exit 1; }
"$work/c/build/bare" "$work/bare.db" | grep -x 'pending = 1'
