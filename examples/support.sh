# SPDX-License-Identifier: MIT
# Sourced by the scripts that run an example: a broker on a free port of the loopback interface, a subscriber, and
# nothing left behind at the end.

PATH=$PATH:/usr/sbin:/usr/local/sbin
work=$(mktemp -d)
port=
broker=
processes=()

end_all() {
  local process
  for process in "${processes[@]}"; do
    kill "$process" 2>/dev/null || true
  done
  wait
  rm -rf "$work"
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "FAILED: $*" >&2
  tail -n 20 "$work"/*.log >&2 2>/dev/null || true
  exit 1
}

# wait_for WHAT COMMAND...: until the command succeeds, at most 30 seconds.
wait_for() {
  local what=$1 end=$((SECONDS + 30))
  shift
  until "$@" 2>/dev/null; do
    ((SECONDS < end)) || fail "waited in vain for $what"
    sleep 0.05
  done
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port"); }

# Starts mosquitto: the first time on a port that is free, after stop_broker on the same one, with the sessions it had.
start_broker() {
  local try
  for try in {1..50}; do
    local candidate=${port:-$((20000 + RANDOM % 20000))}
    cat >"$work/broker.conf" <<TEXT
listener $candidate 127.0.0.1
allow_anonymous true
persistence true
persistence_location $work/
user $(id -un)
log_type subscribe
log_type error
TEXT
    mosquitto -c "$work/broker.conf" >>"$work/broker.log" 2>&1 &
    broker=$!
    processes+=("$broker")
    # Either it ends because the port is taken, or it listens.
    while kill -0 "$broker" 2>/dev/null; do
      if port=$candidate listens 2>/dev/null; then
        port=$candidate
        return
      fi
      sleep 0.05
    done
    [[ -z $port ]] || fail "port $port was taken by somebody else meanwhile"
  done
  fail "mosquitto does not start"
}

stop_broker() {
  kill "$broker"
  wait "$broker" || true
}

# subscribe TOPIC: writes what arrives to $work/arrived, one line a message: topic, payload, user properties.
subscribe() {
  stdbuf -oL mosquitto_sub -h 127.0.0.1 -p "$port" -V 5 -q 1 -c -x 3600 -i console -t "$1" -F '%t %p %P' \
    >"$work/arrived" 2>"$work/subscriber.log" &
  processes+=("$!")
  wait_for 'the subscription' grep -q "console.*$1" "$work/broker.log"
}

# arrived NUMBER: whether so many messages did, copies counted once.
arrived() { [[ $(awk '{ print $1, $2 }' "$work/arrived" | sort -u | wc -l) -eq $1 ]]; }
