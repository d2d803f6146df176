#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doxygen.sh SOURCE BUILD [OUTPUT]: the reference of the public headers is made without a warning, and every public type
# and member says what it is. With OUTPUT the pages are kept there.
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
    # What the language says itself: moves, assignments, comparisons, other names of types. The C header says of its
    # members that they are as in the C++ one. What checks a port, or stands in for one, is described as a whole.
    grep -vE 'Member (operator=|[A-Za-z]+\([A-Za-z]+ &&|[A-Za-z_]+ \(typedef\)).* is not documented' |
    grep -vE '(satchel\.h|testing/[a-z_]+\.hpp):[0-9]+: warning: Member .* is not documented' || true
}

warnings=$(make_reference "$source/include" "${3:-}")
if [[ -n $warnings ]]; then
  echo "$warnings" >&2
  exit 1
fi
grep -q 'What the application wants delivered' "$work/html/structsatchel_1_1Message.html" 2>/dev/null || [[ -n ${3:-} ]]

# The check itself: a type or a member without a comment, a reference to what is not there, a command that does not exist.
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
for expected in 'Unsaid is not documented' 'Member member (variable) of struct satchel::Unsaid' 'nothing_of_this_name' 'returnz'; do
  if ! grep -qF "$expected" <<<"$warnings"; then
    echo "not found by the check: $expected" >&2
    exit 1
  fi
done
