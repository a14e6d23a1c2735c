"""What the doctor found, as text and JSON."""

from collections.abc import Iterator, Sequence

from promptforge.console.terminal import Painter, columns, plural
from promptforge.workbench.doctor import Examination, Health, Port
from promptforge.workbench.reach import Answer

__all__ = ["doctor_json", "doctor_text"]


def doctor_text(found: Examination, paint: Painter) -> str:
    """The folder, then each model, then what to mend."""
    lines = [
        f"{paint(found.name or 'a project without a name', 'bold')} in {found.root}",
        columns(list(_folder(found)), indent="  "),
    ]
    for health in found.models:
        lines += ["", _title(health, paint), columns(list(_model(health)), indent="  ")]
    if not found.models:
        lines += ["", "no models: name them in promptforge.yaml under `models:`"]
    lines.append("")
    if found.problems:
        lines.append(paint(plural(len(found.problems), "problem"), "red", "bold"))
        for message, hint in found.problems:
            lines += [f"  {message}", *([f"    {paint('help:', 'cyan')} {hint}"] if hint else [])]
    else:
        lines.append(paint("fine", "green") + ": keys, tokenizers and budgets are in order")
    return "\n".join(lines)


def _folder(found: Examination) -> Iterator[tuple[str, str]]:
    yield "promptforge", f"{found.version}, Python {found.python}"
    if found.errors:
        yield "files", f"{plural(found.errors, 'error')}: promptforge check"
    yield "last build", found.build
    yield "git", _git(found)
    for extra in found.extras:
        yield f"extra {extra.name}", f"{extra.about}: " + ("installed" if extra.installed else extra.command)


def _git(found: Examination) -> str:
    git = found.git
    if git.version is None:
        return "not installed: diff cannot compare with earlier revisions"
    if not git.inside:
        return f"{git.version}; the project is in no repository: git init"
    open_to_git = [path for path, ignored in git.ignored.items() if not ignored]
    if open_to_git:
        return f"{git.version}; not ignored: {', '.join(open_to_git)} (may hold private facts: add to .gitignore)"
    return f"{git.version}; ignores {' and '.join(git.ignored) or 'nothing that it need not'}"


def _title(health: Health, paint: Painter) -> str:
    model = health.model
    whose = f"the model of {', '.join(health.agents)}" if health.agents else "no agent has it"
    return f"{paint(model.name, 'bold')} ({model.backend}, {model.tier}): {whose}"


def _model(health: Health) -> Iterator[tuple[str, str]]:
    yield "server", _server(health)
    if health.port:
        yield "port", _port(health.port)
    if health.model.settings.get("serve"):
        yield "serve", health.serve[0][0] if health.serve else "its program, and what it loads, are here"
    yield "key", _key(health)
    yield "tokenizer", _tokenizer(health)
    yield from (("", warning) for warning in health.tokens.warnings)
    yield "context", _context(health)


def _server(health: Health) -> str:
    base_url = health.model.settings.get("base_url", "")
    if health.model.backend in ("reader", "replay"):
        return "none needed"
    if health.answer is None:
        return "not asked: it is in the cloud" if health.model.tier == "cloud" else "no base_url"
    details = filter(None, (health.answer.detail, _listed(health.answer, str(health.model.settings.get("model", "")))))
    return f"{health.answer.state} at {base_url}" + "".join(f"; {detail}" for detail in details)


def _listed(answer: Answer, wanted: str) -> str:
    if answer.models is None:
        return ""
    if not answer.models:
        return "it lists no models"
    names = _few(answer.models)
    if not wanted or wanted in answer.models:
        return f"it lists {names}"
    return f"it lists {names}, and not {wanted}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _port(port: Port) -> str:
    if port.owners is None:
        text = "cannot tell who listens"
    else:
        who = [f"{o.name} (process {o.pid})" if o.pid else "a process of another user" for o in port.owners]
        text = " and ".join(who) or "nobody listens"
    known = "; ".join(port.known)
    return f"{port.number}: {text}" + (f"; knowledge says: {known}" if known else "")


def _key(health: Health) -> str:
    key = health.key
    match key.state:
        case "set":
            return f"{key.variable} is set"
        case "missing":
            return f"{key.variable} is not set"
        case "in the file":
            return "it stands in promptforge.yaml, in the open"
        case "not named":
            return "none named: write `api_key: env:NAME`"
    return "none needed"


def _tokenizer(health: Health) -> str:
    tokens = health.tokens
    if tokens.problem:
        return f"{tokens.spec} cannot be used: {tokens.problem}" + (f" ({tokens.hint})" if tokens.hint else "")
    counts = "exact" if tokens.exact else f"estimated, {tokens.margin}"
    return counts if tokens.spec == "estimate" else f"{tokens.spec}: {counts}"


def _context(health: Health) -> str:
    context = health.context
    size = (
        f"{context.tokens:,} tokens" if context.tokens is not None else "none named, so no budget is checked against it"
    )
    if context.largest_budget is None:
        return size
    asked = f"the largest budget {context.largest_budget:,} and the reserve {context.reserve:,}"
    return size + {True: f"; {asked} fit", False: f"; {asked} do not fit", None: ""}[context.fits]


def doctor_json(found: Examination) -> dict[str, object]:
    """The examination for programs."""
    return {
        "version": 1,
        "project": found.name,
        "folder": str(found.root),
        "promptforge": found.version,
        "python": found.python,
        "git": {"version": found.git.version, "inside": found.git.inside, "ignored": dict(found.git.ignored)},
        "build": {"fine": found.build_fine, "detail": found.build},
        "errors": found.errors,
        "extras": {e.name: {"installed": e.installed, "about": e.about, "install": e.command} for e in found.extras},
        "models": {health.model.name: _model_json(health) for health in found.models},
        "problems": [{"message": message, "hint": hint} for message, hint in found.problems],
    }


def _model_json(health: Health) -> dict[str, object]:
    answer, port, tokens, context = health.answer, health.port, health.tokens, health.context
    owners = None if port is None or port.owners is None else [{"name": o.name, "pid": o.pid} for o in port.owners]
    listed = None if answer is None or answer.models is None else list(answer.models)
    return {
        "backend": health.model.backend,
        "tier": health.model.tier,
        "agents": list(health.agents),
        "serve": [{"problem": problem, "hint": hint} for problem, hint in health.serve],
        "server": {
            "state": "not asked" if answer is None else answer.state,
            "detail": "" if answer is None else answer.detail,
            "models": listed,
        },
        "port": None if port is None else {"number": port.number, "owners": owners, "knowledge": list(port.known)},
        "key": {"state": health.key.state, "variable": health.key.variable or None},
        "tokenizer": {
            "spec": tokens.spec,
            "exact": tokens.exact,
            "margin": tokens.margin,
            "warnings": list(tokens.warnings),
            "problem": tokens.problem,
            "hint": tokens.hint,
        },
        "context": {
            "tokens": context.tokens,
            "largest_budget": context.largest_budget,
            "reserve": context.reserve,
            "fits": context.fits,
        },
    }
