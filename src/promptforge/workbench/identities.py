"""What a source calls a fact, where the fact itself does not say it: Home Assistant's unique ids, Tailscale's node ids.

Kept in `promptforge.sources.json`, which is small and made to be committed, and not in the facts: there it would reach
every prompt. It is what tells a renamed entity from a new one.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from promptforge.errors import InputError

__all__ = ["CALLED", "REGISTER", "Register", "is_kept", "read_register", "register_text"]

REGISTER = "promptforge.sources.json"
CALLED = "called"
"""Beside the ids: what the source called it, where the fact is called otherwise."""

Register = Mapping[str, Mapping[str, str]]
"""By fact (`entities/light.kitchen`) its ids by kind."""

_IN_FACTS = frozenset(["mac", "ip", "dns", "port", "entity_id", "alias", "key", "name", "place"])


def is_kept(kind: str) -> bool:
    """Whether identities of a kind are kept here: ids that nobody writes into a fact."""
    return kind not in _IN_FACTS


def read_register(root: Path) -> Register:
    """What earlier imports kept; nothing where there was none. Raises InputError."""
    try:
        held = json.loads((root / REGISTER).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise InputError(f"{REGISTER} cannot be read", hint=_HINT) from problem
    facts = held.get("facts") if isinstance(held, dict) and held.get("version") == 1 else None
    if not isinstance(facts, dict) or not all(_is_ids(ids) for ids in facts.values()):
        raise InputError(f"{REGISTER} is not as it was written", hint=_HINT)
    return facts


_HINT = "take it back from git, or delete it: only renames are then not recognised"


def _is_ids(ids: object) -> bool:
    return isinstance(ids, dict) and all(isinstance(value, str) for value in ids.values())


def register_text(register: Register) -> bytes:
    """The file: one fact a line, so that git shows what changed."""
    rows = [f"{json.dumps(fact)}: {json.dumps(dict(sorted(ids.items())))}" for fact, ids in sorted(register.items())]
    return ('{"version": 1, "facts": {\n' + ",\n".join(rows) + "\n}}\n").encode()
