r"""Params from files, standard input and pipes, line by line: memory holds one line (or one CSV row) at a time.

In every format a line of nothing but blanks is skipped, as ``xargs`` does; an empty string is put as ``""``. The newline
(``\n`` or ``\r\n``) and a byte order mark at the start are dropped. Bytes that are no UTF-8 come through unchanged.
"""

from __future__ import annotations

import os
import select
from collections import deque
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

from minionize.errors import BadParam, UsageError
from minionize.params.jsontext import decode_keeping_digits, encode, encode_keeping_digits, from_word, parse, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: What the end of a file's name says about its lines; anything else, and standard input, is txt.
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".txt": "txt"}
_DECODERS = {"txt": "word", "jsonl": "json", "csv": "csv"}
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 16


def read(path: str, format: str | None = None) -> Iterator[str]:
    """Read the params of a file (``-``: standard input) as JSON texts, lazily.

    ``txt``: each line a word, as typed on a command line. ``jsonl``: each line a JSON value. ``csv``: a header, then
    rows that become objects, their values read as words. ``json``: one array of params, the only format that is read
    whole. None: by the name's ending. Raises BadParam naming file and line, UsageError where there is no such file.
    """
    format = format or FORMATS.get(os.path.splitext(path)[1].lower(), "txt")
    if format != "json" and format not in _DECODERS:
        raise UsageError(f"no such format: {format}\nThere are csv, json, jsonl and txt")
    where = "standard input" if path == "-" else path
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            if format == "json":
                yield from _array(file.read(), where)
                return
            for param in lines(_DECODERS[format], file, where):
                if isinstance(param, BadParam):
                    raise param
                yield param
    except OSError as error:
        raise UsageError(f"{where} cannot be read: {error.strerror}") from error


def lines(decoder: str, raw_lines: Iterable[bytes], where: str) -> Iterator[str | BadParam]:
    """Read lines as params: ``identity`` (each a string), ``word``, ``json`` or ``csv``; ``where`` names their source.

    A bad line is given as a BadParam that names it, and the rest goes on. A bad CSV header is raised.
    """
    reader = LineReader(decoder, where)
    for raw in raw_lines:
        param = reader.feed(raw)
        if param is not None:
            yield param
    rest = reader.end()
    if rest is not None:
        yield rest


class LineReader:
    """Reads lines as params one at a time, for a source that comes in batches; see :func:`lines`."""

    __slots__ = ("_number", "_read", "_table", "_where")

    def __init__(self, decoder: str, where: str) -> None:
        """Begin at line 1 of ``where``."""
        self._where, self._number = where, 0
        self._table = _Table() if decoder == "csv" else None
        self._read: Callable[[str], str | None] = self._table.feed if self._table else _LINE_DECODERS[decoder]

    def feed(self, raw: bytes) -> str | BadParam | None:
        """Read the next line, with its newline or without; None where it gives no param (yet)."""
        self._number += 1
        if self._number == 1:
            raw = raw.removeprefix(_BOM)
        line = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
        if not line.strip() and not (self._table and self._table.within):
            return None
        try:
            return self._read(line)
        except _HeaderError as error:
            raise self._bad(error) from error
        except BadParam as error:
            return self._bad(error)

    def end(self) -> BadParam | None:
        """Say what is wrong with the end of the lines; raises BadParam where they needed a header and had none."""
        if self._table is None:
            return None
        if not self._table.columns and not self._table.within:
            raise BadParam(f"{self._where}: empty\nThe first line of a CSV file names the columns: seed,alpha")
        return self._bad(BadParam("a quote is not closed")) if self._table.within else None

    def _bad(self, error: BadParam) -> BadParam:
        first = self._number - self._table.pending if self._table else self._number
        bad = BadParam(f"{self._where}, line {first}: {error}")
        bad.__cause__ = error
        return bad


class _HeaderError(BadParam):
    """There is no reading on after this."""


class _MoreError(Exception):
    """A row goes on in the next line."""


