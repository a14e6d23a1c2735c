"""Who may speak to the page: a browser on this machine that was given the address. Knows no web library."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

__all__ = ["Guard"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Lets through what has the token in its path, the right Host and no other Origin; a POST must have one.

    Another page in the same browser can send requests to any port of this machine, under a name of its own that it
    makes point here (DNS rebinding) or as a form: it knows no token, its Host is another, and so is its Origin.
    """

    def __init__(self, app: App, port: int, headers: Mapping[str, str]) -> None:
        """`headers` go with every answer."""
        self._app = app
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._token = secrets.token_urlsafe(24)
        self.address = f"http://127.0.0.1:{port}/{self._token}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":  # of websockets there are none; the life of the server is its own business
            return
        if refused := self._refused(scope):
            await self._answer(send, *refused)
            return
        first, stroke, rest = scope["path"].removeprefix("/").partition("/")
        if _same(first, self._token) and not stroke:
            await self._answer(send, 303, "", location=self.address)
        elif _same(first, self._token):
            inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "root_path": ""}
            await self._app(inner, receive, self._sender(send))
        else:
            await self._answer(send, 404, "not found")

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        host = headers.get("host", "")
        if host not in self._hosts:
            return 403, "this page is for 127.0.0.1 alone"
        reading = scope["method"] in ("GET", "HEAD")  # for these a browser names no Origin where it is the same
        if headers.get("origin", f"http://{host}" if reading else "") != f"http://{host}":
            return 403, "only the page itself may ask for that"
        if reading:
            return None
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return 415, "only JSON is taken"
        return None

    def _sender(self, send: Send) -> Send:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
            await send(message)

        return sending

    async def _answer(self, send: Send, status: int, text: str, location: str = "") -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), *self._headers]
        headers += [(b"location", location.encode())] if location else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())
