"""The keys of the backends: read from the environment when a request is sent, and blanked wherever text comes out."""

import base64
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from promptforge.backends.base import BackendError

__all__ = ["HIDDEN", "blank", "hide", "plain_url", "read_key"]

HIDDEN = "[hidden]"
"""What stands in a text where a key stood."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_key(spec: str, environ: Mapping[str, str]) -> str:
    """The key that `env:NAME` names. Raises BackendError `no_key`; no message ever shows a value.

    >>> read_key("env:HOUSE_KEY", {"HOUSE_KEY": " abc "})
    'abc'
    """
    scheme, _, name = spec.partition(":")
    if scheme != "env":
        hint = "write `api_key: env:NAME` and export NAME=…; change the key, it is in the open"
        raise BackendError("no_key", "the API key stands in promptforge.yaml instead of the environment", hint=hint)
    if not _NAME.fullmatch(name):
        # Whatever stands there may be a key that was pasted after `env:`, so it is not shown.
        hint = "write `api_key: env:NAME`, where NAME has letters, digits and underscores only"
        raise BackendError("no_key", "api_key names no environment variable", hint=hint)
    value = environ.get(name, "").strip()
    if not value:
        why = "is empty" if name in environ else "is not set"
        raise BackendError("no_key", f"the environment variable {name} {why}", hint=f"export {name}=…")
    if not (value.isascii() and value.isprintable()) or " " in value:
        message = f"the environment variable {name} holds characters that no key has"
        raise BackendError("no_key", message, hint=f"copy the key again, without line breaks: export {name}=…")
    return value


_WHOLE_BELOW = 8
"""A shorter key (`none`, `x`) is a word like any other: only where it stands alone it is blanked."""

_ECHOES = (
    re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)(?!env:)[^\s\"',;}]+"),
    re.compile(r"(?i)(api[-_]?key[\"']?\s*[:=]\s*[\"']?)(?!env:)[^\s\"',;}]+"),
    re.compile(r"(?i)(\bbearer\s+)[a-z0-9._~+/=-]{8,}"),
    re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s\"'<>]+(?=@)"),
    # Providers repeat a wrong key with its middle starred out: its ends are nobody's business either.
    re.compile(r"\b()(?:sk|pk|gsk|xai|hf)[-_](?=[\w.-]*[0-9*])[\w*.-]{8,}"),
)


def hide(text: str, keys: Iterable[str] = ()) -> str:
    """The text without any of the keys, however they are written, and without what looks like one. Hide before cutting.

    >>> hide("http://mara:swordfish@192.0.2.10/v1 said: no key abcdefgh1234", ["abcdefgh1234"])
    'http://[hidden]@192.0.2.10/v1 said: no key [hidden]'
    """
    text = blank(text, keys)
    for echo in _ECHOES:
        text = echo.sub(rf"\1{HIDDEN}", text)
    return text


def blank(text: str, keys: Iterable[str]) -> str:
    """The text without any of the keys, and otherwise as it is: for what a model said.

    >>> blank("x is an index", ["x"])
    '[hidden] is an index'
    """
    for key in sorted(filter(None, keys), key=len, reverse=True):
        for form in dict.fromkeys((key, quote(key, safe=""), _base64(key), _base64(f":{key}"))):
            if len(key) >= _WHOLE_BELOW:
                text = text.replace(form, HIDDEN)
            elif form in text:
                text = re.sub(rf"(?<![\w-]){re.escape(form)}(?![\w-])", HIDDEN, text)
    return text


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def plain_url(url: str) -> str:
    """A URL as it may be shown and kept: no user, password, query or fragment; host in small letters, no last slash.

    >>> plain_url("HTTP://me:pw@LocalHost:1337/v1/?token=1#x")
    'http://localhost:1337/v1'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return hide(url.split("?")[0])
    default = {"http": 80, "https": 443}.get(parts.scheme)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != default:
        netloc += f":{port}"
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
