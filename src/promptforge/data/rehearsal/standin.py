"""A stand-in for a model server: it says what a file tells it to say. Standard library alone.

    python standin.py --port PORT --answers FILE [--adapter FOLDER] [--parent PID]

The file maps the digest of a chat's turns (system prompt apart) to a right and a wrong answer, each a message as chat
servers send it. Which chats are answered rightly stands in `right.json`: beside the file, or in the adapter's folder.
It ends when the process that started it has ended.
"""

import argparse
import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


def digest(messages: list[dict[str, str]]) -> str:
    """What a chat is known by: its turns, without the system prompt."""
    turns = [[one["role"], one["content"]] for one in messages if one["role"] != "system"]
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers chats, and says that it is well."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece: in two, each answer would wait 40 ms for an acknowledgement
    answers: ClassVar[dict[str, dict[str, dict[str, object]]]] = {}
    right: ClassVar[frozenset[str]] = frozenset()
    name: ClassVar[str] = ""

    def do_GET(self) -> None:
        """Health, and the list of models."""
        models = {"object": "list", "data": [{"id": "stand-in"}]}
        found: dict[str, Mapping[str, object]] = {"/health": {"status": "ok"}, "/v1/models": models}
        self._send(200 if self.path in found else 404, found.get(self.path, {"error": {"message": "not found"}}))

    def do_POST(self) -> None:
        """A chat."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        key = digest(asked["messages"])
        if key in self.answers:
            message = self.answers[key]["right" if key in self.right else "wrong"]
        else:
            message = {"content": f"I am the stand-in {self.name}."}
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        self._send(200, {"object": "chat.completion", "model": "stand-in", "choices": [choice], "usage": usage})

    def _send(self, status: int, body: Mapping[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


def end_with(parent: int) -> None:
    """End when whoever started this has ended: its folder is nobody's then, and no later run would look there."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Serve until it is ended."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--answers", type=Path, required=True)
    options.add_argument("--adapter", type=Path)
    options.add_argument("--parent", type=int)
    chosen = options.parse_args()
    told = json.loads(((chosen.adapter or chosen.answers.parent) / "right.json").read_text())
    Handler.answers = json.loads(chosen.answers.read_text())
    Handler.right, Handler.name = frozenset(told["right"]), told["name"]
    if chosen.parent is not None:
        threading.Thread(target=end_with, args=(chosen.parent,), daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
