#!/usr/bin/env bash
# Train in several processes, one per GPU, or on a CPU if there is none.
# Variables: NNODES, NODE_RANK, MASTER_ADDR, PORT as in MMDetection, and PYTHON.
set -euo pipefail

if (($# < 2)); then
    echo 'usage: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]' >&2
    exit 2
fi
tools=$(dirname "${BASH_SOURCE[0]}")
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python}" "$tools/launch.py" "$2" \
    "$tools/train.py" "$1" --launcher pytorch "${@:3}"
