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
words=(--pull-request "$PULL_REQUEST")
if [ "$ESTATE" != . ]; then words+=(--name "$ESTATE"); fi # each estate of a repository has a comment of its own
"$home/venv/bin/reconciler" comment "${words[@]}" "${files[@]}"
