"""What a run will send: one job for each arm, case, agent and repeat, in an order that keeps prefix caches warm."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from promptforge.backends.base import Request
from promptforge.bench.cases import Case
from promptforge.bench.results import Arm
from promptforge.bench.texts import filled_in

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["Job", "identity_of", "in_order", "request_for", "with_limit_doubled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request of a run."""

    arm: Arm
    case: Case
    agent: str
    repeat: int
    model: str
    """Who answers: the arm's model, or the agent's own."""
    request: Request
    identity: str
    prompt_tokens: int = 0
    """Of the compiled prompt, as counted or estimated."""
    barred: str = ""
    """Why it must not be sent, or nothing."""


def request_for(
    case: Case,
    system: str,
    messages: Iterable[tuple[str, str]],
    params: Mapping[str, Any],
    *,
    repeat: int = 0,
    seeded: bool = False,
) -> Request:
    """What is sent for a case: the compiled prompt with its runtime names filled in, then the question.

    With `seeded` each repeat has a seed of its own, counted from that of `params` or from 0.
    """
    turns = [*messages, *case.messages]
    if seeded:
        params = {**params, "seed": int(params.get("seed", 0)) + repeat}
    filled = tuple((role, filled_in(text, case.vars)) for role, text in turns) if case.vars else tuple(turns)
    return Request(system=filled_in(system, case.vars), messages=filled, tools=case.tools, params=params)


def identity_of(request: Request, server: Mapping[str, str], repeat: int) -> str:
    """The hash of all that decides an answer. A repeat is never answered by another repeat's answer."""
    # The names of parameters have no order; what they and the tools hold is sent in the order in which it stands.
    params = dict(sorted(request.params.items()))
    sent = [request.messages, request.tools, params, sorted(server.items()), repeat]
    hashed = _begun(request.system).copy()
    hashed.update(_JSON.encode(sent)[1:].encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()


_JSON = json.JSONEncoder(default=str, ensure_ascii=False)
"""Made once: `json.dumps` makes one for each request."""


@lru_cache(maxsize=16)
def _begun(system: str) -> "_Hash":
    """The hash of a list's JSON up to the end of its first item: most requests of a run share their long prompt."""
    return sha256(f"[{_JSON.encode(system)}, ".encode("utf-8", "surrogatepass"))


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """By model, then system prompt in order of first use: a server need not read a prefix that it keeps again."""
    models: dict[str, int] = {}
    prompts: dict[tuple[str, str], int] = {}
    for job in jobs:
        models.setdefault(job.model, len(models))
        prompts.setdefault((job.model, job.request.system), len(prompts))
    return sorted(jobs, key=lambda job: (models[job.model], prompts[job.model, job.request.system]))


def with_limit_doubled(request: Request) -> Request | None:
    """The same request with twice the room for the answer; None where no limit was set."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        limit = request.params.get(name)
        if isinstance(limit, int) and limit > 0:
            return replace(request, params={**request.params, name: 2 * limit})
    return None
