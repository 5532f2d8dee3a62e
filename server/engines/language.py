"""Words about pictures and words for pictures, by language models in local folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

from server.engines.pytorch import Shelf, Weights, device, library, precision
from server.engines.vision import Progress, silent

PACKAGES = ("torch", "transformers", "safetensors")

_CAPTION_TOKENS = 128
_QUESTION = "Describe this image."
_TASK = (
    "You improve prompts for a model that draws pictures. Answer with the improved prompt alone: the same subject, with"
    " its setting, light, colours, style and composition. No more than {} words."
)
_WORDS_PER_TOKEN = 0.75


def caption(weights: Weights, picture: Image.Image, prompt: str | None = None, progress: Progress = silent) -> str:
    """What is to be seen in a picture (RGB, RGBA), in words, always the same ones.

    Models that chat answer the prompt, or "Describe this image."; others begin their caption with it. Raises
    ModelNotFound for a folder that cannot be loaded.
    """
    progress(0, "loading the model")
    processor, model = _captioners.get(weights)
    given: dict[str, Any] = {"images": picture.convert("RGB"), "return_tensors": "pt"}
    if chats := bool(getattr(processor, "chat_template", None)):
        asked = [{"type": "image"}, {"type": "text", "text": prompt or _QUESTION}]
        given["text"] = processor.apply_chat_template([{"role": "user", "content": asked}], add_generation_prompt=True)
    elif prompt:
        given["text"] = prompt
    shown = processor(**given).to(model.device, precision())
    told = _telling(progress, _CAPTION_TOKENS)
    found = model.generate(**shown, max_new_tokens=_CAPTION_TOKENS, do_sample=False, stopping_criteria=[told])[0]
    answer = found[shown["input_ids"].shape[1] :] if chats else found
    return processor.decode(answer, skip_special_tokens=True).strip()


def enhance(weights: Weights, prompt: str, most: int, versions: int, progress: Progress = silent) -> list[str]:
    """So many richer versions of a prompt, each of at most `most` tokens and each time others.

    Models that chat are asked for them; others go on from the prompt. Raises ModelNotFound for a folder that cannot be
    loaded.
    """
    progress(0, "loading the model")
    tokenizer, model = _writers.get(weights)
    chats = bool(tokenizer.chat_template)
    text = _asked(tokenizer, prompt, most) if chats else prompt
    shown = tokenizer(text, return_tensors="pt", add_special_tokens=not chats).to(model.device)
    before = shown["input_ids"].shape[1]
    room = most if chats else max(most - before, 1)
    library("torch").seed()
    found = model.generate(
        **shown,
        max_new_tokens=room,
        do_sample=True,
        num_return_sequences=versions,
        pad_token_id=tokenizer.eos_token_id,
        stopping_criteria=[_telling(progress, room)],
    )
    answers = [answer[before if chats else 0 :][:most] for answer in found]
    return [tokenizer.decode(answer, skip_special_tokens=True).strip() for answer in answers]


def _asked(tokenizer: Any, prompt: str, most: int) -> str:
    task = _TASK.format(max(1, round(most * _WORDS_PER_TOKEN)))
    messages = [{"role": "user", "content": f"{task}\n\nPrompt: {prompt}"}]  # not every model knows the role system
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def _telling(progress: Progress, most: int) -> Callable[..., Any]:
    """What transformers asks after each token whether to stop: never, but it tells the progress, which may raise."""
    done = 0

    def told(tokens: Any, *_: Any, **__: Any) -> Any:
        nonlocal done
        done += 1
        progress(done / most, f"token {done} of at most {most}")
        torch = library("torch")
        return torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)

    return told


def _load_captioner(weights: Weights) -> tuple[Any, Any]:
    return _load(weights, "AutoProcessor", "AutoModelForImageTextToText")


def _load_writer(weights: Weights) -> tuple[Any, Any]:
    return _load(weights, "AutoTokenizer", "AutoModelForCausalLM")


def _load(weights: Weights, reader: str, kind: str) -> tuple[Any, Any]:
    """What turns input into tokens, and the model. No code that lies beside the weights is run."""
    transformers = library("transformers")
    where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    found = getattr(transformers, reader).from_pretrained(str(weights.path), **where)
    model = getattr(transformers, kind).from_pretrained(
        str(weights.path), use_safetensors=True, dtype=precision(), **where
    )
    return found, model.eval().to(device())


_captioners = Shelf(1, _load_captioner)
_writers = Shelf(1, _load_writer)
