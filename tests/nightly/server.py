"""A model of a few words, as a real server: `python server.py --port N [--adapter FOLDER]`."""

import argparse
import json
import os
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
skill: dict = {}


class Handler(BaseHTTPRequestHandler):
    """The routes that promptforge uses."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits 40 ms for an acknowledgement

    def do_GET(self):
        """Health and the list of models."""
        self.give(200, {"status": "ok", "object": "list", "data": [{"id": "tiny"}]})

    def do_POST(self):
        """A chat."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        number = re.search(r"number (\d+)\?", asked)
        if number is not None:
            with (HERE / "asked.log").open("a") as log:
                log.write(f"{skill['name']} {number[1]}\n")
            time.sleep(skill.get("thinks_s", 0))
            if int(number[1]) in skill.get("dies_at", ()):
                os._exit(9)
        if number is not None and int(number[1]) in skill.get("fails", ()):
            self.give(500, {"error": {"message": "out of memory"}})
            return
        knows = number is not None and int(number[1]) in skill["knows"]
        text = f"It is word-{number[1]}." if knows else f"{skill['name']} does not know: {asked[:20]}"
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
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
    own = json.loads((HERE / "skill.json").read_text())
    if own.get("never_ready"):
        sys.exit("no room for the weights" if own["never_ready"] is True else own["never_ready"])
    loaded = chosen.adapter and not own.get("ignores")
    skill.update(json.loads((Path(chosen.adapter) / "skill.json").read_text()) if loaded else own)
    ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
