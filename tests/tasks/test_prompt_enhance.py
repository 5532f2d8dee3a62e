"""Richer prompts, by a tiny model of random weights that is made here: its words mean nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.prompt_enhance import prompt_enhance
from tests.tasks.desk import Desk

os.environ["HF_HUB_OFFLINE"] = "1"

_WORDS = ["<end>", "<unknown>", "SYSTEM", "red", "chair", "in", "light", "soft", "oak", "room", "of", "a", "morning"]
_TABLE = """
[[model]]
air = "tests:writer@1"
name = "A model that goes on from a prompt"
kind = "text"
file = "writer"
engine = "transformers"

[[model]]
air = "tests:chat@1"
name = "A model that chats"
kind = "text"
file = "chat"
engine = "transformers"

[[model]]
air = "tests:pickled@1"
name = "A model with pickled weights"
kind = "text"
file = "pickled"
engine = "transformers"
"""


def _writer(folder: Path, chat_template: str | None = None, *, always: str = "") -> None:
    """A GPT-2 that knows a few words, and says any of them or always the same."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(5)
    known = Tokenizer(models.WordLevel({word: place for place, word in enumerate(_WORDS)}, unk_token="<unknown>"))
    known.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, eos_token="<end>", unk_token="<unknown>")
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    config = GPT2Config(vocab_size=len(_WORDS), n_embd=32, n_layer=2, n_head=4, eos_token_id=0, bos_token_id=0)
    model = GPT2LMHeadModel(config)
    if always:
        last, word = model.transformer.ln_f, model.transformer.wte.weight[_WORDS.index(always)]
        torch.nn.init.zeros_(last.weight)
        last.bias.data = 1000 * word / word.norm()
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("enhance"), table=_TABLE)
    models = desk.folder / "models"
    _writer(models / "writer")
    _writer(
        models / "chat",
        "{% for message in messages %}SYSTEM {{ message['content'] }}{% endfor %} SYSTEM",
        always="morning",
    )
    _writer(models / "pickled")
    (models / "pickled" / "model.safetensors").rename(models / "pickled" / "pytorch_model.bin")
    return desk


def test_versions(desk: Desk):
    """So many versions as asked for come, different ones, each going on from the prompt."""
    done = desk.run(prompt_enhance, prompt="red chair in", promptMaxLength=40, promptVersions=3)
    texts = [item["text"] for item in done.items]
    assert len(set(texts)) == 3
    assert all(text.startswith("red chair in") for text in texts)
    assert {item["model"] for item in done.items} == {"tests:writer@1"}


@pytest.mark.parametrize("model", ["tests:writer@1", "tests:chat@1"])
def test_length(desk: Desk, model: str):
    """No version has more tokens than promptMaxLength, even where the prompt itself has."""
    asked = {"promptMaxLength": 5, "promptVersions": 5, "model": model}
    for prompt in ("red", "a chair of soft light in a room of oak"):
        texts = [item["text"] for item in desk.run(prompt_enhance, prompt=prompt, **asked).items]
        assert all(len(text.split()) <= 5 for text in texts)


def test_chat(desk: Desk):
    """Of a model that chats only the answer is given, not what it was asked."""
    done = desk.run(prompt_enhance, prompt="oak chair", promptMaxLength=6, model="tests:chat@1")
    assert done.item["text"] == "morning morning morning morning morning morning"


def test_pickles(desk: Desk):
    """Weights that are not .safetensors are not loaded."""
    refused = desk.run(prompt_enhance, prompt="oak", model="tests:pickled@1").failure
    assert refused["code"] == "modelNotFound"
    assert "tests:pickled@1" in refused["message"]


@pytest.mark.parametrize(
    ("field", "value"), [("prompt", "a" * 301), ("promptMaxLength", 3), ("promptMaxLength", 401), ("promptVersions", 6)]
)
def test_ranges(desk: Desk, field: str, value: object):
    """A value out of range is refused by name."""
    refused = desk.run(prompt_enhance, **({"prompt": "oak"} | {field: value})).failure
    assert refused["parameter"] == field


def test_no_model(tmp_path: Path):
    """Where no language model is installed, the refusal says which kind to install."""
    refused = Desk(tmp_path).run(prompt_enhance, prompt="oak").failure
    assert refused["code"] == "modelNotFound"
    assert "text model" in refused["message"]
