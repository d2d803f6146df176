#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doxygen.sh SOURCE BUILD [OUTPUT]: the reference of the public headers is made without a warning, and every public type
# says what it is. Members whose name and type say all need no comment. With OUTPUT the pages are kept there.
set -euo pipefail

source=$1 build=$2
command -v doxygen >/dev/null || { echo "doxygen is not installed" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# make_reference HEADERS: prints the warnings, places relative to the headers.
make_reference() {
  {
    cat "$source/tests/docs/Doxyfile"
    echo "INPUT = \"$1\" \"$build/include\" \"$source/tests/docs/pages.dox\""
    echo "STRIP_FROM_PATH = \"$1\" \"$build/include\""
    echo "OUTPUT_DIRECTORY = \"${2:-$work}\""
  } | doxygen - 2>&1 | grep -E 'warning:|error:' |
    # These say themselves what they are.
    grep -vE 'warning: Member .* is not documented|Member .* of file .* is not documented' || true
}

warnings=$(make_reference "$source/include" "${3:-}")
if [[ -n $warnings ]]; then
  echo "$warnings" >&2
  exit 1
fi
grep -q 'What the application wants delivered' "$work/html/structsatchel_1_1Message.html" 2>/dev/null || [[ -n ${3:-} ]]

# The check itself: a type without a comment, a reference to what is not there, a command that does not exist.
cp -r "$source/include" "$work/broken"
cat >>"$work/broken/satchel/message.hpp" <<'TEXT'
namespace satchel {
struct Unsaid {
  int member = 0;
};
/// Takes it, see @ref nothing_of_this_name.
void taken();
/// Gives it. @returnz nothing
void given();
}  // namespace satchel
TEXT
warnings=$(make_reference "$work/broken")
for expected in 'Unsaid is not documented' 'nothing_of_this_name' 'returnz'; do
  if ! grep -qF "$expected" <<<"$warnings"; then
    echo "not found by the check: $expected" >&2
    exit 1
  fi
done
