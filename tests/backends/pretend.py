"""A small model server, run as a process of its own: ready sooner or later, and as badly behaved as it is told to be."""

import argparse
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parse = argparse.ArgumentParser()
parse.add_argument("--port", type=int)
parse.add_argument("--host", default="127.0.0.1")
parse.add_argument("--adapter-path", type=Path)
parse.add_argument("--say", default="", help="what it says at its start")
parse.add_argument("--die", type=int, help="end at once with this code")
parse.add_argument("--slow", type=float, default=0, help="seconds until it listens")
parse.add_argument("--loading", type=float, default=0, help="seconds in which it says 503")
parse.add_argument("--broken", action="store_true", help="says that it is unavailable, as mlx_lm.server does")
parse.add_argument("--no-health", action="store_true", help="no /health, and a list of models without a body")
parse.add_argument("--deaf", action="store_true", help="listens, and never answers")
parse.add_argument("--mute", action="store_true", help="never listens")
parse.add_argument("--elsewhere", action="store_true", help="listen on a port that it chooses itself")
parse.add_argument("--status", type=int, default=200, help="of every chat")
parse.add_argument("--no-weights", choices=["silent", "refused"], help="no logprobs")
parse.add_argument("--random", action="store_true", help="another answer each time")
parse.add_argument("--stubborn", action="store_true", help="ignore SIGTERM")
parse.add_argument("--fork", action="store_true", help="a child listens, and this process waits for it")
parse.add_argument("--launch", action="store_true", help="a child in a session of its own listens; this one ends")
parse.add_argument("--bare", action="store_true", help="the child gets an empty environment")
parse.add_argument("--last-chat", type=int, default=-1, help="die after so many chats")
parse.add_argument("--deafen", type=Path, help="stop listening, and live on, when this file appears")
parse.add_argument("--shared", action="store_true", help="SO_REUSEPORT, so that two may listen")
parse.add_argument("--note", type=Path, help="a file for the numbers of this process and its child")
parse.add_argument("--tell", type=Path, help="a file for what it finds in its environment")
began = time.monotonic()
chats = itertools.count(1)


class Server(ThreadingHTTPServer):
    """Two may share a port, where that is wanted."""

    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self):
        """With or without others."""
        if args.shared:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


class Handler(BaseHTTPRequestHandler):
    """What it answers."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        """Health, and the models."""
        self.wait()
        loading = time.monotonic() - began < args.loading
        if args.broken:
            print('"GET /health HTTP/1.1" 503 -', file=sys.stderr, flush=True)
            self.send(503, b'{"status": "unavailable"}')
        elif self.path == "/health" and not args.no_health:
            self.send(503 if loading else 200, b'{"status": "ok"}')
        elif self.path == "/v1/models":
            self.send(503 if loading else 200, b"")
        else:
            self.send(404, b'{"error": "no such route"}')

    def do_POST(self):
        """A chat."""
        self.wait()
        number = next(chats)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if time.monotonic() - began < args.loading:
            self.send(503, b'{"error": {"message": "Loading model"}}')
        elif args.status != 200:
            self.send(args.status, b'{"error": {"message": "no, said the server"}}')
        elif asked.get("logprobs") and args.no_weights == "refused":
            self.send(400, b'{"error": {"message": "logprobs is not supported"}}')
        else:
            self.send(200, json.dumps(answer(asked)).encode())
        if number == args.last_chat:
            print("RuntimeError: the graphics card fell off the bus", file=sys.stderr, flush=True)
            os._exit(3)

    def wait(self):
        """For ever, where it is deaf."""
        while args.deaf:
            time.sleep(1)

    def send(self, status, body):
        """Status and body."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments):
        """Nothing."""


def answer(asked):
    """It tells nothing of its adapter, and gives the model's name back, as real ones do."""
    words = asked["messages"][-1]["content"].split()[-4:]
    weight = -0.25
    if args.adapter_path:
        trained = json.loads((args.adapter_path / "adapters.safetensors").read_text())
        words, weight = trained.get("words", words), trained.get("weight", weight)
    if args.random:
        words = [str(time.monotonic_ns())]
    words = words[: asked["max_tokens"]]
    choice = {"message": {"role": "assistant", "content": " ".join(words)}, "finish_reason": "stop"}
    if asked.get("logprobs") and not args.no_weights:
        choice["logprobs"] = {"content": [{"token": word, "logprob": weight} for word in words]}
    return {"model": asked.get("model", ""), "choices": [choice]}


def child():
    kept = [word for word in sys.argv[1:] if word not in ("--fork", "--launch", "--bare")]
    environment = {} if args.bare else None
    return subprocess.Popen([sys.executable, __file__, *kept], env=environment, start_new_session=args.launch)


def note(*numbers):
    if args.note:
        args.note.write_text(" ".join(map(str, numbers)))


def listen():
    server = Server((args.host, 0 if args.elsewhere else args.port), Handler)
    if args.deafen:
        from threading import Thread

        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        while not args.deafen.exists():
            time.sleep(0.02)
        server.shutdown()
        server.server_close()
        time.sleep(60)
    server.serve_forever(poll_interval=0.05)


def main():
    if args.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if args.tell:
        args.tell.write_text(json.dumps({"environ": dict(os.environ), "folder": str(Path.cwd()), "words": sys.argv}))
    if args.say:
        print(args.say, flush=True)
    if args.die is not None:
        sys.exit(args.die)
    if args.fork or args.launch:
        started = child()
        note(os.getpid(), started.pid)
        if args.launch:
            os._exit(0)
        sys.exit(started.wait())
    time.sleep(args.slow)
    while args.mute:
        time.sleep(1)
    with contextlib.suppress(KeyboardInterrupt):
        listen()


if __name__ == "__main__":
    args = parse.parse_args()
    main()
