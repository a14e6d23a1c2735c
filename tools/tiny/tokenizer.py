"""The tiny model's words and its tokenizer: byte-level BPE that every stack reads in the same way.

transformers and mlx_lm build Qwen2's own splitter for this architecture, whatever tokenizer.json says, and llama.cpp
does the same. So tokenizer.json says it too, and the merges are learnt on a finer split: a word does not merge with the
space, comma or bar before it. It then has the same tokens in a table, a question and an answer, and copying is easy.
Only the words that questions are made of get a token with the space before them, by merges that come last: that saves
a third of a question.
"""

import json
import pydoc_data.topics
import re
import sysconfig
import zlib
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

__all__ = ["CHAT_TEMPLATE", "END", "PAD", "START", "is_held_out", "make_tokenizer", "words", "write_tokenizer"]

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
_SPACE = "\u0120"
"""A space, as byte-level BPE writes it."""
_FINE = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\p{L}+|\p{N}|\s"
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def _english() -> str:
    """Any plain English and code will do; every Python carries its own manual and library."""
    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    return "\n".join([*pydoc_data.topics.topics.values(), *(one.read_text("utf-8", "replace") for one in sources)])


@cache
def words() -> tuple[str, ...]:
    """Some thousand lower-case words, the most frequent first."""
    counted = Counter(re.findall(r"\b[a-z]{3,10}\b", _english()))
    return tuple(word for word, count in counted.most_common() if count >= 4 and re.search("[aeiouy]", word))[:8000]


def is_held_out(word: str) -> bool:
    """Whether a word is kept for measuring: it never stands in a table or a question while training."""
    return zlib.crc32(word.encode()) % 7 == 0


def make_tokenizer(samples: Iterable[str], usual: Iterable[str], size: int) -> Tokenizer:
    """Learn the merges from English and from samples of what the model will see; `usual` words swallow their space."""
    usual = sorted(set(usual))
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_FINE), "isolated"), byte_level],
    )
    tokenizer.decoder = decoders.ByteLevel()
    english = _english()
    chunks = [english[at : at + 5000] for at in range(0, min(len(english), 1_500_000), 5000)]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(usual),
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*chunks, *samples], trainer)
    data = json.loads(tokenizer.to_str())
    vocabulary, merges = data["model"]["vocab"], data["model"]["merges"]
    for word in usual:
        if word in vocabulary:  # it is one token by itself
            vocabulary[f"{_SPACE}{word}"] = len(vocabulary)
            merges.append([_SPACE, word])
    data["normalizer"] = {"type": "NFC"}
    data["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": _QWEN2}
    return Tokenizer.from_str(json.dumps(data))


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """The files that transformers, mlx_lm and llama.cpp look for."""
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "bos_token": None,
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": None,
        "model_max_length": 2048,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
