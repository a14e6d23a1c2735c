"""The Qwen2 architecture, small enough to read: names and shapes are those that transformers and mlx_lm load."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Net", "load", "save"]

VOCABULARY, WIDTH, LAYERS, HEADS, INNER = 2048, 192, 4, 4, 320
THETA, EPSILON, CONTEXT = 10000.0, 1e-6, 2048
SPREAD, LOOK_BACK = 0.1, 5.0
Turn = tuple[Tensor, Tensor]
_fused = functional.scaled_dot_product_attention


class Attention(nn.Module):
    """A prompt's tokens look back; a question's look at what the mask lets them see."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.o_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor, turn: Turn, mask: Tensor) -> Tensor:
        """The new part of the stream. The mask is that of the last tokens; the ones before them are one prompt."""
        shape = (*x.shape[:2], HEADS, WIDTH // HEADS)
        q, k, v = (part(x).view(shape).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj))
        q, k = _rotated(q, turn) * q.shape[-1] ** -0.5, _rotated(k, turn)
        at = x.shape[1] - mask.shape[-2]
        prompt = _fused(q[:, :, :at], k[:, :, :at], v[:, :, :at], is_causal=True, scale=1.0)
        # With a mask, the plain formula is twice as fast on a CPU as the fused one.
        with torch.autocast("cpu", enabled=False):
            questions = (q[:, :, at:] @ k.transpose(-1, -2) + mask).softmax(-1) @ v
        return self.o_proj(torch.cat((prompt, questions), dim=2).transpose(1, 2).reshape(x.shape))


def _rotated(x: Tensor, turn: Turn) -> Tensor:
    cos, sin = turn[0].to(x.dtype), turn[1].to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(WIDTH, INNER, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The new part of the stream."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """Attention, then the MLP, each on a normed stream."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(), Mlp()
        self.input_layernorm = nn.RMSNorm(WIDTH, EPSILON)
        self.post_attention_layernorm = nn.RMSNorm(WIDTH, EPSILON)

    def forward(self, x: Tensor, turn: Turn, mask: Tensor) -> Tensor:
        """The stream after this layer."""
        x = x + self.self_attn(self.input_layernorm(x), turn, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Stack(nn.Module):
    """Everything between tokens and the last norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.RMSNorm(WIDTH, EPSILON)


class Net(nn.Module):
    """Tokens with positions and a mask, to a vector for each token; `scores` turns vectors into tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Stack()
        nn.init.normal_(self.model.embed_tokens.weight, std=SPREAD)
        for layer in self.model.layers:
            _like_looks_at_like(layer.self_attn)
            for part in (layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj):
                nn.init.normal_(part.weight, std=0.02)
        _look_back(self.model.layers[0].self_attn)

    def forward(self, tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """One vector a token."""
        steps = torch.arange(0, WIDTH // HEADS, 2) / (WIDTH // HEADS)
        angles = positions[:, None, :, None] * THETA**-steps
        angles = torch.cat((angles, angles), dim=-1)
        x = self.model.embed_tokens(tokens)
        half = torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype
        mask = torch.zeros(mask.shape, dtype=half).masked_fill(~mask, -1e9)
        for layer in self.model.layers:
            x = layer(x, (angles.cos(), angles.sin()), mask)
        return self.model.norm(x)

    def scores(self, vectors: Tensor) -> Tensor:
        """How likely each token is next; the embedding is read backwards."""
        return functional.linear(vectors, self.model.embed_tokens.weight)


def _like_looks_at_like(attention: Attention) -> None:
    """Let a layer start by looking at tokens like its own, and by passing on what it sees.

    From chance alone, that equal tokens belong together has to be found for each token of the vocabulary; from here it
    holds for all of them, and training only has to say where that helps.
    """
    for part in (attention.q_proj, attention.k_proj, attention.v_proj):
        nn.init.zeros_(part.bias)
        nn.init.orthogonal_(part.weight)
    with torch.no_grad():
        attention.k_proj.weight.copy_(attention.q_proj.weight)
        attention.o_proj.weight.copy_(attention.v_proj.weight.T * SPREAD)


def _look_back(attention: Attention) -> None:
    """Let the heads of a layer start by looking at the token before, the one before that, and so on.

    With equal biases on queries and keys, those of the queries turned by n positions, a score is largest n tokens back.
    """
    size = WIDTH // HEADS
    angles = THETA ** -(torch.arange(0, size, 2) / size)
    for part in (attention.q_proj, attention.k_proj):
        nn.init.normal_(part.weight, std=0.02)
    with torch.no_grad():
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            turned = torch.cat((torch.cos(angles * -(head + 1)), torch.sin(angles * -(head + 1))))
            attention.k_proj.bias[part] = torch.cat((torch.ones(size // 2), torch.zeros(size // 2))) * LOOK_BACK
            attention.q_proj.bias[part] = turned * LOOK_BACK


def save(net: Net, folder: Path, end: int) -> None:
    """Weights in half precision, and the configuration that the loaders read."""
    halves = {name: value.detach().half().contiguous() for name, value in net.state_dict().items()}
    save_file(halves, str(folder / "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "intermediate_size": INNER,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": EPSILON,
        "rope_theta": THETA,
        "rope_parameters": {"rope_theta": THETA, "rope_type": "default"},
        "tie_word_embeddings": True,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": 0,
        "torch_dtype": "float16",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    generation = {"eos_token_id": end, "pad_token_id": 0, "do_sample": False}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Net:
    """The kept weights, as they are served."""
    net = Net()
    net.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    return net.eval()
