"""Follow a landing zone: what was appended to its ndjson files, and files that are new.

A file of ndjson is read on from where its last whole line ended. Any other file, and one that was
written anew, is read whole once it is still: rows that were read before are copies then, and
staging knows copies. Files that go are left to the next build.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

sys.path.append(str(Path(__file__).resolve().parent.parent / "steps"))
from app import staging_module

BLOCK_BYTES = 32 << 20  # read at once; a burst is shown block by block


landing_files = staging_module("base_app__landing_files")


@dataclass
class Progress:
    """How far a file was read. size and modified are those of the last look."""

    size: int
    modified_ns: int
    offset: int  # bytes read; of a file that is read whole, its size


@dataclass(frozen=True)
class Arrival:
    """Rows to read: of `path`, which is the file itself or a part of it."""

    file_name: str
    file_format: str
    path: str


class LandingZone:
    """The files below a folder or a glob, and how far each was read."""

    def __init__(self, pattern: str, part: Path, read: dict[str, tuple[int, int]]) -> None:
        """`read` says of files that a build has read their (size in bytes, time in ns).

        `part` is a file to write parts of others to.
        """
        self.pattern = pattern
        self.part = part
        self.progress = {
            name: Progress(size, modified, size) for name, (size, modified) in read.items()
        }

    def arrivals(self) -> Iterator[Arrival]:
        """What is there and was not read; the caller reads one before it asks for the next."""
        for name in landing_files.list_files(self.pattern):
            kind = landing_files.file_format(name)
            if kind == "unknown":
                continue
            try:
                status = os.stat(name)
            except OSError:  # it went between two looks
                continue
            before = self.progress.get(name)
            version = (status.st_size, status.st_mtime_ns)
            if before and before.offset == status.st_size and version[1] == before.modified_ns:
                continue
            if kind != "ndjson" or name.lower().endswith(landing_files.COMPRESSIONS):
                yield from self.whole(name, kind, version, before)
                continue
            with contextlib.suppress(FileNotFoundError):
                yield from self.appended(name, version, before)

    def whole(
        self, name: str, kind: str, version: tuple[int, int], before: Progress | None
    ) -> Iterator[Arrival]:
        """The file, when it was the same at the last look: nobody is writing it."""
        is_still = before is not None and (before.size, before.modified_ns) == version
        self.progress[name] = Progress(*version, offset=version[0] if is_still else -1)
        if is_still:
            yield Arrival(name, kind, name)

    def appended(
        self, name: str, version: tuple[int, int], before: Progress | None
    ) -> Iterator[Arrival]:
        """Whole lines after those read, in blocks; from the start where the file is another."""
        size, modified = version
        offset = before.offset if before else 0
        with open(name, "rb") as file:
            if offset > size or (offset and not ends_line(file, offset)):
                offset = 0
            is_still = before is not None and (before.size, before.modified_ns) == version
            file.seek(offset)
            while offset < size:
                block = file.read(min(BLOCK_BYTES, size - offset))
                end = block.rfind(b"\n") + 1
                # the last line may be still in the writing; when nobody writes on, it is one
                if not end and (is_still or len(block) == BLOCK_BYTES):
                    end = len(block)
                if not end:
                    break
                self.part.write_bytes(block[:end])
                offset += end
                file.seek(offset)
                self.progress[name] = Progress(size, modified, offset)
                yield Arrival(name, "ndjson", str(self.part))
        self.progress[name] = Progress(size, modified, offset)


def ends_line(file: BinaryIO, offset: int) -> bool:
    """True where a line of the file ends at this byte."""
    file.seek(offset - 1)
    return file.read(1) == b"\n"
