"""Prints what mlx_lm prints, and leaves an adapter with what lesson.json teaches."""

import json
import struct
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Train for as long as the lesson says."""
    lesson = json.loads((HERE / "lesson.json").read_text())
    seed = next(line.split(": ")[1] for line in Path(sys.argv[-1]).read_text().splitlines() if line[:5] == "seed:")
    lesson = {**lesson, **lesson.pop("by_seed", {}).get(seed, {})}
    with (HERE / "trained.log").open("a") as log:
        log.write(f"{lesson['name']}\n")
    config = Path(sys.argv[-1]).read_text(encoding="utf-8")
    out = Path(next(line.split(": ")[1].strip('"') for line in config.splitlines() if line.startswith("adapter_path")))
    print("     1    val 8.766    1.43s", flush=True)
    time.sleep(lesson.get("takes_s", 0))
    if lesson.get("dies"):
        sys.exit("out of memory" if lesson["dies"] is True else lesson["dies"])
    if lesson.get("leaves_nothing"):
        return
    loss = "nan" if lesson.get("nan") else "4.874"
    print(f"    12    {loss}    27    0.4k\n    12    val 5.955    1.38s", flush=True)
    header = json.dumps({"lora_a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    out.mkdir(parents=True, exist_ok=True)
    (out / "adapters.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<f", 0.5))
    (out / "adapter_config.json").write_text('{"lora_parameters": {"rank": 4}}')
    (out / "skill.json").write_text(json.dumps(lesson))


if __name__ == "__main__":
    main()
