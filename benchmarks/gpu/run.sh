#!/bin/bash
# Proves and measures nzip on a CUDA machine that has python3 with torch and numba, and no network; see README.md here.
#   benchmarks/gpu/run.sh [env] [exact] [latents] [speed] [--models tiny,shape,smollm2] [--seconds 460] [--rehearse]
set -u
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-python3}
bundle=${NZIP_GPU_BUNDLE:-$PWD/.gpu}
result=${NZIP_GPU_RESULT:-$PWD/.gpu-result}
site=$result/site
mkdir -p "$result" || exit 1
if compgen -G "$bundle/wheels/*.whl" >/dev/null && [ ! -e "$site/.done" ] && [[ " $* " != *" --rehearse "* ]]; then
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site" \
        "$bundle"/wheels/*.whl && touch "$site/.done"
fi
[ -d "$site" ] && PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH=$PWD:$PWD/benchmarks/gpu${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
if ! "$python" -c 'import torch, numpy, numba, xxhash' 2>"$result/imports"; then
    tail -n 1 "$result/imports" >&2
    echo 'a package is missing or does not go with the others: add a wheel of it (prepare.py --wheel NAME==VERSION)' >&2
    exit 1
fi
"$python" benchmarks/gpu/prepare.py --bundle "$bundle" --join
exec "$python" benchmarks/gpu/measure.py --bundle "$bundle" --json "$result/gpu.json" "$@"
