"""Which proxy stands between us and a server: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl reads them."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from promptforge.backends.keys import plain_url

__all__ = ["Proxy", "ProxyError", "is_loopback", "proxy_of"]


class ProxyError(Exception):
    """The proxy that the environment names cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that speaks plain HTTP."""

    host: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Its user and password, if any."""

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"


def proxy_of(url: SplitResult, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for a URL; none for this machine itself. Raises ProxyError."""
    named = _named(url.scheme, environ)
    if not named or is_loopback(url.hostname or "") or _bypassed(url, environ):
        return None
    try:
        parts = urlsplit(named if "://" in named else f"http://{named}")
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        raise ProxyError("the proxy that the environment names is no URL") from problem
    if parts.scheme != "http" or not host:
        raise ProxyError(f"the proxy {plain_url(named)} is not one that is spoken to over plain HTTP")
    return Proxy(host=host, port=port or 80, headers=_login(parts))


def _named(scheme: str, environ: Mapping[str, str]) -> str:
    """Small letters win; HTTP_PROXY does not count in a CGI script, where a stranger may have set it."""
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environ:
        names.remove(f"{scheme}_proxy".upper())
    return next((value for name in names if (value := environ.get(name, "").strip())), "")


def _bypassed(url: SplitResult, environ: Mapping[str, str]) -> bool:
    """Whether NO_PROXY names the host: alone, with a port, or by the domain that it belongs to; `*` names all."""
    host, port = url.hostname or "", url.port or {"https": 443}.get(url.scheme, 80)
    for entry in environ.get("no_proxy", environ.get("NO_PROXY", "")).lower().split(","):
        name = entry.strip().removeprefix("*.").removeprefix(".")
        if name == "*" or name in (host, f"{host}:{port}", f"[{host}]", f"[{host}]:{port}"):
            return True
        if name and (host.endswith(f".{name}") or f"{host}:{port}".endswith(f".{name}")):
            return True
    return False


def _login(parts: SplitResult) -> Mapping[str, str]:
    if not parts.username:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode('ascii')}"}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("192.0.2.10")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
