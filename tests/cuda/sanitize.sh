#!/usr/bin/env bash
# compute-sanitizer over one small batch: out of bounds, uninitialised reads, races and barriers. Needs a GPU.
# Run from the top of the repository: tests/cuda/sanitize.sh [python]
set -euo pipefail
python=${1:-python}
if ! command -v compute-sanitizer >/dev/null; then
  echo "compute-sanitizer was not found: it is part of the CUDA toolkit"
  exit 1
fi
for tool in memcheck initcheck racecheck synccheck; do
  echo "== $tool"
  compute-sanitizer --tool "$tool" --error-exitcode 1 "$python" tests/cuda/small.py
done
