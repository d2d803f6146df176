#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: check.sh BUILD_DIRECTORY
# Runs the unit tests of the store and of the relay, built without a sanitizer, under valgrind's memcheck.
set -euo pipefail

directory=${1:?usage: check.sh BUILD_DIRECTORY}
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch

# The control: a read of memory that nobody wrote has to be found.
cat >"$scratch/control.c" <<'TEXT'
#include <stdlib.h>
int main(void) {
  volatile int *numbers = malloc(8);
  return numbers[1] == 7 ? 3 : 0;
}
TEXT
cc -O0 -o "$scratch/control" "$scratch/control.c"
control=0
valgrind --quiet --error-exitcode=99 "$scratch/control" >/dev/null 2>&1 || control=$?
[[ $control -eq 99 ]] || { echo "the control was not noticed"; exit 1; }

status=0
cases=0
errors=0
for program in store relay; do
  # A child that a test forks ends by SIGKILL or _exit: what it leaves allocated is no leak.
  valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
    --child-silent-after-fork=yes --xml=yes --xml-file="$scratch/$program.xml" \
    "$directory/tests/unit/$program/unit-$program" >"$scratch/$program.log" 2>&1 || status=$?
  found=$(grep -c '<error>' "$scratch/$program.xml" || true)
  ran=$(sed -nE 's/.*test cases: +[0-9]+ \| +([0-9]+) passed.*/\1/p' "$scratch/$program.log")
  errors=$((errors + found))
  cases=$((cases + ${ran:-0}))
  if [[ $status -ne 0 ]]; then
    echo "unit-$program: $found errors, status $status"
    grep -E '<what>|<text>|<fn>|<line>' "$scratch/$program.xml" | head -n 60 || true
    grep -E 'ERROR|TEST CASE' "$scratch/$program.log" | head -n 20 || true
  fi
done
echo "REPORT memcheck | unit tests of the store and the relay under valgrind | test cases passed=$cases, errors=$errors"
exit "$status"
