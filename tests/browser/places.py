"""Where the things are that the page tests look at."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = ROOT / "reports" / "build"
SERVE = ROOT / "steps" / "serve.py"
