"""Start mlx_lm.server with a LoRA that TRL and peft have trained: the same numbers under mlx_lm's names.

`python serve.py --model FOLDER --port PORT [--adapter FOLDER]`, with the Python of an environment that has mlx-lm.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file


def for_mlx(adapter: Path, layers: int, folder: Path) -> Path:
    """Write peft's adapter as mlx_lm reads it: the two matrices transposed, alpha / rank as the scale."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    weights = load_file(adapter / "adapter_model.safetensors")
    named = {_name(name): value for name, value in weights.items()}
    keys = sorted({".".join(name.split(".")[3:5]) for name in named})
    told = {"rank": config["r"], "scale": config["lora_alpha"] / config["r"], "dropout": 0.0, "keys": keys}
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.T.copy() for name, value in named.items()}, folder / "adapters.safetensors")
    written = {"fine_tune_type": "lora", "num_layers": layers, "lora_parameters": told}
    (folder / "adapter_config.json").write_text(json.dumps(written), encoding="utf-8")
    return folder


def _name(name: str) -> str:
    plain = name.removeprefix("base_model.model.")
    return plain.replace(".lora_A.weight", ".lora_a").replace(".lora_B.weight", ".lora_b")


def main() -> None:
    """Become the server: the process that promptforge started is the one that listens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--adapter", type=Path)
    options = parser.parse_args()
    command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(options.model), "--port", options.port]
    if options.adapter:
        layers = json.loads((options.model / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
        command += ["--adapter-path", str(for_mlx(options.adapter, layers, Path("build/mlx") / options.adapter.name))]
    home = Path("build/huggingface").absolute()
    (home / "hub").mkdir(parents=True, exist_ok=True)
    os.execve(command[0], command, {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"})


if __name__ == "__main__":
    main()
