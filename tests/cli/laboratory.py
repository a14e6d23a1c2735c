"""A suite of four questions, two agents, and a model server that reads its prompt."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from backends.servers import Asked, Server, completion, response, serving

__all__ = ["AGENTS", "SUITE", "Answer", "knows", "model", "posts", "report"]

SUITE = """
suite: lab
categories: [topology, manners]
cases:
  - id: leet
    category: topology
    agents: [yoda, windu]
    ask: Which port does the council's model use?
    expect: {all: ["{{ one('ports', codename='LEET').port }}"], only: ports.port}
  - id: attic
    category: topology
    agents: [yoda]
    ask: What is the address of attic?
    expect: {all: ["{{ hosts['attic'].lan_ip }}"]}
  - id: unknown
    category: manners
    tier: heldout
    agents: [yoda]
    ask: What runs on port 4242?
    expect: {abstain: true}
  - id: tablet
    category: manners
    agents: [yoda, windu]
    ask: "Whose is {{ one('devices', kind='tablet').name }}?"
    expect: {abstain: true}
"""
AGENTS = {
    "agents/yoda.yaml": (
        "name: yoda\nmodel: local\npersona: You are Yoda.\n"
        "sections: [persona, {table: hosts}, {table: ports}, {fewshot: 1, tags: [talk]}]\n"
    ),
    "agents/windu.yaml": "name: windu\nmodel: cloud\npersona: You are Windu.\nsections: [persona, {table: ports}]\n",
}


def knows(system: str, question: str) -> str:
    """A model that reads its prompt, for the questions of the suite."""
    if "council" in question:
        return "Port 1337." if "1337" in system else "I don't know."
    if "attic" in question:
        return "192.0.2.77" if "192.0.2.77" in system else "I don't know."
    return "I don't know."


Answer = Callable[[str, str], Any]


@contextmanager
def model(answer: Answer = knows) -> Iterator[Server]:
    """A model server: what `answer` returns is the text, a whole body, or bytes as they are."""

    def reply(asked: Asked, connection: socket.socket) -> bool:
        if asked.method == "GET":
            connection.sendall(response({"object": "list", "data": [{"id": "m"}]}))
            return True
        messages = asked.json["messages"]
        said = answer(messages[0]["content"], messages[-1]["content"])
        connection.sendall(
            said
            if isinstance(said, bytes)
            else response(said if isinstance(said, dict) else completion(said, model=asked.json["model"]))
        )
        return True

    with serving(reply) as server:
        yield server


def posts(server: Server) -> list[Any]:
    return [asked.json for asked in server.asked if asked.method == "POST"]


def report(outcome: Any) -> Any:
    return json.loads(outcome.out)
