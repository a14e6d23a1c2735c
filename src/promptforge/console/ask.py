"""An answer that was asked for by hand: what it was, below what it said."""

from dataclasses import asdict

from promptforge.bench.served import is_other_model
from promptforge.console.terminal import Painter
from promptforge.workbench.ask import AskedByHand

__all__ = ["answer_json", "answer_line"]


def answer_line(asked: AskedByHand, paint: Painter) -> str:
    """One line about the answer: who, tokens, time."""
    answer, usage = asked.answer, asked.answer.usage
    parts = [f"{asked.agent} · {asked.variant} · {asked.model.name}"]
    if usage.input_tokens is not None:
        cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
        parts.append(f"{usage.input_tokens:,} tokens in{cached}")
    if usage.output_tokens is not None:
        parts.append(f"{usage.output_tokens:,} out")
    if answer.first_token_s is not None:
        parts.append(f"first after {answer.first_token_s:.2f} s")
    parts.append(f"{answer.latency_s:.2f} s")
    if asked.cost_usd:
        parts.append(f"${asked.cost_usd:.4f}")
    if is_other_model(str(asked.model.settings.get("model", "")), answer.model):
        parts.append(f"the server says that {answer.model} answered")
    if answer.finish == "length":
        parts.append("cut at its limit: raise params.max_tokens")
    if answer.reasoning:
        parts.append(f"{len(answer.reasoning):,} characters of reasoning not shown")
    lines = [paint(" · ".join(parts), "dim")]
    lines += [f"calls {call.name}({call.raw or dict(call.arguments or {})})" for call in answer.tool_calls]
    return "\n".join(lines)


def answer_json(asked: AskedByHand) -> dict[str, object]:
    """The answer for programs."""
    return {
        "version": 1,
        "agent": asked.agent,
        "model": asked.model.name,
        "variant": asked.variant,
        "cost_usd": asked.cost_usd,
        "answer": asdict(asked.answer),
    }
