# Installs the locked Python side, uv first: it is pinned in pyproject.toml like the rest.
set -e
test -x .venv/bin/python || python3 -m venv .venv
uv=$(sed -n 's/.*"\(uv==[^"]*\)".*/\1/p' pyproject.toml)
.venv/bin/python -m pip install --quiet --disable-pip-version-check "$uv"
.venv/bin/uv sync --frozen
echo "the Python packages are installed in .venv"
