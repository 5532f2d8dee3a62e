"""Captions, by tiny models of random weights that are made here: what they say means nothing, but it is repeatable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from tasks.caption import caption
from tests.tasks.desk import Desk

os.environ["HF_HUB_OFFLINE"] = "1"

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]", "photo", "of", "cat", "orange", "suit"]
_VOCABULARY = [*_WORDS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]
_TEMPLATE = (
    "{% for message in messages %}USER {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %} {{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %} ASSISTANT"
)
_TABLE = """
[[model]]
air = "tests:caption@1"
name = "A model that captions"
kind = "caption"
file = "captions"
engine = "transformers"

[[model]]
air = "tests:chat@1"
name = "A model that chats about pictures"
kind = "caption"
file = "chats"
engine = "transformers"

[[model]]
air = "tests:absent@1"
name = "A model that is not there"
kind = "caption"
file = "absent"
engine = "transformers"

[[model]]
air = "tests:hollow@1"
name = "A folder without weights"
kind = "caption"
file = "hollow"
engine = "transformers"
"""


def _captioner(folder: Path) -> None:
    """A BLIP, which begins its caption with the prompt."""
    import torch
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.manual_seed(3)
    (folder / "words").mkdir(parents=True)
    (folder / "words" / "vocab.txt").write_text("\n".join(_VOCABULARY))
    layers = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4}
    words = {"vocab_size": len(_VOCABULARY), "encoder_hidden_size": 32, "projection_dim": 16, "initializer_range": 0.5}
    tokens = {"bos_token_id": 5, "eos_token_id": 3, "pad_token_id": 0, "sep_token_id": 3}
    sight = {"image_size": 64, "patch_size": 16, "projection_dim": 16, "initializer_range": 0.5}
    config = BlipConfig(
        text_config=layers | words | tokens, vision_config=layers | sight, projection_dim=16, image_text_hidden_size=16
    )
    BlipForConditionalGeneration(config).save_pretrained(folder)
    shown = BlipImageProcessorPil(size={"height": 64, "width": 64})
    special = {"bos_token": "[DEC]", "additional_special_tokens": ["[ENC]"]}
    BlipProcessor(shown, BertTokenizer.from_pretrained(folder / "words", **special)).save_pretrained(folder)


def _chatter(folder: Path) -> None:
    """A LLaVA, which answers a question."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(4)
    words = ["<pad>", "<s>", "</s>", "<unk>", "<image>", "USER", "ASSISTANT", *_WORDS[7:], "Describe", "this", "image"]
    known = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    known.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=known, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    layers = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**layers, image_size=32, patch_size=16, initializer_range=0.5),
        text_config=LlamaConfig(**layers, vocab_size=len(words), initializer_range=0.5, eos_token_id=2, pad_token_id=0),
        image_token_index=4,
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("caption"), table=_TABLE)
    _captioner(desk.folder / "models" / "captions")
    _chatter(desk.folder / "models" / "chats")
    (desk.folder / "models" / "hollow").mkdir()
    return desk


@pytest.fixture(scope="module")
def images(desk: Desk) -> list[str]:
    return [desk.keep(data.astronaut()), desk.keep(data.checkerboard())]


def _text(desk: Desk, **fields: Any) -> str:
    return desk.run(caption, **fields).item["text"]


def test_caption(desk: Desk, images: list[str]):
    """An image is described in words, always the same ones, by the first model installed, which the item names."""
    done = desk.run(caption, inputImage=images[0])
    assert done.item["model"] == "tests:caption@1"
    assert done.item["text"].strip()
    assert done.item == desk.run(caption, inputImage=images[0]).item


def test_several_images(desk: Desk, images: list[str]):
    """Several images are described in one text, a line each, in their order."""
    alone = [_text(desk, inputImage=image) for image in images]
    assert alone[0] != alone[1]
    assert _text(desk, inputImages=images) == "\n".join(alone)


def test_beginning(desk: Desk, images: list[str]):
    """A model that only captions begins its caption with the prompt."""
    assert _text(desk, inputImage=images[0], prompt="photo of cat").startswith("photo of cat")


def test_question(desk: Desk, images: list[str]):
    """A model that chats answers the prompt, or describes; neither question nor roles stand in the text."""
    asked = _text(desk, inputImage=images[0], prompt="orange suit", model="tests:chat@1")
    described = _text(desk, inputImage=images[0], model="tests:chat@1")
    assert asked != described
    assert not asked.startswith("USER")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "I;16"])
def test_odd_images(desk: Desk, mode: str):
    """An image of one pixel is described whatever its mode."""
    assert desk.run(caption, inputImage=desk.keep(Image.new(mode, (1, 1)))).item["model"] == "tests:caption@1"


def test_no_image(desk: Desk):
    """Without an image the refusal names inputImage."""
    refused = desk.run(caption, prompt="photo").failure
    assert (refused["code"], refused["parameter"]) == ("invalidInputImage", "inputImage")


def test_absent_model(desk: Desk, images: list[str]):
    """A model that is not installed is refused, with the file to install."""
    refused = desk.run(caption, inputImage=images[0], model="tests:absent@1").failure
    assert refused["code"] == "modelNotFound"
    assert "absent" in refused["message"]


def test_damaged_model(desk: Desk, images: list[str]):
    """A folder that holds no model is refused by name, and without the server's paths."""
    refused = desk.run(caption, inputImage=images[0], model="tests:hollow@1").failure
    assert refused["code"] == "modelNotFound"
    assert "tests:hollow@1" in refused["message"]
    assert str(desk.folder) not in refused["message"]


def test_progress(desk: Desk, images: list[str]):
    """A caption in the making tells how far it is."""
    said = [one for one in desk.run(caption, inputImages=images).said if "progress" in one]
    assert said
    assert all(0 <= one["progress"] <= 1 for one in said)
