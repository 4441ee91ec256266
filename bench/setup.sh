#!/bin/sh
# Makes an environment for each peer and for the chart: bench/.venvs/<extra>, as bench/uv.lock says.
set -eu
cd "$(dirname "$0")"
for extra in chdb polars pandas retentioneering chart; do
    echo "$extra"
    UV_PROJECT_ENVIRONMENT=".venvs/$extra" ../.venv/bin/uv sync --quiet --frozen --compile-bytecode --extra "$extra"
done
