"""Run by a trainer's own Python: loads what was written as that trainer does, and trains one step.

Prints one line of JSON: `seen` is what the model reads and what it learns, a pair for each line of a split.
"""

import json
import os
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

IGNORED = -100
LINES = 6


def mlx(folder: Path, model: Path, out: Path) -> dict:
    """`mlx_lm.lora --config mlx.yaml`, whose reports are caught."""
    from mlx_lm import lora
    from mlx_lm.tuner import datasets
    from mlx_lm.utils import load

    config = lora.yaml.load((folder / "mlx.yaml").read_text(encoding="utf-8"), lora.yaml_loader)
    _, tokenizer = load(config["model"])
    splits = datasets.load_dataset(types.SimpleNamespace(**{**config, "test": True}), tokenizer)
    read = [[split.process(split[at]) for at in range(len(split))] for split in splits]
    reports = []

    class Reports:
        def on_train_loss_report(self, told):
            reports.append(told)

        def on_val_loss_report(self, told):
            reports.append(told)

    lora.get_reporting_callbacks = lambda *_, **__: Reports()
    sys.argv = ["mlx_lm.lora", "--config", str(folder / "mlx.yaml")]
    lora.main()
    return {
        "seen": [(tokenizer.decode(ids), tokenizer.decode(ids[start:])) for ids, start in read[0][:LINES]],
        "lines": [len(split) for split in read],
        "longest": max(len(ids) for split in read for ids, _ in split),
        "limit": config["max_seq_length"],
        "losses": [told.get("train_loss", told.get("val_loss")) for told in reports],
        "written": sorted(path.name for path in out.iterdir()),
    }


def trl(folder: Path, model: Path, out: Path) -> dict:
    """What `trl sft --config trl.yaml` does, with a look at the batches."""
    from datasets import load_dataset
    from trl import SFTTrainer, get_peft_config
    from trl.scripts.sft import make_parser

    told = ["--config", str(folder / "trl.yaml"), "--use_cpu", "true", "--bf16", "false", "--disable_tqdm", "true"]
    script, args, model_args, _ = make_parser().parse_args_and_config(told)
    data = load_dataset(script.dataset_name)
    trainer = SFTTrainer(
        model=model_args.model_name_or_path,
        args=args,
        train_dataset=data[script.dataset_train_split],
        eval_dataset=data[script.dataset_test_split],
        peft_config=get_peft_config(model_args),
    )
    tokenizer, batch = trainer.processing_class, trainer.data_collator([trainer.train_dataset[n] for n in range(LINES)])
    trainer.train()
    trainer.save_model(str(out))
    return {
        "seen": [shown(tokenizer, *pair) for pair in zip(batch["input_ids"], batch["labels"], strict=True)],
        "lines": [len(data[split]) for split in ("train", "valid", "test")],
        "longest": max(len(ids) for ids in trainer.train_dataset["input_ids"]),
        "limit": args.max_length,
        "losses": [
            log[name] for log in trainer.state.log_history for name in ("train_loss", "eval_loss") if name in log
        ],
        "written": sorted(path.name for path in out.iterdir()),
    }


def axolotl(folder: Path, model: Path, out: Path) -> dict:
    """Axolotl's check of the configuration, and its reader of `chat_template` rows."""
    import yaml
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig
    from datasets import load_dataset
    from transformers import AutoTokenizer

    config = yaml.safe_load((folder / "axolotl.yaml").read_text(encoding="utf-8"))
    known = set(AxolotlInputConfig.model_fields)
    AxolotlInputConfig(**config)
    tokenizer = AutoTokenizer.from_pretrained(config["base_model"])
    seen, lines = [], []
    for entry in (*config["datasets"], *config["test_datasets"]):
        strategy = load(tokenizer, DictDefault(config), ds_cfg=DictDefault(entry))
        data = load_dataset(entry["ds_type"], data_files=entry["path"], split=entry["split"])
        lines.append(len(data))
        read = [strategy.tokenize_prompt(data[at]) for at in range(min(LINES, len(data)))]
        seen += [shown(tokenizer, one["input_ids"], one["labels"]) for one in read]
    return {"seen": seen[:LINES], "lines": lines, "unknown": sorted(set(config) - known)}


def llamafactory(folder: Path, model: Path, out: Path) -> dict:
    """LLaMA-Factory's parser of the configuration, and its reader, which leaves out rows that it does not like."""
    os.environ["DISABLE_VERSION_CHECK"] = "1"
    sound = types.ModuleType("torchaudio")  # imported at its top, for sounds, of which there are none
    sound.__spec__ = ModuleSpec("torchaudio", None)
    sys.modules["torchaudio"] = sound
    import yaml
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from transformers import AutoTokenizer

    config = yaml.safe_load((folder / "llamafactory.yaml").read_text(encoding="utf-8"))
    model_args, data_args, training_args, _, _ = get_train_args({**config, "use_cpu": True})
    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path)
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    data = get_dataset(template, model_args, data_args, training_args, "sft", tokenizer=tokenizer, processor=None)
    read = data["train_dataset"]
    return {
        "seen": [shown(tokenizer, read[at]["input_ids"], read[at]["labels"]) for at in range(LINES)],
        "lines": [len(data["train_dataset"]), len(data["eval_dataset"])],
        "longest": max(len(one["input_ids"]) for one in read),
        "limit": data_args.cutoff_len,
    }


def shown(tokenizer, ids, labels) -> tuple[str, str]:
    """A row as the model reads it, and what it learns of it; padding is left out."""
    pairs = [(int(i), int(label)) for i, label in zip(ids, labels, strict=True)]
    while pairs and pairs[-1][0] == tokenizer.pad_token_id:
        pairs.pop()
    return tokenizer.decode([i for i, _ in pairs]), tokenizer.decode([label for _, label in pairs if label != IGNORED])


if __name__ == "__main__":
    name, *places = sys.argv[1:]
    told = globals()[name](*map(Path, places))
    print("\n" + json.dumps(told))
