"""Prompt caching where a provider wants to be asked for it: which prefixes of a run are worth it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptforge.bench.plan import Job
from promptforge.model import Model

__all__ = ["with_caching"]


def with_caching(jobs: Sequence[Job], models: Mapping[str, Model]) -> tuple[list[Job], list[str]]:
    """The jobs with the prefixes marked that Anthropic should cache, and what is a pity about the others."""
    if not any(model.backend == "anthropic" for model in models.values()):
        return list(jobs), []
    from promptforge.backends.anthropic import caching

    counts = Counter((job.model, job.request.system) for job in jobs if not job.barred)
    made, notes = [], dict[str, None]()
    for job in jobs:
        model = models[job.model]
        if model.backend == "anthropic" and not job.barred:
            times = counts[job.model, job.request.system]
            pays, warning = caching(str(model.settings.get("model", "")), job.prompt_tokens, times)
            if warning:
                notes[f"{job.agent} ({job.arm.variant}): {warning}"] = None
            if pays:
                shown = len(job.request.messages) - len(job.case.messages)
                job = replace(job, request=replace(job.request, cache_prefix=shown))
        made.append(job)
    return made, list(notes)
