"""The page itself: one HTML document with its script and style inside, which loads nothing."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from promptforge.bench.report.markup import Markup, tag

__all__ = ["document", "headers"]

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%231f5fae'/%3E"
    "%3Cpath d='M4 4.5h8M4 8h8M4 11.5h5' stroke='white' stroke-width='1.6' stroke-linecap='round'/%3E%3C/svg%3E"
)


@cache
def _asset(name: str) -> str:
    return (files("promptforge") / "page" / "static" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _policy() -> str:
    """Its own script and style by their hashes, and requests to this server: nothing else is loaded or runs."""
    return (
        f"default-src 'none'; script-src {_hash(_asset('page.js'))}; style-src {_hash(_asset('page.css'))}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@cache
def headers() -> dict[str, str]:
    """What goes with every answer."""
    return {
        "Content-Security-Policy": _policy(),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


@cache
def document() -> str:
    """The whole page, before it has any state."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href=_ICON),
        tag("title", "promptforge"),
        tag("style", Markup(_asset("page.css"))),
    )
    body = tag("body", Markup(_asset("page.html")), tag("script", Markup(_asset("page.js"))))
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'
