#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# http.sh PROGRAM: nginx takes the batches; it is started only after the program, so the messages wait for it.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# start_nginx PORT: answers 204 to those who know the token, and logs the number of bytes and the headers of each request.
start_nginx() {
  cat >"$work/nginx.conf" <<TEXT
daemon off;
master_process off;
pid nginx.pid;
events { worker_connections 64; }
http {
  client_body_temp_path $work;
  proxy_temp_path $work;
  fastcgi_temp_path $work;
  uwsgi_temp_path $work;
  scgi_temp_path $work;
  log_format request '\$status \$content_type \$http_content_encoding \$http_idempotency_key';
  access_log access.log request;
  server {
    listen 127.0.0.1:$1;
    location /readings {
      if (\$http_authorization != "Bearer open-sesame") { return 401; }
      return 204;
    }
  }
}
TEXT
  nginx -p "$work" -c "$work/nginx.conf" -e "$work/nginx.log" &
  processes+=("$!")
}

port=$((20000 + RANDOM % 20000))
(umask 077 && echo open-sesame >"$work/token")

echo '$ http device.db http://127.0.0.1:'"$port/readings 500 token &"
"$program" "$work/device.db" "http://127.0.0.1:$port/readings" 500 "$work/token" >"$work/example.log" 2>&1 &
example=$!
processes+=("$example")
wait_for 'the program to find nobody there' grep -q 'is down' "$work/example.log"
start_nginx "$port"
wait "$example" || fail "http ended with status $?"
cat "$work/example.log"

answered() { [[ $(grep -c '^204 application/json' "$work/access.log") -ge 10 ]]; }
wait_for 'the batches in the log of nginx' answered
echo 'nginx saw (status, type, coding, idempotency key):'
head -n 3 "$work/access.log"
