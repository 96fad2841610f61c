#!/usr/bin/env bash
# Print this job's ID token for one audience, and nothing else, on standard output. The request's own token goes to curl
# on standard input: arguments can be seen by every process of the machine.
set -euo pipefail

if [ -z "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] || [ -z "${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-}" ]; then
  echo "GitHub gives this job no ID token: it needs 'permissions: id-token: write', and a pull request from a fork never gets one" >&2
  exit 1
fi

printf 'header = "Authorization: bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
  curl --disable --config - --silent --show-error --fail --retry 3 --max-time 30 \
    --get --data-urlencode "audience=$AUDIENCE" -- "$ACTIONS_ID_TOKEN_REQUEST_URL" |
  "$RUNNER_TEMP/reconciler/venv/bin/python" -I -c 'import json, sys; print(json.load(sys.stdin)["value"])'
