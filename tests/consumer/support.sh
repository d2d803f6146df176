# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Sourced by the scripts beside it. They set `source`, the tree of satchel, and `work`, a directory that goes away.

# install_build BUILD: installs into $work; sets `pc` and `prefix`, where it lies now.
install_build() {
  meson install -C "$1" --destdir "$work/image" --no-rebuild >"$work/install.log"
  pc=$(find "$work/image" -name satchel.pc)
  prefix=$work/image$(sed -n 's/^prefix=//p' "$pc")
  if grep -rE "$source|/usr/lib|/usr/include|isystem" "${pc%/pkgconfig/*}/cmake" "$pc"; then
    echo "what is installed names a place of the machine that built it" >&2
    return 1
  fi
  # The tree was moved from its prefix: say so in the .pc, which is all that a move takes. CMake finds out by itself.
  sed -i "s,^prefix=.*,prefix=$prefix," "$pc"
  export PKG_CONFIG_PATH=${pc%/*}
  export LD_LIBRARY_PATH=${PKG_CONFIG_PATH%/pkgconfig}
}

# run_consumer PROGRAM: it delivers its message.
run_consumer() {
  rm -f "$work"/device.db*
  "$1" "$work/device.db" | grep -x 'plant/boiler/temperature = 71.5'
}

# by_pkg_config COMPILER...
by_pkg_config() {
  local flags
  pkg-config --print-errors --exists satchel
  # Not --static: that asks for a static libcurl and all that it needs. A static satchel alone names its libraries anyway.
  read -r -a flags <<<"$(pkg-config --cflags --libs satchel)"
  "$@" -std=c++20 -Wall -Wextra -Wpedantic -Werror "$source/tests/consumer/main.cpp" "${flags[@]}" -o "$work/by-pkg-config"
  run_consumer "$work/by-pkg-config"
}

# by_cmake CMAKE_ARGUMENT...
by_cmake() {
  rm -rf "$work/by-cmake"
  cmake -S "$source/tests/consumer/cmake" -B "$work/by-cmake" "-DCMAKE_PREFIX_PATH=$prefix" -DCMAKE_CXX_FLAGS='-Wall -Werror' \
    "$@" >"$work/cmake.log" || { cat "$work/cmake.log" >&2 && return 1; }
  cmake --build "$work/by-cmake" >"$work/cmake.log" || { cat "$work/cmake.log" >&2 && return 1; }
  run_consumer "$work/by-cmake/consumer"
}

# refused_by_cmake WHAT CMAKE_ARGUMENT...: this is not what find_package may find.
refused_by_cmake() {
  local what=$1
  shift
  mkdir -p "$work/refused"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.14)' 'project(refused LANGUAGES CXX)' "$what" >"$work/refused/CMakeLists.txt"
  rm -rf "$work/refused/build"
  if cmake -S "$work/refused" -B "$work/refused/build" "-DCMAKE_PREFIX_PATH=$prefix" "$@" >"$work/cmake.log" 2>&1; then
    echo "went through: $what" >&2
    return 1
  fi
  grep -i satchel "$work/cmake.log" | head -n 3
}
