"""Run one step of the Makefile: skip it when nothing changed, keep its output in a log.

    python3 steps/step.py build --inputs models macros --outputs warehouse.duckdb -- command ...

Prints one line: the step, what it did (the last line the command printed), how long it took.
When the command fails, prints its last sentences and the log's name, and exits with its code.
Needs nothing but Python's standard library: it runs before anything is installed.
"""

import argparse
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

STATE_FOLDER = Path(".steps")
LOG_FOLDER = Path("logs")
NAME_WIDTH = 9
# larger files are known by size and time: hashing a landing zone would cost more than landing it
HASHED_BYTES = 1_000_000
# what tools write into a step's inputs
IGNORED = {"__pycache__", "node_modules", ".evidence", "build", "target", ".ruff_cache"}
SENTENCES_SHOWN = 4
# what only points at the line above, which is not shown
MARKS = re.compile(r"[\^~ ]*|LINE \d+:.*|compiled code at .*|> (in|called by) .*")


def input_files(patterns: list[str]) -> Iterator[Path]:
    """Files matching the patterns, a folder standing for all below it, sorted."""
    found: set[Path] = set()
    for pattern in patterns:
        for match in map(Path, glob.glob(pattern, recursive=True)):
            paths = match.rglob("*") if match.is_dir() else [match]
            found.update(p for p in paths if p.is_file() and not IGNORED & set(p.parts))
    return iter(sorted(found))


def fingerprint(command: list[str], inputs: list[str], env: list[str]) -> str:
    """Hash of the command, the named environment variables and the inputs."""
    digest = hashlib.sha256(json.dumps(command).encode())
    for name in sorted(env):
        digest.update(f"{name}={os.environ.get(name, '')}\n".encode())
    for path in input_files(inputs):
        stat = path.stat()
        known_by = (
            hashlib.sha256(path.read_bytes()).hexdigest()
            if stat.st_size <= HASHED_BYTES
            else f"{stat.st_size} {stat.st_mtime_ns}"
        )
        digest.update(f"{path} {known_by}\n".encode())
    return digest.hexdigest()


def run(name: str, command: list[str], log_path: Path) -> tuple[int, list[str]]:
    """Run the command with its output in the log. Returns (exit code, the lines it printed).

    On a terminal the latest line is shown while it runs.
    """
    LOG_FOLDER.mkdir(exist_ok=True)
    lines: list[str] = []
    with (
        open(log_path, "w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            bufsize=1,
        ) as process,
    ):
        for line in process.stdout:
            log.write(line)
            log.flush()
            text = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
            if not MARKS.fullmatch(text):
                lines.append(text)
                if sys.stdout.isatty():
                    print(f"\r{name:<{NAME_WIDTH}} {text[:100]}\x1b[K", end="", flush=True)
    return process.returncode, lines


def main() -> int:
    """Run or skip the step named on the command line. Returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--inputs", nargs="*", default=[])
    parser.add_argument("--env", nargs="*", default=[])
    parser.add_argument("--outputs", nargs="*", default=[])
    split = sys.argv.index("--")
    options, command = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]
    try:
        return run_or_skip(options, command)
    except OSError as error:
        print(
            f"{error.filename} cannot be read or written ({error.strerror}); make needs a project "
            "folder that can be written."
        )
        return 1


def run_or_skip(options: argparse.Namespace, command: list[str]) -> int:
    """Run the step, or skip it when nothing changed. Returns its exit code. Raises OSError.

    A step that names neither inputs nor outputs is about what nobody listed, and always run.
    """
    print(f"{options.name:<{NAME_WIDTH}} ", end="", flush=True)
    output_key = hashlib.sha256("\n".join(options.outputs).encode()).hexdigest()[:12]
    state_path = STATE_FOLDER / f"{options.name}-{output_key}"
    before = fingerprint(command, options.inputs, options.env)
    if (
        (options.inputs or options.outputs)
        and state_path.exists()
        and state_path.read_text() == before
        and all(map(os.path.exists, options.outputs))
    ):
        print("nothing changed")
        return 0

    started = time.monotonic()
    log_path = LOG_FOLDER / f"{options.name}.log"
    code, lines = run(options.name, command, log_path)
    seconds = time.monotonic() - started
    if sys.stdout.isatty():
        print(f"\r\x1b[K{options.name:<{NAME_WIDTH}} ", end="")
    if code:
        print(f"failed after {seconds:.0f} s; details in {log_path}")
        for line in lines[-SENTENCES_SHOWN:]:
            print(f"{'':<{NAME_WIDTH}} {line[:400]}")
        return code
    print(f"{lines[-1] if lines else 'done'} ({seconds:.0f} s)")
    STATE_FOLDER.mkdir(exist_ok=True)
    state_path.write_text(before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
