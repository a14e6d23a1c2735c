"""`ask`: one question to a compiled agent, by hand."""

import datetime
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptforge.backends.base import Answer
from promptforge.backends.opening import open_backend
from promptforge.backends.price import cost_usd
from promptforge.bench.cases import Case
from promptforge.bench.plan import request_for
from promptforge.compiler.build import compile_project
from promptforge.compiler.load import read_project
from promptforge.errors import UsageError
from promptforge.model import Model, Project
from promptforge.source import Span, did_you_mean
from promptforge.workbench.clearance import Clearance
from promptforge.workbench.variants import check_variant, compile_for, prompt_of

__all__ = ["AskedByHand", "ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedByHand:
    """A question that was asked by hand."""

    agent: str
    model: Model
    variant: str
    prompt_tokens: int
    exact: bool
    answer: Answer
    cost_usd: float | None


def ask(
    root: Path,
    agent: str,
    question: str,
    *,
    variant: str,
    model: str | None,
    variables: Mapping[str, str],
    timeout_s: float,
    today: datetime.date,
    environ: Mapping[str, str],
    on_text: Callable[[str], None],
    stop: threading.Event | None = None,
) -> AskedByHand:
    """Compile the agent, send, hand over the text as it comes. Whoever sets `stop` wants no more of it.

    Raises UsageError for an unknown agent, model or variant and for what clearance bars; BackendError.
    """
    build = compile_project(read_project(root), today=today, only=[agent])
    _look_up(build.project, agent, question, model, variables)
    models = build.project.config.models
    compiled = compile_for(build, [agent], models[model] if model else None)[agent]
    entry = compiled.entry
    if entry is None or compiled.barred or entry.broken:
        why = compiled.barred or f"the prompt of '{agent}' has errors"
        raise UsageError(f"nothing was sent: {why}", hint="see: promptforge check")
    variant = check_variant(variant, [entry])
    prompt = prompt_of(entry, variant)
    settings = compiled.model.settings
    request = request_for(_case(agent, question, variables), prompt.system, prompt.messages, settings.get("params", {}))
    clearance = Clearance([build])
    if why := clearance.barred(request, compiled.model):
        raise UsageError(f"nothing was sent: {why}", hint="ask a local model: --model NAME")
    backend = clearance.guarded(open_backend(compiled.model, root=root, environ=environ), compiled.model)
    try:
        answer = backend.stream(request, on_text, timeout_s=timeout_s, stop=stop)
    finally:
        backend.close()
    return AskedByHand(
        agent=agent,
        model=compiled.model,
        variant=variant,
        prompt_tokens=prompt.tokens,
        exact=entry.exact,
        answer=answer,
        cost_usd=cost_usd(answer.usage, settings.get("price")),
    )


def _look_up(project: Project, agent: str, question: str, model: str | None, variables: Mapping[str, str]) -> None:
    """Refuse what is not there."""
    if not question.strip():
        raise UsageError("the question is empty", hint=f"write one: promptforge ask {agent} 'Who are you?'")
    if agent not in project.agents:
        raise UsageError(f"no agent '{agent}'", hint=did_you_mean(agent, project.agents))
    if model is not None and model not in project.config.models:
        hint = did_you_mean(model, project.config.models)
        raise UsageError(f"no model '{model}' in promptforge.yaml", hint=hint)
    for name in variables:
        if name not in project.config.runtime:
            known = project.config.runtime
            hint = did_you_mean(name, known) or "declare it under runtime: in promptforge.yaml"
            raise UsageError(f"no runtime name '{name}'", hint=hint)


def _case(agent: str, question: str, variables: Mapping[str, str]) -> Case:
    return Case(
        id="",
        category="",
        tier="gold",
        agents=(agent,),
        messages=(("user", question),),
        checks=(),
        vars=variables,
        span=Span(file=""),
    )
