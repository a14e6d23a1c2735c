# mypy: ignore-errors
# ruff: noqa: ANN001, ANN003, ANN201, ANN202
"""What `trl sft` does, said line by line for whoever started it. Run by a Python that has trl and peft, by its path.

Nothing of promptforge is imported: it need not be installed there. A line that begins with `promptforge: ` is one
object of JSON; losses that are no numbers are said as they are.
"""

import json
import sys
import time
from pathlib import Path


def say(**told):
    """One line for promptforge."""
    print("promptforge: " + json.dumps(told), flush=True)


def arguments(given):
    """What the parser is told: the configuration, and what a machine without an accelerator needs."""
    import torch
    import yaml

    config = yaml.safe_load(Path(given[given.index("--config") + 1]).read_text(encoding="utf-8"))
    # transformers hides losses that are no numbers, unless it is told not to.
    more = {"logging_nan_inf_filter": "false", "disable_tqdm": "true", "save_strategy": "no"}
    mps = getattr(torch.backends, "mps", None)
    xpu = getattr(torch, "xpu", None)
    if not (torch.cuda.is_available() or (mps and mps.is_available()) or (xpu and xpu.is_available())):
        more |= {"use_cpu": "true", "bf16": "false"}
    return [*given, *(word for key, value in more.items() if key not in config for word in (f"--{key}", value))]


def reporter():
    """A callback that says how far the training is."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        def on_train_begin(self, args, state, control, **_):
            self.at, self.tokens = time.monotonic(), 0.0
            args.logging_steps = min(args.logging_steps, max(1, state.max_steps // 20))
            state.logging_steps = args.logging_steps
            say(iteration=0, total=state.max_steps)

        def on_log(self, args, state, control, logs=None, **_):
            logs = logs or {}
            if "loss" in logs:
                now, tokens = time.monotonic(), float(logs.get("num_tokens") or 0)
                speed = {"speed": (tokens - self.tokens) / max(1e-9, now - self.at)} if tokens > self.tokens else {}
                self.at, self.tokens = now, tokens
                say(iteration=state.global_step, loss=float(logs["loss"]), **speed)
            if "eval_loss" in logs:
                say(iteration=state.global_step, valid=float(logs["eval_loss"]))
                self.at = time.monotonic()

    return Reporter()


def main():
    """Train, and leave the adapter in output_dir."""
    from datasets import load_dataset
    from trl import ModelConfig, ScriptArguments, SFTConfig, SFTTrainer, TrlParser, get_peft_config

    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    script, args, model = parser.parse_args_and_config(arguments(sys.argv[1:]))
    data = load_dataset(script.dataset_name)
    trainer = SFTTrainer(
        model=model.model_name_or_path,
        args=args,
        train_dataset=data[script.dataset_train_split],
        eval_dataset=data[script.dataset_test_split] if args.eval_strategy != "no" else None,
        peft_config=get_peft_config(model),
        callbacks=[reporter()],
    )
    trainer.train()
    trainer.save_model(args.output_dir)


if __name__ == "__main__":
    main()
