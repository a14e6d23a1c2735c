"""What can go wrong with a server that we start: the table of messages and hints."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from promptforge.errors import PromptforgeError

__all__ = ["TROUBLES", "ServerError", "Trouble", "trouble"]

Trouble = Literal[
    "no_program",  # the command's first word is no program
    "no_start",  # the system refuses to start it
    "died",  # it ended before it was ready
    "not_ready",  # it runs, but was never ready
    "broken",  # it runs and listens, and says that it never will be ready
    "elsewhere",  # it listens, but on another port
    "foreign",  # somebody else listens on its port
    "unprovable",  # this machine does not tell who listens
    "refuses",  # it is ready, but does not answer a chat
    "died_later",  # it was ready, and ended
    "lost",  # it runs, but listens no more
    "stays",  # it does not end
    "port_stays",  # it ended, and its port is still taken
    "stopped",  # the caller's event was set
]
"""What went wrong; the table of messages and hints is by these."""


class ServerError(PromptforgeError):
    """A server of ours did not do what it must: `trouble` says how."""

    exit_code: ClassVar[int] = 4

    def __init__(self, kind: Trouble, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.trouble: Trouble = kind


_LOG = "its log: {log}"
TROUBLES: Mapping[Trouble, tuple[str, str]] = {
    "no_program": (
        "the server of '{name}' cannot be started: there is no program '{program}'",
        "install it, or write its whole path in `serve` of promptforge.yaml",
    ),
    "no_start": (
        "the server of '{name}' cannot be started: {said}",
        "mend `serve` in promptforge.yaml",
    ),
    "died": (
        "the server of '{name}' ended before it was ready: {how}{tail}",
        "start it by hand to see more: {command} ({log} has all that it said)",
    ),
    "not_ready": (
        "the server of '{name}' was not ready after {patience_s:g} s: {state}{tail}",
        "a large model may need more time to load; " + _LOG,
    ),
    "broken": (
        "the server of '{name}' has failed, and runs on: {state}{tail}",
        "start it by hand to see more: {command} ({log} has all that it said)",
    ),
    "elsewhere": (
        "the server of '{name}' listens on port {ports}, not on {port}, which it was given",
        "write {{port}} in `serve` where the command takes its port",
    ),
    "foreign": (
        "{owner} listens on port {port}, and the server of '{name}' did not start it",
        "if it took the port by chance, try again; if `serve` hands its work to another program (docker, ssh, a "
        "service), name the server itself there: what we did not start proves nothing",
    ),
    "unprovable": (
        "this machine does not tell who listens on port {port}, so nothing shows that it is the server of '{name}'",
        "install lsof",
    ),
    "refuses": (
        "the server of '{name}' is there, but does not answer a chat: {said}{tail}",
        "{hint}; " + _LOG,
    ),
    "died_later": (
        "the server of '{name}' ended in the middle: {how}{tail}",
        "what it answered is kept; " + _LOG,
    ),
    "lost": (
        "the server of '{name}' runs, but listens on port {port} no more{tail}",
        "what it answered is kept; " + _LOG,
    ),
    "stays": (
        "the server of '{name}' does not end: {who} {are} still there after being killed",
        "it may wait for a disk or a graphics card; end it before the next run",
    ),
    "port_stays": (
        "the server of '{name}' ended, but {owner} still listens on its port {port}",
        "it may have started something that left its group: end that before the next run",
    ),
    "stopped": (
        "stopped before the server of '{name}' was ready",
        "run the command again",
    ),
}


def trouble(kind: Trouble, **facts: object) -> ServerError:
    """The error in the user's terms, ready to be raised.

    >>> print(trouble("no_program", name="coder", program="mlx_lm.server"))
    the server of 'coder' cannot be started: there is no program 'mlx_lm.server'
    """
    message, hint = TROUBLES[kind]
    return ServerError(kind, message.format(**facts), hint=hint.format(**facts))
