"""The server behind the page, on a free port of 127.0.0.1, in a thread of its own. Owns starlette and uvicorn."""

import asyncio
import datetime
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from promptforge.errors import ExtraMissingError, PromptforgeError

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send
except ImportError as problem:
    raise ExtraMissingError("build --open", "page") from problem

from promptforge.page.asking import answer, read_question
from promptforge.page.document import document, headers
from promptforge.page.editor import find_editor, open_at, place_of
from promptforge.page.guard import Guard
from promptforge.page.hub import Hub
from promptforge.page.live import BASELINES, Live

__all__ = ["Server"]

_KEEP_ALIVE_S = 15.0
_LONGEST_BODY = 200_000
_MOST_QUESTIONS = 4
_END_S = 1.5

Answer = Callable[[Request], Awaitable[Response]]
_News: TypeAlias = "asyncio.Queue[Mapping[str, Any] | None]"


class Server:
    """Serves the page until it is closed."""

    def __init__(
        self,
        root: Path,
        live: Live,
        hub: Hub,
        *,
        today: Callable[[], datetime.date],
        environ: Mapping[str, str],
    ) -> None:
        self._root, self._live, self._hub, self._today, self._environ = root, live, hub, today, environ
        self._asking = threading.BoundedSemaphore(_MOST_QUESTIONS)
        self._gone = threading.Event()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        routes = [
            Route("/", self._page),
            Route("/events", self._events),
            Route("/prompt", self._prompt),
            Route("/open", _worded(self._open), methods=["POST"]),
            Route("/ask", _worded(self._ask), methods=["POST"]),
        ]
        self.guard = Guard(Starlette(routes=routes), self._socket.getsockname()[1], headers())
        config = uvicorn.Config(
            self.guard,
            log_config=None,  # nothing of the address is written anywhere
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="page", daemon=True
        )
        self._socket.listen(128)  # a browser that comes before the thread does waits
        self._thread.start()

    def close(self) -> None:
        """Tell the browsers that it is over, and stop; nothing is waited for long."""
        self._gone.set()
        self._hub.end()
        self._server.should_exit = True
        self._thread.join(_END_S)
        self._socket.close()

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(document())

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(self._news(), media_type="text/event-stream")

    async def _news(self) -> AsyncIterator[str]:
        """Each part of the state, and again whenever it changes, until the end."""
        seen: dict[str, int] = {}
        waiting = self._hub.listen()
        try:
            editor = find_editor(self._environ)
            yield "retry: 700\n\n" + _event("hello", {"editor": editor.name if editor else ""})
            while not self._hub.over:
                waiting.clear()
                for name, text in self._hub.news(seen):
                    yield f"event: {name}\ndata: {text}\n\n"
                try:
                    await asyncio.wait_for(waiting.wait(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield ":\n\n"
            yield _event("end", {})
        finally:
            self._hub.leave(waiting)

    async def _prompt(self, request: Request) -> Response:
        agent, since = (request.query_params.get(name, "") for name in ("agent", "since"))
        found = await run_in_threadpool(self._live.prompt, agent, since if since in BASELINES else "save")
        return _Json(found, 200 if found else 404)

    async def _open(self, request: Request) -> Response:
        data = await _body(request)
        path, line, column = place_of(self._root, data.get("file"), data.get("line"), data.get("column"))
        editor = find_editor(self._environ)
        if editor is None:
            link = f"vscode://file/{quote(path.as_posix().lstrip('/'))}:{line}:{column}"
            return _Json({"opened": "", "place": f"{path}:{line}", "link": link})
        await run_in_threadpool(open_at, editor, path, line, column, root=self._root, environ=self._environ)
        return _Json({"opened": editor.name})

    async def _ask(self, request: Request) -> Response:
        question = read_question(await _body(request))
        if not self._asking.acquire(blocking=False):
            return _Json({"error": "other questions are still being answered", "hint": "wait, or stop them"}, 429)
        loop, news = asyncio.get_running_loop(), asyncio.Queue[Mapping[str, Any] | None]()
        gone = threading.Event()

        def say(piece: Mapping[str, Any] | None) -> None:
            if not self._gone.is_set():
                loop.call_soon_threadsafe(news.put_nowait, piece)

        def work() -> None:
            try:
                answer(self._root, question, say, today=self._today(), environ=self._environ, gone=gone)
            finally:
                self._asking.release()
                say(None)

        try:
            threading.Thread(target=work, name="asking", daemon=True).start()
        except BaseException as problem:
            self._asking.release()
            if isinstance(problem, RuntimeError):  # of the system: it gives no more threads
                raise PromptforgeError("this machine has no thread left", hint="wait, and ask again") from problem
            raise
        return _Answering(news, gone)


class _Answering(StreamingResponse):
    """The pieces of an answer, a line each. However it ends, even before the first piece, `gone` is set then."""

    def __init__(self, news: _News, gone: threading.Event) -> None:
        super().__init__(_pieces(news), media_type="application/x-ndjson")
        self._gone = gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._gone.set()


class _Json(JSONResponse):
    """JSON in ASCII: half a surrogate pair, which a model's piece or a request may hold, has no bytes in UTF-8."""

    def render(self, content: Any) -> bytes:
        """As bytes."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


async def _pieces(news: _News) -> AsyncIterator[str]:
    while (piece := await news.get()) is not None:
        yield json.dumps(piece) + "\n"


def _event(name: str, value: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n"


async def _body(request: Request) -> dict[str, Any]:
    """What a POST brings, as JSON."""
    taken = bytearray()
    async for piece in request.stream():
        taken += piece
        if len(taken) > _LONGEST_BODY:
            raise PromptforgeError("that is too long")
    try:
        data = json.loads(taken)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise PromptforgeError("that is no JSON object")
    return data


def _worded(work: Answer) -> Answer:
    """What we raise is an answer that the page shows."""

    async def worded(request: Request) -> Response:
        try:
            return await work(request)
        except PromptforgeError as problem:
            return _Json({"error": problem.message, "hint": problem.hint}, 400)

    return worded
