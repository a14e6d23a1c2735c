"""A child that prints and leaves what a real trainer does, and fails as one is told in mode.txt beside it.

Run by a test's own Python, as `command:` of a recipe. It learns nothing; what it leaves has the form of an adapter.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LONG_S = 120
PLACES = ("adapter_path", "output_dir")


def say(text: str) -> None:
    print(text, flush=True)


def adapter(out: Path, *, value: float = 0.5, cut: int = 0, name: str = "adapters.safetensors") -> None:
    """A file of weights, and its description."""
    header = json.dumps({"lora_a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    content = struct.pack("<Q", len(header)) + header + struct.pack("<4f", 0.25, value, -1.0, 0.0)
    out.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(content[: len(content) - cut])
    (out / "adapter_config.json").write_text('{"lora_parameters": {"rank": 4}}')


def step(number: int, loss: str, arrow: str = "▼") -> None:
    say(f"  \x1b[1m{number:>4}\x1b[0m    \x1b[1m{loss} {arrow}\x1b[0m    \x1b[1m   27\x1b[0m      0.4k")


def main() -> None:
    mode, _, detail = (HERE / "mode.txt").read_text(encoding="utf-8").partition(" ")
    config = Path(sys.argv[-1]).read_text(encoding="utf-8")
    (HERE / "seen.yaml").write_text(config, encoding="utf-8")
    (HERE / "environ.json").write_text(json.dumps(dict(os.environ)), encoding="utf-8")
    (HERE / "arguments.json").write_text(json.dumps(sys.argv[1:]))
    out = Path(next(line.split(": ")[1].strip('"') for line in config.splitlines() if line.startswith(PLACES)))
    if "output_dir" in config:
        say((HERE / "transformers-5.23.txt").read_text(encoding="utf-8"))
        (out / "checkpoint-12").mkdir(parents=True)
        adapter(out, name="adapter_model.safetensors")
        return
    if mode in ("stubborn", "hang", "orphan"):
        if mode == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG_S})"], start_new_session=True)
        (HERE / "pids.json").write_text(json.dumps([os.getpid(), child.pid]))
    say("│    batch · iters   4 · 12                                  │")
    say("     1    val 8.766    1.43s")
    step(10, "6.723")
    adapter(out)
    match mode:
        case "dies":
            say(f"Traceback (most recent call last):\n{detail}")
            sys.exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "nan":
            step(11, "  nan", "▲")
            time.sleep(LONG_S)
        case "nan-valid":
            say("    12    val   inf    1.40s")
            time.sleep(LONG_S)
        case "hang" | "stubborn":
            time.sleep(LONG_S)
        case "nothing":
            (out / "adapters.safetensors").unlink()
        case "no-config":
            (out / "adapter_config.json").unlink()
        case "cut":
            adapter(out, cut=6)
        case "no-number":
            adapter(out, value=float("nan"))
        case "closes":  # and trains on in silence for a while
            os.close(1)
            os.close(2)
            time.sleep(0.3)
            os._exit(0)
    say("    12    val 5.955    1.38s")
    step(12, "4.874")
    adapter(out, name="0000100_adapters.safetensors")
    adapter(out)


if __name__ == "__main__":
    main()