class _Table:
    """CSV, line by line: a header, then rows as objects; a quoted value may hold newlines."""

    __slots__ = ("_csv", "_lines", "_row", "columns", "pending")

    def __init__(self) -> None:
        """Import csv here: few minions read any."""
        import csv
        import sys

        csv.field_size_limit(sys.maxsize)
        self._csv: Any = csv
        self._lines: list[str] = []
        self.columns: list[str] = []
        #: Lines of the row at hand before the last one.
        self.pending = 0

    @property
    def within(self) -> bool:
        """Whether a row has begun and not ended."""
        return bool(self._lines)

    def feed(self, line: str) -> str | None:
        """Take a line; give the row that it ends, as an object."""
        self.pending = len(self._lines)
        self._lines.append(line + "\n")
        # Only a line with a quote can end a row of several lines: this keeps a long text from being read again and again.
        if self.pending and '"' not in line:
            return None
        try:
            row = next(self._csv.reader(chain(self._lines, _more()), strict=True))
        except _MoreError:
            return None
        except self._csv.Error as error:
            self._lines.clear()
            raise (BadParam if self.columns else _HeaderError)(f"not valid CSV: {error}: {shorten(line)}") from error
        self._lines.clear()
        if self.columns:
            return self._object(row)
        self.columns = _header(row)
        self._row = [encode(name) + ":" for name in self.columns]
        return None

    def _object(self, row: list[str]) -> str:
        if len(row) != len(self.columns):
            have = f"{len(row)} value{'s' * (len(row) != 1)}"
            raise BadParam(f"{have} under {len(self.columns)} columns ({shorten(', '.join(self.columns))})")
        try:
            return "{" + ",".join([name + from_word(value) for name, value in zip(self._row, row, strict=True)]) + "}"
        except BadParam:
            for name, value in zip(self.columns, row, strict=True):
                _named(name, value)
            raise


def _named(column: str, value: str) -> None:
    try:
        from_word(value)
    except BadParam as error:
        raise BadParam(f"column {column}: {error}") from error


def _header(row: list[str]) -> list[str]:
    if not all(row):
        raise _HeaderError(f"the header has a column without a name: {shorten(','.join(row))}")
    if len(set(row)) < len(row):
        twice = next(name for name in row if row.count(name) > 1)
        raise _HeaderError(f"the header names the column {twice} twice")
    return row


def _more() -> Iterator[str]:
    raise _MoreError
    yield ""


def _json_line(line: str) -> str:
    try:
        return parse(line)
    except BadParam as error:
        raise BadParam(
            f'{error}\nEach line is one JSON value: 42, "text", {{"seed": 1}}; lines of plain text are for a .txt',
        ) from error


_LINE_DECODERS: dict[str, Callable[[str], str | None]] = {"identity": encode, "word": from_word, "json": _json_line}


def _array(content: bytes, where: str) -> Iterator[str]:
    try:
        params = decode_keeping_digits(content.removeprefix(_BOM).decode("utf-8", "surrogateescape"))
    except BadParam as error:
        raise BadParam(f"{where}: {error}\nOne JSON value a line is for a file named .jsonl") from error
    if not isinstance(params, list):
        raise BadParam(
            f"{where}: not an array of params\nWrite them in brackets: [1, 2], or one a line in a file named .jsonl",
        )
    return map(encode_keeping_digits, params)


class Feed:
    """Lines from a file descriptor as they come, for a pipe that may stay open for hours."""

    __slots__ = ("_begun", "_eof", "_fd", "_lines")

    def __init__(self, fd: int) -> None:
        """Read from ``fd``, which stays its owner's."""
        self._fd = fd
        self._lines: deque[bytes] = deque()
        #: The pieces of a line whose end has not come yet.
        self._begun: list[bytes] = []
        self._eof = False

    @property
    def ended(self) -> bool:
        """Whether the end was reached and every line given."""
        return self._eof and not self._lines

    def read(self, limit: int, wait: float = 0.0, wake_fd: int | None = None) -> list[bytes]:
        """Give up to ``limit`` lines, without their newlines, waiting up to ``wait`` seconds for the first one.

        Returns early once ``wake_fd`` can be read, which is left to its owner. Raises UsageError where reading fails.
        """
        deadline = monotonic() + wait
        while len(self._lines) < limit and not self._eof:
            left = 0.0 if self._lines else max(0.0, deadline - monotonic())
            if not self._readable(left, wake_fd) or not self._fill():
                break
            if not self._lines and monotonic() >= deadline:
                break
        return [self._lines.popleft() for _ in range(min(limit, len(self._lines)))]

    def _readable(self, wait: float, wake_fd: int | None) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if wake_fd is not None:
            poll.register(wake_fd, select.POLLIN)
        # In milliseconds, rounded up: a wait must not become a spin. A day is as good as for ever.
        ready = poll.poll(-(-min(wait, 86400.0) * 1000 // 1))
        return any(fd == self._fd for fd, _ in ready)

    def _fill(self) -> bool:
        try:
            chunk = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            raise UsageError(f"the params cannot be read: {error.strerror}") from error
        if not chunk:
            self._eof = True
            if self._begun:
                self._lines.append(b"".join(self._begun))
                self._begun.clear()
            return True
        first, *rest = chunk.split(b"\n")
        self._begun.append(first)
        if rest:
            self._lines.append(b"".join(self._begun))
            self._lines.extend(rest[:-1])
            self._begun = [rest[-1]] if rest[-1] else []
        return True
