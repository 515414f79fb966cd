#!/usr/bin/env bash
# Evaluate in several processes, one per GPU, or on a CPU if there is none.
# Variables: NNODES, NODE_RANK, MASTER_ADDR, PORT as in MMDetection, and PYTHON.
set -euo pipefail

if (($# < 3)); then
    echo 'usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]' >&2
    exit 2
fi
tools=$(dirname "${BASH_SOURCE[0]}")
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python}" "$tools/launch.py" "$3" \
    "$tools/test.py" "$1" "$2" --launcher pytorch "${@:4}"
