"""Convert a Hugging Face folder to GGUF with llama.cpp's own converter: `python gguf.py LLAMA_CPP MODEL OUT`.

The converter knows a pre-tokenizer by a hash of what one long text is split into, and so refuses every vocabulary that
it has not met. The tiny model splits text as Qwen2 does, with a vocabulary of its own; that is said here.
"""

import sys
from pathlib import Path
from typing import Any


def main(llama_cpp: str, model: str, out: str) -> None:
    """Convert."""
    sys.path[:0] = [llama_cpp, str(Path(llama_cpp) / "gguf-py")]
    from conversion import base  # type: ignore[import-not-found]

    def qwen2(self: Any, tokenizer: Any) -> str:
        return "qwen2"

    kinds = [value for value in vars(base).values() if isinstance(value, type)]
    for kind in kinds:
        if "get_vocab_base_pre" in vars(kind):
            kind.get_vocab_base_pre = qwen2  # type: ignore[attr-defined]

    import convert_hf_to_gguf as converter  # type: ignore[import-not-found]

    sys.argv = ["convert_hf_to_gguf.py", model, "--outfile", out, "--outtype", "f16"]
    converter.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
