#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# blocks.sh SOURCE PAGE: every block of C++ in a page is a piece of a program under examples/, white space aside. The
# comment right before a block names the program: <!-- examples/quickstart.cpp -->
set -euo pipefail

root=$1 page=$2

squeeze() { tr -s '[:space:]' ' '; }

# check_page FILE: compares its blocks; prints what differs and how many blocks there are.
check_page() {
  local work blocks=0 wrong=0 block program text
  work=$(mktemp -d)
  # One file a block, named by its number; the first line is the program that it comes from.
  awk -v work="$work" '
    /^```cpp$/ { inside = 1; ++count; file = work "/" count; print (marker == "" ? "none" : marker) > file; next }
    /^```/ && inside { inside = 0; marker = ""; close(file); next }
    inside { print > file; next }
    /^<!-- examples\/[a-z_]+\.cpp -->$/ { marker = $2; next }
    NF { marker = "" }
  ' "$1"
  for block in "$work"/*; do
    [[ -f $block ]] || continue
    blocks=$((blocks + 1))
    program=$(head -n 1 "$block")
    text=$(tail -n +2 "$block" | squeeze)
    text=${text# }
    text=${text% }
    if [[ $program == none ]]; then
      echo "block ${block##*/}: no comment names its program"
      wrong=$((wrong + 1))
    elif [[ ! -f $root/$program ]]; then
      echo "block ${block##*/}: there is no $program"
      wrong=$((wrong + 1))
    elif [[ -z $text || $(squeeze <"$root/$program") != *"$text"* ]]; then
      echo "block ${block##*/} is not in $program:"
      tail -n +2 "$block"
      wrong=$((wrong + 1))
    fi
  done
  rm -rf "$work"
  echo "$blocks blocks, $wrong wrong"
  [[ $blocks -gt 0 && $wrong -eq 0 ]]
}

check_page "$root/$page"

# The check itself: one changed word in one block, or one lost marker, has to be found.
broken=$(mktemp)
trap 'rm -f "$broken"' EXIT
awk '{ print } /^```cpp$/ && !done { print "wrong();"; done = 1 }' "$root/$page" >"$broken"
if check_page "$broken" >/dev/null; then
  echo "a block with a line that is in no program went through" >&2
  exit 1
fi
sed '0,/^<!-- examples/s//<!-- nothing/' "$root/$page" >"$broken"
if check_page "$broken" >/dev/null; then
  echo "a block without a marker went through" >&2
  exit 1
fi
