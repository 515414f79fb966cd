#!/usr/bin/env bash
# Train under Slurm.
# Variables: GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS as in MMDetection, and PYTHON.
# GPUS_PER_NODE=0 asks for no GPU: GPUS is the number of processes then.
set -euo pipefail

if (($# < 4)); then
    echo 'usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]' >&2
    exit 2
fi
tools=$(dirname "${BASH_SOURCE[0]}")
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
resources=(--ntasks="$gpus")
if ((per_node > 0)); then
    resources+=(--gres=gpu:"$per_node" --ntasks-per-node="$((per_node < gpus ? per_node : gpus))")
fi
set -x
# SRUN_ARGS is several words
# shellcheck disable=SC2086
PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}" exec srun --partition="$1" --job-name="$2" \
    "${resources[@]}" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$tools/train.py" "$3" --work-dir "$4" --launcher slurm "${@:5}"
