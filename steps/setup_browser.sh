# The page tests drive Debian's Chromium; installing it needs root.
set -e
if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "The page tests need Chromium; install it once with: sudo apt-get install chromium"
        exit 1
    fi
    (apt-get update && apt-get install --yes --no-install-recommends chromium) >&2
fi
echo "$(chromium --version 2>/dev/null) is installed"
