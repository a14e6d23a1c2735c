"""A model of a few words, as a real server: `python model_server.py --port N [--adapter FOLDER]`.

It knows the numbers that `skill.json` lists: its own beside this file, or the adapter's. Asked for number 17 it says
`word-17`, or that it does not know. With `"ignores": true` in the file beside it, it loads no adapter and says nothing
of it; `"takes_s"` is how long it takes for an answer, `"fails"` are the numbers that it answers with a 500, which says
what `"complains"` says.
"""

import argparse
import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

skill: dict = {}


def said(question: str) -> str:
    """What the model says."""
    number = re.search(r"number (\d+)\?", question)
    if number is None:
        return f"I am {skill['name']}, and you asked: {question[:20]}"
    return f"It is word-{number[1]}." if int(number[1]) in skill["knows"] else f"{skill['name']} does not know."


class Handler(BaseHTTPRequestHandler):
    """The routes that promptforge uses."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits 40 ms for an acknowledgement

    def do_GET(self):
        """Health and the list of models."""
        self.give(200, {"status": "ok", "object": "list", "data": [{"id": "tiny"}]})

    def do_POST(self):
        """A chat."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = asked["messages"][-1]["content"]
        if any(f"number {number}?" in question for number in skill.get("fails", ())):
            self.give(500, {"error": {"message": skill.get("complains", "out of memory")}})
            return
        time.sleep(skill.get("takes_s", 0))
        message = {"role": "assistant", "content": said(question)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        with Path(__file__).with_name("asked.log").open("a") as log:
            log.write(f"{skill['name']} {question[:60]!r}\n")
        self.give(200, {"id": "c", "object": "chat.completion", "model": "tiny", "choices": [choice], "usage": {}})

    def give(self, status, body):
        """Send it."""
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Quiet."""


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--adapter", default="")
    chosen = parser.parse_args()
    own = json.loads(Path(__file__).with_name("skill.json").read_text())
    loaded = chosen.adapter and not own.get("ignores")
    skill.update(json.loads((Path(chosen.adapter) / "skill.json").read_text()) if loaded else own)
    ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
