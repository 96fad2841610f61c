#!/usr/bin/env bash
# Put what the commands of this job reported into the pull request's one comment.
set -euo pipefail

home="$RUNNER_TEMP/reconciler"
unset ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_RUNTIME_TOKEN

files=()
for command in validate access-diff plan apply drift; do
  if [ -s "$home/reports/$command.md" ]; then files+=("$home/reports/$command.md"); fi
done
if [ "${#files[@]}" = 0 ]; then
  echo "::notice title=reconciler::no command has written a report, so there is no comment"
  exit 0
fi
"$home/venv/bin/reconciler" comment --pull-request "$PULL_REQUEST" "${files[@]}"
