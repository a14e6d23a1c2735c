"""Rows and recipes for the tests of what is written."""

from pathlib import Path
from typing import Any

from promptforge.bench.cases import Printed
from promptforge.dataset.rows import Kind, Recipe, Row, Split, Trainer
from promptforge.dataset.write import Origin, Written, write
from promptforge.tokens import load_tokenizer

PROMPT = "You keep the records of a house.\n\n| port | service |\n| --- | --- |\n| 1337 | LEET |\n| 1338 | ELITE |"
RECIPE_TEXT = b"recipe: hut\nmodel: tiny\n"


def row(number: int, *, kind: Kind = "infrastructure", category: str = "forward", **more: Any) -> Row:
    """A row that says which port a service has."""
    port = 1337 + number
    return Row(
        **{
            "id": f"row-{number:05}",
            "kind": kind,
            "category": category,
            "agent": "warden",
            "messages": (
                ("system", PROMPT),
                ("user", f"Which port has service {number}?"),
                ("assistant", f"Port {port}."),
            ),
            "facts": (f"ports/mini:{port}",),
            "asked": (Printed(f"ports/mini:{port}", "port"),),
            "file": "knowledge/house.yaml",
            "line": number + 1,
            "phrasing": "plain",
            **more,
        }
    )


def rows(count: int, *, valid: int = 4, test: int = 4) -> list[tuple[Split, Row]]:
    """So many rows, the last of them for valid and test."""
    splits: list[Split] = ["train"] * (count - valid - test) + ["valid"] * valid + ["test"] * test
    return [(split, row(number)) for number, split in enumerate(splits)]


def recipe(**more: Any) -> Recipe:
    """A recipe; `settings` are the trainer's."""
    form = more.pop("format", "mlx")
    kind = {"mlx": "mlx_lm"}.get(form, form)
    given: dict[str, Any] = {
        "name": "hut",
        "file": "training/hut.yaml",
        "agents": ("warden",),
        "model": "tiny",
        "system": "enriched",
        "rows": 24,
        "mix": {"infrastructure": 1.0},
        "limits": {},
        "format": form,
        "trainer": Trainer(kind=kind, settings=more.pop("settings", {})),
        "seed": 7,
    }
    return Recipe(**{**given, **more})


def origin(**more: Any) -> Origin:
    """Where it comes from."""
    given: dict[str, Any] = {"recipe": RECIPE_TEXT, "model": "models/tiny", "knowledge": "ab" * 32}
    return Origin(**{**given, "prompts": {"warden": "cd" * 32}, **more})


def written(place: Path, many: Any = None, *, tokenizer: str = "estimate", **more: Any) -> Written:
    """A dataset in that folder: 24 rows in the format mlx, unless something else is said."""
    where = {key: more.pop(key) for key in tuple(more) if key in Origin.__dataclass_fields__ and key != "recipe"}
    where.setdefault("folder", place.as_posix())
    many = rows(24) if many is None else many
    lengths = load_tokenizer(tokenizer, root=Path.cwd())
    return write(many, recipe(**more), place, lengths=lengths, origin=origin(**where))
