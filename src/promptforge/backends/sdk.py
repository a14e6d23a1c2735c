"""A request through an SDK, in a thread of its own, bounded in time and size.

An SDK's timeout holds from byte to byte, so a server that trickles is never late, and a request in flight cannot be
called off. Hence the thread: whoever waits for it goes on when the time is up or the run is stopped.
"""

import json
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from promptforge.backends.base import Answer
from promptforge.backends.keys import blank
from promptforge.backends.watch import MAX_BYTES, Watch

__all__ = ["STREAM_BYTES", "Give", "as_json", "exchange", "http_client", "plain"]

STREAM_BYTES = 4 * MAX_BYTES
"""Of a stream most is packaging."""
_LOOK_S = 0.1
"""How soon a stopped run is noticed."""

Give = Callable[[str], None]
"""Takes a piece of text as it comes."""

_mine = threading.local()
"""Of the thread that sends: the watch that its exchange keeps to."""


def exchange(work: Callable[[Give], Answer], watch: Watch, on_text: Give | None = None) -> Answer:
    """Do the work in a thread of its own; the pieces of text that it gives come back to the caller's thread.

    Raises what the work raises, and OverdueError or StoppedError when waiting is over. The thread that is left behind
    ends with the next bytes that it receives, or with the SDK's own timeout.
    """
    pieces: queue.SimpleQueue[str | Answer | BaseException] = queue.SimpleQueue()

    def send() -> None:
        _mine.watch = watch
        try:
            pieces.put(work(pieces.put))
        except BaseException as error:
            pieces.put(error)

    threading.Thread(target=send, name="request", daemon=True).start()
    while True:
        left_s = watch.left_s()
        try:
            piece = pieces.get(timeout=left_s if watch.stop is None else min(left_s, _LOOK_S))
        except queue.Empty:
            continue  # the watch decides
        if isinstance(piece, Answer):
            return piece
        if isinstance(piece, BaseException):
            raise piece
        if on_text is not None:
            on_text(piece)


def http_client(sdk: Any) -> Any:
    """An HTTP client like the SDK's own, but one that follows no redirect and stops reading when it is enough.

    A prompt reaches nobody but the server that promptforge.yaml names, so a redirect is an error. Nothing is asked for
    in compressed form, so that the bytes that are counted are those that are kept.
    """
    library = sys.modules[sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]

    class Bounded(library.SyncByteStream):  # type: ignore[misc, name-defined]
        """The body of a response; errors have one, too."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            watch: Watch | None = getattr(_mine, "watch", None)
            for chunk in self._stream:
                if watch is not None:
                    watch.left_s()
                    watch.count(len(chunk))
                yield chunk

        def close(self) -> None:
            self._stream.close()

    def bound(response: Any) -> None:
        response.stream = Bounded(response.stream)

    return sdk.DefaultHttpxClient(
        follow_redirects=False, event_hooks={"response": [bound]}, headers={"Accept-Encoding": "identity"}
    )


def as_json(value: Any) -> Any:
    """A value of the user's files, which may be frozen, in the types that JSON has."""
    return json.loads(json.dumps(value, default=dict))


def plain(value: Any, keys: Iterable[str] = ()) -> dict[str, Any]:
    """What an SDK made of a piece of JSON, as the JSON it was; what is no object becomes an empty one.

    A server that says our key back is not recorded saying it.
    """
    made = value.to_dict(warnings=False) if hasattr(value, "to_dict") else value
    if not isinstance(made, dict):
        return {}
    if any(key and key in str(made) for key in keys):
        cleaned = json.loads(blank(json.dumps(made, default=str), keys))
        return cleaned if isinstance(cleaned, dict) else {}
    return made
