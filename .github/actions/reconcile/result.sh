#!/usr/bin/env bash
# Let the step end as the command's exit code says. docs/commands.md has the table.
set -euo pipefail

case "$EXIT_CODE" in
  0) meaning="done; nothing to do; in sync" ;;
  1) meaning="error (bad manifest, vendor or Vault failure, wrong usage)" ;;
  2) meaning="plan --detailed-exitcode: changes are pending; drift: drift was found" ;;
  3) meaning="stopped by policy or a guardrail; nothing was changed" ;;
  4) meaning="finished in part: what failed is listed, the rest is done; run again" ;;
  5) meaning="another run holds the tenant's lease" ;;
  6) meaning="everything else is done; handoffs wait for a person" ;;
  "") meaning="it did not run" ;;
  *) meaning="it was ended from outside" ;;
esac

text="reconciler $COMMAND: exit code ${EXIT_CODE:-none}: $meaning"
printf '\n%s\n' "$text" >>"$GITHUB_STEP_SUMMARY"
case " 0 $ACCEPT " in
  *" ${EXIT_CODE:-none} "*) echo "::notice title=reconciler::$text" ;;
  *)
    echo "::error title=reconciler::$text"
    exit "${EXIT_CODE:-1}"
    ;;
esac
