#!/bin/sh
# Runs `quickstart.py` on three agents of this machine: `sh examples/python/many_machines.sh [OPTION...]`.
# It needs `molotov` and `nats-server`, and the target server of the examples.
set -eu
port=${BROKER_PORT:-4222}
script=$(dirname "$0")/quickstart.py
work=$(mktemp -d)
agents=
trap 'kill $agents 2>/dev/null; wait $agents; kill $broker; rm -rf "$work"' EXIT

nats-server -a 127.0.0.1 -p "$port" -js -sd "$work" >"$work/nats-server.log" 2>&1 &
broker=$!
for agent in one two three; do
    molotov --join "nats://127.0.0.1:$port" --agent-name "$agent" >"$work/$agent.log" 2>&1 &
    agents="$agents $!"
done
molotov --cluster "nats://127.0.0.1:$port" --agents 3 -w 30 -d 5 "$@" "$script"
