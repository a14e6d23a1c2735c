"""What a run may cost: what is still to be sent, how many tokens, how much money, and whether that is too much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from promptforge.backends.base import Usage
from promptforge.backends.price import cost_usd
from promptforge.bench.keeping import Outcome
from promptforge.bench.plan import Job
from promptforge.compiler.build import Build
from promptforge.model import Model

__all__ = ["Estimate", "Outlook", "estimate", "limits_of", "over_limit"]

_LIMIT_REQUESTS, _LIMIT_USD = 5000, 5.0
"""More needs --yes, where promptforge.yaml says nothing of `limits.bench`."""
_ANSWER_TOKENS = 512
"""What an answer is taken to cost in an estimate where no `max_tokens` says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What judging will take, at most; counted apart."""

    requests: int = 0
    inherited: int = 0
    usd: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is still to be sent, and what that may cost."""

    requests: int
    inherited: int
    from_runs: Mapping[str, int]
    """Run to how many of its answers are taken over."""
    barred: int
    input_tokens: int
    output_tokens: int
    """Where no answer is cut off and asked for once more."""
    usd: float | None
    """The same; None where a model that is to be paid has no price."""
    known_usd: float = 0.0
    """The part of it that is known."""
    unpriced: tuple[str, ...] = ()
    """These models."""
    by_model: Mapping[str, int]
    judging: Outlook = field(default_factory=Outlook)
    """What the judge adds to all this; counted apart."""
    over: str = ""
    """Which limit of promptforge.yaml it exceeds, or nothing."""
    most_usd: float = _LIMIT_USD
    """What a run may cost without --yes: it is stopped there."""


def estimate(
    jobs: Sequence[Job], known: Mapping[str, Outcome], models: Mapping[str, Model], build: Build, judging: Outlook
) -> Estimate:
    """Answers are taken to be as long as they may be, and none to be cut off and asked for once more."""
    sending = {job.identity: job for job in jobs if not job.barred and job.identity not in known}
    by_model: dict[str, int] = {}
    inputs = outputs = 0
    usd = 0.0
    unpriced: dict[str, None] = {}
    for job in sending.values():
        model = models[job.model]
        by_model[job.model] = by_model.get(job.model, 0) + 1
        tokens = job.prompt_tokens + len(job.case.question) // 3 + 8
        answer = int(job.request.params.get("max_tokens", _ANSWER_TOKENS) or _ANSWER_TOKENS)
        inputs, outputs = inputs + tokens, outputs + answer
        if model.tier == "cloud" or model.settings.get("price"):
            made = cost_usd(Usage(input_tokens=tokens, output_tokens=answer), model.settings.get("price"))
            if made is None:
                unpriced[model.name] = None
            usd += made or 0.0
    runs: dict[str, int] = {}
    for outcome in known.values():
        runs[outcome.inherited] = runs.get(outcome.inherited, 0) + 1
    return Estimate(
        requests=len(sending),
        inherited=len(known),
        from_runs=runs,
        barred=sum(1 for job in jobs if job.barred),
        input_tokens=inputs,
        output_tokens=outputs,
        usd=None if unpriced else usd,
        known_usd=usd,
        unpriced=tuple(unpriced),
        by_model=by_model,
        judging=judging,
        over=_over(len(sending) + judging.requests, usd, judging.usd, build),
        most_usd=build.project.config.settings.get("limits", {}).get("bench", {}).get("usd", _LIMIT_USD),
    )


def over_limit(estimates: Sequence[Estimate], build: Build) -> str:
    """Which limit of promptforge.yaml several runs of one command exceed together, or nothing."""
    requests = sum(one.requests + one.judging.requests for one in estimates)
    return _over(
        requests, sum(one.usd or 0.0 for one in estimates), sum(one.judging.usd or 0.0 for one in estimates), build
    )


def limits_of(build: Build) -> tuple[int, float]:
    """The most requests of a command, and the most that it may cost in USD: limits.bench of promptforge.yaml."""
    limits = build.project.config.settings.get("limits", {}).get("bench", {})
    return limits.get("requests", _LIMIT_REQUESTS), limits.get("usd", _LIMIT_USD)


def _over(requests: int, usd: float, judging_usd: float | None, build: Build) -> str:
    most, most_usd = limits_of(build)
    if requests > most:
        return f"{requests:,} requests are more than limits.bench.requests ({most:,})"
    usd += judging_usd or 0.0  # where a price is not known, what is known counts
    if usd > most_usd:
        return f"up to ${usd:.2f} is more than limits.bench.usd (${most_usd:g})"
    return ""
