"""The compatible backend and the bench against a real server: mlx_lm.server with the project's own tiny model."""

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlx_house import TINY, MlxServer, model_at

from promptforge.backends.base import BackendError, Request
from promptforge.backends.compatible import Compatible

pytestmark = pytest.mark.heavy

WAIT_S = 60
LOOKED_UP = {
    "Who owns the red phone?": "Theo",
    "Who owns the old laptop?": "Sigrid",
    "Who owns the silver watch?": "Nora",
    "Who owns the garden camera?": "Ravi",
    "Who owns the grey tablet?": "Mara",
    "What is the address of mini?": "192.0.2.10",
}
"""What the tiny model does find: owners in a short table (docs/design/tiny-model.md says what it does not)."""
UNKNOWN = "I don't know."


def request(system: str, question: str, **params: object) -> Request:
    return Request(system=system, messages=(("user", question),), params={"temperature": 0, "max_tokens": 24, **params})


def test_an_answer_is_read_from_the_prompt(tiny: Compatible, prompts: Mapping[str, str]):
    """With the table the model looks the owner up, without it it says that it does not know."""
    question = "Who owns the red phone?"
    enriched = tiny.answer(request(prompts["enriched"], question), timeout_s=WAIT_S)
    base = tiny.answer(request(prompts["base"], question), timeout_s=WAIT_S)
    assert (enriched.text, enriched.finish) == ("Theo", "stop")
    assert base.text == UNKNOWN
    assert enriched.model == "default_model"
    assert "Linux" in enriched.fingerprint or "macOS" in enriched.fingerprint


def test_usage_is_what_the_server_counted(tiny: Compatible, prompts: Mapping[str, str]):
    """Tokens come from the server; the second question on a prompt takes the prompt from its cache."""
    first, second = (
        tiny.answer(request(prompts["enriched"], question), timeout_s=WAIT_S).usage
        for question in ("Who owns the old laptop?", "Who owns the silver watch?")
    )
    assert first.input_tokens is not None
    assert first.output_tokens is not None
    assert second.cached_tokens is not None
    assert first.input_tokens > 300
    assert 1 < first.output_tokens < 24
    assert 300 < second.cached_tokens < (second.input_tokens or 0)


def test_the_server_counts_the_tokens_that_the_tokenizer_file_gives(tiny: Compatible, prompts: Mapping[str, str]):
    """The server builds its tokenizer itself; only when it reads text as tokenizer.json does are our counts exact."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    for system in prompts.values():
        for question in (
            "Who owns the red phone?",
            "It's 8:15 -  what (if any) 'ships'\n\n\tare in \u00e5ngström's | bay ?",
        ):
            text = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
            usage = tiny.answer(request(system, question), timeout_s=WAIT_S).usage
            assert usage.input_tokens == len(tokenizer.encode(text).ids)


def test_a_streamed_answer_is_the_whole_one(tiny: Compatible, prompts: Mapping[str, str]):
    """The pieces make up the text; the first one comes before the end; usage comes too."""
    asked = request(prompts["enriched"], "What is the address of loft?")
    pieces: list[str] = []
    streamed = tiny.stream(asked, pieces.append, timeout_s=WAIT_S)
    assert len(pieces) > 3
    assert "".join(pieces) == streamed.text == tiny.answer(asked, timeout_s=WAIT_S).text
    assert streamed.first_token_s is not None
    assert 0 < streamed.first_token_s <= streamed.latency_s
    assert streamed.usage.output_tokens is not None


def test_an_answer_over_its_limit_is_cut(tiny: Compatible, prompts: Mapping[str, str]):
    """`max_tokens` reaches the server as it is, and the answer says that it was cut."""
    answer = tiny.answer(request(prompts["enriched"], "What is the address of loft?", max_tokens=4), timeout_s=WAIT_S)
    assert answer.finish == "length"
    assert answer.usage.output_tokens == 4


def test_an_unknown_model_is_not_found(mlx: MlxServer):
    """The server answers 404 and talks of its cache; the message says what to mend."""
    backend = Compatible(model_at(mlx.base_url, "no-such/model"), os.environ)
    with pytest.raises(BackendError) as caught:
        backend.answer(request("You are Warden.", "Who are you?"), timeout_s=WAIT_S)
    backend.close()
    assert (caught.value.fault, caught.value.status, caught.value.retryable) == ("not_found", 404, False)
    assert "did not find what was asked for" in caught.value.message
    assert "`model`" in caught.value.hint


def test_a_prompt_longer_than_one_step_of_the_server(tiny: Compatible, prompts: Mapping[str, str]):
    """A prompt of more than 2048 tokens, which the server reads in steps, is answered and counted in full."""
    rows = "".join(f"| {port} | Relay {port} | Service {port} |\n" for port in range(20_000, 20_130))
    system = f"{prompts['base']}\n## ports\n| port | codename | service |\n|---|---|---|\n{rows}"
    answer = tiny.answer(request(system, "Which service listens on port 20077?"), timeout_s=WAIT_S)
    assert answer.text
    assert (answer.usage.input_tokens or 0) > 2048


def test_several_threads_share_one_backend(tiny: Compatible, prompts: Mapping[str, str]):
    """Requests that run at once do not mix up their answers."""

    def ask(question: str) -> str:
        return tiny.answer(request(prompts["enriched"], question), timeout_s=WAIT_S).text

    with ThreadPoolExecutor(4) as threads:
        said = dict(zip(LOOKED_UP, threads.map(ask, LOOKED_UP), strict=True))
    assert said == LOOKED_UP


def test_a_request_can_be_stopped(tiny: Compatible, prompts: Mapping[str, str]):
    """What is set to stop before it is sent waits for no answer."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(BackendError) as caught:
        tiny.answer(request(prompts["enriched"], "Who owns the red phone?"), timeout_s=WAIT_S, stop=stop)
    assert caught.value.fault == "stopped"


def test_a_killed_server_is_unreachable(mortal: MlxServer):
    """A server that answered and then died is said to be gone, by its address."""
    backend = Compatible(model_at(mortal.base_url), os.environ)
    asked = request("You are Warden.\n", "What is the capital of France?")
    assert backend.answer(asked, timeout_s=WAIT_S).text == "Paris"
    mortal.stop()
    with pytest.raises(BackendError) as caught:
        backend.answer(asked, timeout_s=WAIT_S)
    backend.close()
    assert caught.value.fault == "unreachable"
    assert mortal.base_url in caught.value.message


def test_the_probe_says_what_the_server_says_of_itself(tiny: Compatible):
    """The folder that it serves is listed; nothing more is known of it."""
    said = tiny.probe(WAIT_S)
    assert str(TINY) in said["models"]
    assert "problem" not in said
