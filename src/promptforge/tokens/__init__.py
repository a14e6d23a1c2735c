"""How many tokens a text or a chat costs: exactly where the tokenizer is known, else by an estimate.

No count ever needs the network. The libraries load when a tokenizer that needs them is loaded. Whoever counts often
keeps the tokenizer: loading one takes up to a second.
"""

from promptforge.tokens.base import Counter, Message, RenderChat, Tokenizer, TokenizerError, count_chat
from promptforge.tokens.encodings import load_counter
from promptforge.tokens.load import load_tokenizer

__all__ = [
    "Counter",
    "Message",
    "RenderChat",
    "Tokenizer",
    "TokenizerError",
    "count_chat",
    "load_counter",
    "load_tokenizer",
]
