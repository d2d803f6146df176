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

# So does one without exceptions and type information, over the C interface.
read -r -a flags <<<"$(pkg-config --cflags --libs satchel)"
"$@" -std=c++20 -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Werror "$source/tests/consumer/bare.cpp" "${flags[@]}" \
  -o "$work/bare"
"$work/bare" "$work/bare.db" | grep -x 'pending = 1'

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
