#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# installed.sh SOURCE BUILD COMPILER...: programs build against the installed library, by pkg-config alone.
set -euo pipefail

source=$1 build=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/consumer/support.sh
. "$source/tests/consumer/support.sh"

install_build "$build"
by_pkg_config "$@"
# Only typed events need type information in the program.
by_pkg_config "$@" -fno-rtti

# So does one without exceptions and type information, over the C interface.
read -r -a flags <<<"$(pkg-config --cflags --libs satchel)"
"$@" -std=c++20 -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Werror "$source/tests/consumer/bare.cpp" "${flags[@]}" \
  -o "$work/bare"
"$work/bare" "$work/bare.db" | grep -x 'pending = 1'

# And one in C, whose compiler never sees a header of C++, nor links what C++ needs by itself.
read -r -a c_flags <<<"$(pkg-config --cflags satchel)"
cc -std=c99 -Wall -Wextra -Wpedantic -Werror "${c_flags[@]}" -c "$source/tests/consumer/bare.c" -o "$work/bare_c.o"
cc "$work/bare_c.o" "${flags[@]}" -o "$work/bare_c"
"$work/bare_c" "$work/bare_c.db" | grep -x 'pending = 1'

# Every header of the source tree was installed, but those of sinks that were not built.
cd "$source/include"
find satchel -name '*.h' -o -name '*.hpp' | sort >"$work/headers"
while read -r header; do
  [[ -f $prefix/include/$header ]] && continue
  case $header in
    satchel/mqtt.hpp) [[ $(pkg-config --variable=have_mqtt satchel) == false ]] && continue ;;
    satchel/http.hpp) [[ $(pkg-config --variable=have_http satchel) == false ]] && continue ;;
  esac
  echo "not installed: $header" >&2
  exit 1
done <"$work/headers"
