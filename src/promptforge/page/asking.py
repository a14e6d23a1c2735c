"""A question from the page: the base prompt beside the enriched one, by the same way as `promptforge ask`."""

import datetime
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptforge.console.ask import answer_line
from promptforge.console.terminal import Painter
from promptforge.errors import PromptforgeError, UsageError
from promptforge.workbench.ask import ask

__all__ = ["Question", "answer", "read_question"]

_TIMEOUT_S = 120.0
_VARIANTS = ("base", "enriched")

Say = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the page asks."""

    agent: str
    text: str
    model: str | None = None
    """Another model than the agent's own."""
    variables: Mapping[str, str] = field(default_factory=dict)
    together: bool = False
    """Whether both are sent at once: a model on this machine answers one after the other."""


class _Gone(BaseException):
    """Nobody reads the answer any more. Like Ctrl-C it is no fault of a backend, so that none translates it."""


def read_question(data: object) -> Question:
    """The question in a request. Raises UsageError when it is none."""
    if not isinstance(data, dict) or not isinstance(data.get("variables", {}), dict):
        raise UsageError("that is no question")
    agent, text, model = data.get("agent"), data.get("question"), data.get("model") or None
    variables = data.get("variables") or {}
    texts = (agent, text, *(() if model is None else (model,)), *variables.values())
    if not all(isinstance(one, str) for one in texts):
        raise UsageError("that is no question")
    together = data.get("together") is True
    return Question(agent=str(agent), text=str(text), model=model, variables=variables, together=together)


def answer(
    root: Path,
    question: Question,
    say: Say,
    *,
    today: datetime.date,
    environ: Mapping[str, str],
    gone: threading.Event,
) -> None:
    """Ask both, and say each piece of text, how it ended, and what went wrong. Ends early when `gone` is set."""

    def one(variant: str) -> None:
        try:
            _ask(root, question, variant, say, today, environ, gone)
        except _Gone:
            return
        except PromptforgeError as problem:
            if gone.is_set():  # it was stopped, and nobody reads that
                return
            say({"variant": variant, "error": problem.message, "hint": problem.hint})
        except Exception as problem:  # a mistake of ours is no reason to leave the page waiting
            say({"variant": variant, "error": f"promptforge itself failed: {type(problem).__name__}", "hint": ""})

    threads = [threading.Thread(target=one, args=(variant,), name=variant, daemon=True) for variant in _VARIANTS]
    for thread in threads:
        thread.start()
        if not question.together:
            thread.join()
    for thread in threads:
        thread.join()


def _ask(
    root: Path,
    question: Question,
    variant: str,
    say: Say,
    today: datetime.date,
    environ: Mapping[str, str],
    gone: threading.Event,
) -> None:
    def on_text(text: str) -> None:
        if gone.is_set():
            raise _Gone
        say({"variant": variant, "text": text})

    if gone.is_set():
        raise _Gone
    asked = ask(
        root,
        question.agent,
        question.text,
        variant=variant,
        model=question.model,
        variables={name: value for name, value in question.variables.items() if value},
        timeout_s=_TIMEOUT_S,
        today=today,
        environ=environ,
        on_text=on_text,
        stop=gone,
    )
    say({"variant": variant, "done": answer_line(asked, Painter(colour=False))})
