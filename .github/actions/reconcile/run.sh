#!/usr/bin/env bash
# Run one command of the reconciler, and keep its reports and its exit code. It fails only if there is nothing to run:
# what the exit code means for the step is decided by result.sh, when summary, findings and comment are out.
set -euo pipefail

here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
home="$RUNNER_TEMP/reconciler"
reports="$home/reports"
mkdir -p "$reports"

stop() {
  echo "::error title=reconciler::$1"
  exit 1
}

case "$PLAN_FILE" in
  "" | /*) ;;
  *) PLAN_FILE="$GITHUB_WORKSPACE/$PLAN_FILE" ;;
esac

words=("$COMMAND")
case "$COMMAND" in
  validate | access-diff) ;;
  plan)
    words+=(--detailed-exitcode)
    if [ -n "$PLAN_FILE" ]; then words+=(--out "$PLAN_FILE"); fi
    ;;
  apply)
    words+=(--auto-approve)
    if [ -n "$PLAN_FILE" ]; then words+=("$PLAN_FILE"); fi
    ;;
  drift)
    # What the last run found, where the workflow has put it back: only the difference is news.
    if [ -f "$reports/drift.json" ]; then
      mv "$reports/drift.json" "$home/last.json"
      words+=(--since "$home/last.json")
    fi
    if [ -n "$ISSUE_TOKEN" ]; then words+=(--github-issue); fi
    ;;
  *) stop "the command is one of validate, access-diff, plan, apply and drift" ;;
esac
while IFS= read -r argument; do
  if [ -n "$argument" ]; then words+=("$argument"); fi
done <<<"$ARGUMENTS"
for format in markdown=md sarif=sarif json=json; do
  words+=(--report "${format%=*}=$reports/$COMMAND.${format#*=}")
done

if [ -n "$AUDIENCE" ]; then
  VAULT_JWT="$(bash "$here/id-token.sh")" || stop "no ID token, so no login to Vault: the lines above say why"
  echo "::add-mask::$VAULT_JWT"
  export VAULT_JWT
fi
# The reconciler logs in with this one token, and can ask for no other. GitHub's own it gets where it is to write an issue.
unset ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_RUNTIME_TOKEN GITHUB_TOKEN
if [ "$COMMAND" = drift ] && [ -n "$ISSUE_TOKEN" ]; then export GITHUB_TOKEN="$ISSUE_TOKEN"; fi
unset ISSUE_TOKEN

cd -- "$GITHUB_WORKSPACE/$ESTATE" || stop "there is no such folder: $ESTATE"

# A line of output that begins with `::` is a command to the runner. Names in a proposal must not give any.
fence="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
echo "::stop-commands::$fence"
status=0
"$home/venv/bin/reconciler" --no-color "${words[@]}" || status=$?
echo
echo "::$fence::"

{
  echo "exit-code=$status"
  echo "reports=$reports"
  if [ -s "$reports/$COMMAND.sarif" ]; then echo "sarif=$reports/$COMMAND.sarif"; fi
} >>"$GITHUB_OUTPUT"

if [ -s "$reports/$COMMAND.md" ]; then
  cat -- "$reports/$COMMAND.md" >>"$GITHUB_STEP_SUMMARY"
  echo >>"$GITHUB_STEP_SUMMARY"
fi
