# Installs what building with Spark needs beside the project's own packages, as uv.lock has them.
set -e
UV_PROJECT_ENVIRONMENT=.venv-spark .venv/bin/uv sync --frozen --no-default-groups --group spark
echo "the Python packages for Spark are installed in .venv-spark"
