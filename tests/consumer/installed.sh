#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# installed.sh SOURCE BUILD COMPILER...: a program builds against the installed library, by pkg-config alone.
set -euo pipefail

source=$1 build=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

meson install -C "$build" --destdir "$work" --no-rebuild >"$work/log"
pc=$(find "$work" -name satchel.pc)
if grep -E '/usr/lib|/usr/include|isystem' "$pc"; then
  echo "satchel.pc names a place of the machine that built it" >&2
  exit 1
fi

# The tree was moved from its prefix to the work directory: say so in the .pc, which is all that a move takes.
prefix=$(sed -n 's/^prefix=//p' "$pc")
sed -i "s,^prefix=.*,prefix=$work$prefix," "$pc"
export PKG_CONFIG_PATH=${pc%/*}
pkg-config --print-errors --exists satchel
# Not --static: that asks for a static libcurl and all that it needs. A static satchel alone names its libraries anyway.
read -r -a flags <<<"$(pkg-config --cflags --libs satchel)"
export LD_LIBRARY_PATH=${PKG_CONFIG_PATH%/pkgconfig}

"$@" -std=c++20 -Wall -Wextra -Wpedantic -Werror "$source/tests/consumer/main.cpp" "${flags[@]}" -o "$work/consumer"
"$work/consumer" "$work/device.db" | grep -x 'plant/boiler/temperature = 71.5'

# Every header of the source tree was installed, but those of sinks that were not built.
cd "$source/include"
find satchel -name '*.h' -o -name '*.hpp' | sort >"$work/headers"
while read -r header; do
  find "$work" -path "*/include/$header" | grep -q . && continue
  case $header in
    satchel/mqtt.hpp) [[ $(pkg-config --variable=have_mqtt satchel) == false ]] && continue ;;
    satchel/http.hpp) [[ $(pkg-config --variable=have_http satchel) == false ]] && continue ;;
  esac
  echo "not installed: $header" >&2
  exit 1
done <"$work/headers"
