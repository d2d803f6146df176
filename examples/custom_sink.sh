#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# custom_sink.sh PROGRAM: the program checks its own outcome; the line has both messages.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

echo '$ custom_sink DIRECTORY'
"$program" "$work"
echo 'on the line:'
cat "$work/line"
[[ $(cut -d' ' -f2 "$work/line" | sort | tr '\n' ' ') == 'hello world ' ]] || fail 'the line has something else'
