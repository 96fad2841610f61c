#!/usr/bin/env bash
# Install the reconciler of this very commit into an environment of its own, from requirements with hashes.
# It runs in a folder of ours: Python takes modules from the folder that it runs in, and the workspace may be a proposal.
set -euo pipefail

source="$(cd -- "$GITHUB_ACTION_PATH/../../.." && pwd)"
home="$RUNNER_TEMP/reconciler"
mkdir -p "$home"
cd -- "$home"

if [ -e installed ]; then
  exit 0 # by an earlier step of this job
fi

"$PYTHON" -I -m venv venv
pip() { venv/bin/python -I -m pip --disable-pip-version-check --quiet "$@"; }
pip install --require-hashes --only-binary=:all: -r "$source/requirements/build.txt"
pip install --require-hashes --only-binary=:all: -r "$source/requirements/runtime.txt"
pip install --no-deps --no-index --no-build-isolation "$source"
venv/bin/reconciler --version
touch installed
