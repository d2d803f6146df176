#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# exporter.sh PROGRAM: asks for the metrics over a socket, asks wrongly, hangs up, and the program ends by itself.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# ask REQUEST: what is answered, without carriage returns.
ask() {
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf '%b' "$1" >&3
  tr -d '\r' <&3
  exec 3>&-
}

echo '$ exporter device.db 0 6 &'
"$program" "$work/device.db" 0 6 >"$work/address" 2>"$work/example.log" &
example=$!
processes+=("$example")
wait_for 'the address' grep -q '/metrics$' "$work/address"
port=$(sed -nE 's,^http://127\.0\.0\.1:([0-9]+)/metrics$,\1,p' "$work/address")

page=$(ask 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
head -n 1 <<<"$page"
grep '^satchel_pending' <<<"$page"
[[ $(head -n 1 <<<"$page") == 'HTTP/1.1 200 OK' ]] || fail 'another status'
grep -qx 'Content-Type: text/plain; version=0.0.4' <<<"$page" || fail 'another content type'
grep -qx 'satchel_pending 1' <<<"$page" || fail 'the message that waits is not there'
length=$(sed -n 's/^Content-Length: //p' <<<"$page")
# Without the line feed at its end, which the substitution took.
body=${page#*$'\n\n'}
[[ $length -eq $((${#body} + 1)) ]] || fail "a length of $length for $((${#body} + 1)) bytes"

[[ $(ask 'GET /else HTTP/1.1\r\n\r\n') == 'HTTP/1.1 404 '* ]] || fail 'another page is there'
[[ $(ask 'PUT /metrics HTTP/1.1\r\n\r\n') == 'HTTP/1.1 400 '* ]] || fail 'it takes what it should not'
[[ $(ask 'nonsense\r\n\r\n') == 'HTTP/1.1 400 '* ]] || fail 'it understands nonsense'
[[ $(ask "$(printf 'x%.0s' {1..9000})") == 'HTTP/1.1 400 '* ]] || fail 'it takes a request without an end'
# Hangs up without a word, and without waiting for the answer.
(exec 3<>"/dev/tcp/127.0.0.1/$port")

wait "$example" || fail "exporter ended with status $?"
echo 'and ended after 6 requests'
