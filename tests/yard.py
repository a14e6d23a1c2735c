"""A yard of sixty sheds, agents that are asked about them, and models that know more or less of them: one real server."""

import re
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backends.servers import Asked, Server, completion, response, serving

SHEDS = 60
CATEGORIES = ("topology", "family")
AGENTS = {
    "keeper": "name: keeper\nmodel: near\npersona: You are the keeper.\n",
    "porter": "name: porter\nmodel: far\npersona: You are the porter.\n",
    "nurse": "name: nurse\nmodel: near\nprivacy: local\npersona: You are the nurse.\n",
}
"""keeper on a local model, porter in the cloud, nurse local by privacy."""
MODELS = {
    "near": "tier: local",
    "other": "tier: local",
    "far": "tier: cloud, price: {input: 5, output: 25}",
}

Skill = Mapping[str, Collection[int]]
"""Model to the sheds that it knows where its prompt says them; beyond these it makes words up of its own."""


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def yard(
    root: Path,
    base_url: str,
    *,
    models: Mapping[str, str] = MODELS,
    agents: Mapping[str, str] = AGENTS,
    asked: Mapping[str, str] | None = None,
    sheds: int = SHEDS,
    settings: str = "",
    private: Collection[int] = (),
) -> Path:
    """The project's folder. `asked` says who is asked in which category; by default everybody in all."""
    entries = "".join(
        f"  {name}: {{backend: compatible, base_url: '{base_url}', model: {name}, context: 32768, {more}}}\n"
        for name, more in models.items()
    )
    write(
        root / "promptforge.yaml",
        f"name: yard\nbudget: 9000\nmodels:\n{entries}  reader: {{backend: reader}}\n{settings}",
    )
    rows = [
        f"  - {{id: s{n:02}, word: word-{n}{', sensitivity: private' if n in private else ''}}}\n" for n in range(sheds)
    ]
    write(root / "knowledge/sheds.yaml", "sheds:\n" + "".join(rows))
    for name, text in agents.items():
        write(root / "agents" / f"{name}.yaml", text)
    write(root / "suites/sheds.yaml", suite(agents, asked or {}, sheds))
    return root


def suite(agents: Collection[str], asked: Mapping[str, str], sheds: int) -> str:
    """A case for each shed, in one category after the other."""
    lines = [f"suite: sheds\ncategories: [{', '.join(CATEGORIES)}]\ncases:\n"]
    for number in range(sheds):
        category = CATEGORIES[number % 2]
        names = [name for name in agents if asked.get(name, category) == category]
        lines.append(
            f"  - {{id: c{number:02}, category: {category}, agents: [{', '.join(names)}],"
            f" ask: 'What is the word of shed {number}?', expect: {{all: [word-{number}]}}}}\n"
        )
    return "".join(lines)


@contextmanager
def answering(skill: Skill, fails: Callable[[str, int], bool] = lambda model, shed: False) -> Iterator[Server]:
    """The server of all models. Who `fails` gets no answer."""

    def reply(asked: Asked, connection: socket.socket) -> bool:
        if asked.method == "GET":
            connection.sendall(response({"object": "list", "data": [{"id": name} for name in skill]}))
            return True
        model, messages = asked.json["model"], asked.json["messages"]
        shed = int(re.search(r"shed (\d+)", messages[-1]["content"])[1])
        if fails(model, shed):
            connection.sendall(response({"error": "it broke"}, status=400))
            return True
        knows = shed in skill[model] and f"word-{shed} " in messages[0]["content"].replace("\n", " ")
        text = f"{model} says word-{shed}." if knows else f"{model} says nothing of it."
        connection.sendall(response(completion(text)))
        return True

    with serving(reply) as server:
        yield server
