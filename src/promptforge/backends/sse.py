"""Server-sent events as servers write them: any line ending, comments, data over several lines, no blank line last."""

from collections.abc import Iterable, Iterator

__all__ = ["events", "looks_like_events"]


def events(pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    r"""The (field, data) of each event: `data`, or `error` where that is how the server marks one.

    >>> list(events([b": hello\r\nda", b"ta: {}\r\n\r\ndata:a\ndata: b\n\n", b"event: error\ndata: x"]))
    [('data', '{}'), ('data', 'a\nb'), ('error', 'x')]
    """
    kind = "data"
    data: list[str] = []
    for line in _lines(pieces):
        if not line:
            if data:
                yield kind, "\n".join(data)
            kind, data = "data", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "error":  # llama.cpp writes `error: {…}` where others write `data: {"error": …}`
            kind = "error"
            data.append(value)
        elif name == "event" and value == "error":
            kind = "error"
    if data:
        yield kind, "\n".join(data)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines without their endings. Bytes are joined before they are decoded: a character may come in two halves."""
    rest: list[bytes] = []
    after_return = False
    for piece in pieces:
        if after_return and piece.startswith(b"\n"):
            piece = piece[1:]
        after_return = False
        if not piece:
            continue
        after_return = piece.endswith(b"\r")
        if b"\n" not in piece and b"\r" not in piece:
            rest.append(piece)
            continue
        lines = (b"".join(rest) + piece).splitlines(keepends=True)
        rest = [lines.pop()] if not lines[-1].endswith((b"\n", b"\r")) else []
        for line in lines:
            yield line.rstrip(b"\r\n").decode("utf-8", "replace")
    if rest:
        yield b"".join(rest).decode("utf-8", "replace")


def looks_like_events(start: bytes) -> bool:
    """Whether a body that starts like this is a stream of events, whatever its content type says."""
    return start.lstrip().startswith((b"data:", b"event:", b":", b"error:", b"id:", b"retry:"))
