"""A suite with its prompts as a folder that promptfoo runs: config, prompts, tests, and what scores the answers. Pure.

Prompts and questions never pass through promptfoo's templates: they lie in files of their own, `prompts.cjs` hands them
over, and `tests.json` only names them. What is shown in promptfoo's tables is cleared of everything it would render.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

from promptforge import __version__
from promptforge.bench.cases import Case, Suite
from promptforge.bench.elsewhere import plain_case
from promptforge.bench.promptfooscore import CASES, FACTS, FORM
from promptforge.emit import emit
from promptforge.model import Model

__all__ = ["CONFIG_FILE", "MARK", "AskedPrompt", "FooTest", "LeftOut", "promptfoo_files", "unfit"]

CONFIG_FILE = "promptfooconfig.yaml"
MARK = "# Written by promptforge export promptfoo."
_BACKENDS = ("compatible", "openai")
_NO_SERVERS = ("reader", "replay")
_OPENAI = "https://api.openai.com/v1"
_KEY = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_TAG = re.compile(r"\{(?=[{%#])|#(?=\})")
_FILE_NAME = re.compile(r"[^A-Za-z0-9]+")
_NO_KEY = "none"
"""Sent to a server that wants no key: without it promptfoo would send what OPENAI_API_KEY holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPrompt:
    """A compiled prompt and the model that it is sent to."""

    model: str
    agent: str
    variant: str
    system: str
    messages: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        """What promptfoo calls it."""
        return shown(f"{self.model} · {self.agent} · {self.variant}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FooTest:
    """A case that is asked of an agent, with each of these prompts."""

    case: Case
    agent: str
    prompts: tuple[AskedPrompt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What is not in the folder, and why."""

    case: str
    why: str
    """For every reader of the folder."""
    detail: str = ""
    """For whoever may see the project, where that is more: it may name what the folder must not hold."""
    agent: str = ""
    """Empty where it is left out for all."""
    model: str = ""
    variant: str = ""
    """Both empty where it is left out for all."""
    chosen: bool = False
    """Whether an option would take it along."""

    def __str__(self) -> str:
        return " × ".join(part for part in (self.case, self.agent, self.model) if part)


def unfit(model: Model) -> str:
    """Why promptfoo cannot ask a model as promptforge does, or nothing."""
    settings = model.settings
    if model.backend in _NO_SERVERS:
        return f"{model.name} is no server (its backend is '{model.backend}'), so promptfoo cannot ask it"
    if model.backend not in _BACKENDS:
        return f"{model.name} has the backend '{model.backend}', and only compatible and openai can be exported"
    if not settings.get("model"):
        return f"{model.name} does not say which model the server shall answer with (`model:`)"
    if any(sign in str(settings.get("base_url", "")) for sign in "@?#"):
        return f"the base_url of {model.name} holds more than an address: a password or a key may stand in it"
    key = str(settings.get("api_key") or "")
    if key and not _KEY.fullmatch(key):
        return f"the api_key of {model.name} names no environment variable (`env:NAME`)"
    return ""


def shown(text: str) -> str:
    """A text as promptfoo shows it: nothing in it begins a tag of its templates or names a file."""
    text = _TAG.sub(lambda sign: f"{sign[0]} ", text)
    return f" {text}" if text.startswith(("file://", "package:")) else text


def promptfoo_files(
    suite: Suite,
    tests: Sequence[FooTest],
    models: Mapping[str, Model],
    facts: Mapping[str, Any],
    *,
    pass_mark: float,
    left_out: Sequence[LeftOut],
) -> dict[str, bytes]:
    """The files of the folder by their path in it."""
    prompts = list(dict.fromkeys(prompt for test in tests for prompt in test.prompts))
    places = {prompt: _place(number, prompt) for number, prompt in enumerate(prompts, 1)}
    asked = {name: models[name] for name in dict.fromkeys(prompt.model for prompt in prompts)}
    keys = _keys(test.case.id for test in tests)
    cases = {keys[test.case.id]: plain_case(test.case) for test in tests}
    texts = {
        CONFIG_FILE: f"{MARK} Export again instead of editing it.\n{emit(_config(suite, places, asked))}",
        "tests.json": _lines([_test(test, keys[test.case.id]) for test in tests]),
        **{place: _json(_messages(prompt)) for prompt, place in places.items()},
        CASES: _json(
            {
                "form": FORM,
                "promptforge": __version__,
                "suite": suite.name,
                "pass": pass_mark,
                "files": list(places.values()),
                "models": {name: _sent(model) for name, model in asked.items()},
                "cases": cases,
            }
        ),
        FACTS: f"{json.dumps(facts, ensure_ascii=False)}\n",
        "prompts.cjs": _own("prompts.cjs"),
        "score.py": _own("score.py.txt"),
        "README.md": _readme(suite, tests, asked, pass_mark, left_out),
    }
    return {path: text.encode("utf-8", "surrogatepass") for path, text in texts.items()}


def _place(number: int, prompt: AskedPrompt) -> str:
    name = _FILE_NAME.sub("-", f"{prompt.agent}-{prompt.variant}-{prompt.model}").strip("-")
    return f"prompts/{number:03d}-{name}.json"


def _keys(ids: Iterable[str]) -> dict[str, str]:
    """By its id, what a case is called in the tests: the same, unless promptfoo would make something else of it."""
    keys: dict[str, str] = {}
    for id_ in dict.fromkeys(ids):
        key = shown(id_)
        while key in keys.values():
            key += "'"
        keys[id_] = key
    return keys


def _messages(prompt: AskedPrompt) -> list[dict[str, str]]:
    system = [("system", prompt.system)] if prompt.system else []
    return [{"role": role, "content": content} for role, content in (*system, *prompt.messages)]


def _sent(model: Model) -> dict[str, Any]:
    """What prompts.cjs sends beside the messages, and the name of the variable that must be set."""
    key = _KEY.fullmatch(str(model.settings.get("api_key") or ""))
    own = "OPENAI_API_KEY" if model.backend == "openai" else ""
    return {
        "model": str(model.settings["model"]),
        "params": model.settings.get("params") or {},
        "key": key[1] if key else own,
    }


def _config(suite: Suite, places: Mapping[AskedPrompt, str], models: Mapping[str, Model]) -> dict[str, Any]:
    local = any(model.tier == "local" for model in models.values())
    return {
        "description": shown(f"{suite.name}, exported by promptforge {__version__}"),
        "sharing": False,
        "env": {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"},
        "prompts": [
            {
                "id": "file://prompts.cjs",
                "label": prompt.label,
                "config": {"model": prompt.model, "messages": place},
            }
            for prompt, place in places.items()
        ],
        "providers": [
            _provider(model, [prompt.label for prompt in places if prompt.model == name])
            for name, model in models.items()
        ],
        "tests": "file://tests.json",
        **({"evaluateOptions": {"maxConcurrency": 1}} if local else {}),
    }


def _provider(model: Model, labels: list[str]) -> dict[str, Any]:
    sent = _sent(model)
    key = {"apiKeyEnvar": sent["key"]} if sent["key"] else {"apiKey": _NO_KEY, "apiKeyRequired": False}
    return {
        "id": f"openai:chat:{sent['model']}",
        "label": shown(model.name),
        "prompts": labels,
        "config": {
            "apiBaseUrl": str(model.settings.get("base_url") or _OPENAI).rstrip("/"),
            **key,
            # What promptforge does not send, promptfoo shall not send either; and thoughts are no answer.
            "omitDefaults": True,
            "showThinking": False,
        },
    }


def _test(test: FooTest, key: str) -> dict[str, Any]:
    case = test.case
    return {
        "description": f"{key} [{test.agent}]",
        "vars": {"case": key, "agent": test.agent, "question": shown(case.question)},
        "prompts": [prompt.label for prompt in test.prompts],
        "metadata": {
            "case": key,
            "category": shown(case.category),
            "tier": case.tier,
            "agent": test.agent,
            "generated": case.generated,
        },
        "options": {"disableVarExpansion": True},
        "assert": [{"type": "python", "value": "file://score.py", "metric": shown(case.category)}],
    }


def _json(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False, indent=1, default=_plain)}\n"


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _lines(values: Iterable[Any]) -> str:
    """A list with a line for each entry: what changed between two exports is then seen."""
    return "[\n{}\n]\n".format(",\n".join(json.dumps(value, ensure_ascii=False) for value in values))


def _own(name: str) -> str:
    return (files("promptforge") / "data" / "promptfoo" / name).read_text(encoding="utf-8")


# --- README -----------------------------------------------------------------------------------------------------------


def _readme(
    suite: Suite, tests: Sequence[FooTest], models: Mapping[str, Model], pass_mark: float, left_out: Sequence[LeftOut]
) -> str:
    keys = [(name, _sent(model)["key"]) for name, model in models.items()]
    return Template(_own("README.md")).substitute(
        suite=suite.name,
        version=__version__,
        tests=len(tests),
        cases=len({test.case.id for test in tests}),
        pass_mark=f"{pass_mark:g}",
        keys="\n".join(f"- `{name}`: the variable `{key}`" if key else f"- `{name}`: none" for name, key in keys),
        left_out="\n".join(_left_out(left_out)) or "Nothing.",
    )


def _left_out(left_out: Iterable[LeftOut]) -> Iterable[str]:
    """By reason. What was not asked for is counted only, and what clearance bars: its names may tell what it holds."""
    reasons: dict[str, list[LeftOut]] = {}
    for one in left_out:
        reasons.setdefault(one.why, []).append(one)
    for why, some in reasons.items():
        names = dict.fromkeys(f"`{one}`" for one in some)
        counted = any(one.detail or one.chosen for one in some)
        yield f"- {why}: {f'{len(names):,}' if counted else ', '.join(names)}"
