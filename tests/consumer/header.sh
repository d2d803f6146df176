#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# header.sh HEADER INCLUDE_DIRS COMPILER...: a public header compiles alone, without a warning, and brings no header of a
# sink's library with it. INCLUDE_DIRS are separated by colons.
set -euo pipefail

header=$1
IFS=: read -r -a directories <<<"$2"
shift 2

compile() {
  echo "#include <$header>" | "$@" -x c++ -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast \
    -Werror "${directories[@]/#/-I}" -
}

compile "$@" -fsyntax-only
includes=$(compile "$@" -M)
if grep -oE '[^ ]*/(mosquitto\.h|curl/[a-z]+\.h|openssl/[a-z]+\.h|fmt/[a-z]+\.h)' <<<"$includes"; then
  echo "$header brings in a header that its users do not have to have" >&2
  exit 1
fi
