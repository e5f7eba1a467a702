#!/usr/bin/env bash
# Holds the running server against its own description with Schemathesis, in a virtual environment of its own.
#
# Not checked: that everything that fits the schemas is accepted. What no schema can say is refused with 409, 412 or 422: a
# cursor of another order, an idempotency key of another request, a task that is not there, 30 February.
#
# Usage: npm run schemathesis [-- examples of each operation]
set -euo pipefail
cd "$(dirname "$0")"

examples=${1:-20}
work=$(mktemp -d)
program=../../packages/http/bin/todo-backend.js
export DATA_DIR="$work/data" API_HOST=127.0.0.1 API_PORT=${API_PORT:-8137} LOG_LEVEL=warn
export RATE_LIMIT_PER_USER=1000000 RATE_LIMIT_FAILURES_PER_ADDRESS=1000000

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5

node "$program" >"$work/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
url="http://127.0.0.1:$API_PORT"
for _ in $(seq 300); do
  curl --silent --fail --output /dev/null "$url/ready" && break
  kill -0 $server || { cat "$work/log"; exit 1; }
  sleep 0.2
done

token=$(node "$program" token --user alice)
check() {
  "$work/venv/bin/st" run "$url/openapi.json" --header "Authorization: Bearer $token" --max-examples "$examples" \
    --seed 1 --no-color "$@"
}
check --phases examples,fuzzing --exclude-checks positive_data_acceptance
# This phase also sends parameters that nobody knows, which are ignored.
check --phases coverage --exclude-checks positive_data_acceptance,negative_data_rejection
