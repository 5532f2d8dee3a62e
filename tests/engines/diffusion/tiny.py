"""Tiny networks of random weights in the layout of Stable Diffusion 1, made in a second and saved as real ones are."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

_WIDTHS = (16, 32, 32, 32)
_BYTES = 256


def checkpoint(folder: Path, widths: tuple[int, ...] = _WIDTHS) -> Path:
    """A folder with a whole pipeline; it was made for pictures of 128 pixels a side."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(7)
    vae = AutoencoderKL(
        block_out_channels=(16, 16, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        norm_num_groups=8,
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=widths,
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    tokenizer = _tokenizer(folder / "words")
    text = CLIPTextConfig(
        vocab_size=2 * _BYTES + 2, hidden_size=32, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4,
        bos_token_id=2 * _BYTES, eos_token_id=2 * _BYTES + 1, pad_token_id=2 * _BYTES + 1, projection_dim=32,
        initializer_factor=10.0,
    )  # fmt: skip
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )  # fmt: skip
    StableDiffusionPipeline(
        vae=vae, text_encoder=CLIPTextModel(text), tokenizer=tokenizer, unet=unet, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def _tokenizer(folder: Path) -> Any:
    """CLIP's tokenizer with one token for each byte, inside a word and at its end."""
    from transformers import CLIPTokenizer

    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(_BYTES) if byte not in plain]
    letters = [chr(byte) for byte in plain] + [chr(_BYTES + place) for place in range(len(others))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def controlnet(base: Path, folder: Path, seed: int = 1) -> Path:
    """A ControlNet of a checkpoint that does lead: its last layers, zeros when they are new, are random."""
    import torch
    from diffusers import ControlNetModel, UNet2DConditionModel

    torch.manual_seed(seed)
    unet = UNet2DConditionModel.from_pretrained(base, subfolder="unet")
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 16, 32, 32))
    last = [*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out]
    for layer in last:
        torch.nn.init.normal_(layer.weight, std=0.3)
    net.save_pretrained(folder)
    return folder


def lora(base: Path, folder: Path) -> Path:
    """A LoRA of a checkpoint, as a file in a folder."""
    import torch
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(2)
    unet = UNet2DConditionModel.from_pretrained(base, subfolder="unet")
    targets = ["to_q", "to_k", "to_v", "to_out.0"]
    unet.add_adapter(LoraConfig(r=4, lora_alpha=16, target_modules=targets, init_lora_weights=False))
    state = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=state)
    return folder / "pytorch_lora_weights.safetensors"


def words_lora(target: Path) -> Path:
    """A LoRA of the text encoder alone, under the names that training programs write."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    found = dict[str, Any]()
    for layer in range(3):
        for part in ("q_proj", "v_proj", "out_proj"):
            name = f"lora_te_text_model_encoder_layers_{layer}_self_attn_{part}"
            found |= {f"{name}.lora_down.weight": torch.randn(4, 32), f"{name}.lora_up.weight": torch.randn(32, 4)}
            found[f"{name}.alpha"] = torch.tensor(4.0)
    save_file(found, target)
    return target


def single_file(base: Path, target: Path) -> Path:
    """A checkpoint's weights in one file, under the names that they had in the original programs."""
    from safetensors.torch import load_file, save_file

    unet = load_file(base / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(base / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(base / "text_encoder" / "model.safetensors")
    found = {f"model.diffusion_model.{_unet_name(name)}": value for name, value in unet.items()}
    for name, value in vae.items():
        attention = "attentions" in name and name.endswith("weight") and value.ndim == 2
        found[f"first_stage_model.{_vae_name(name)}"] = value[..., None, None] if attention else value
    for name, value in text.items():
        found[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = value
    save_file({name: value.contiguous() for name, value in found.items()}, target)
    return target


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def _unet_name(name: str) -> str:
    """diffusers counts levels and layers of each; the original counts blocks through."""
    for new, old in _ENDS.items():
        if name.startswith(f"{new}."):
            return old + name.removeprefix(new)
    if found := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        kind, layer, rest = found.groups()
        return f"middle_block.{2 * int(layer) if kind == 'resnets' else 1}.{_rest(kind, rest)}"
    found = re.fullmatch(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.*)", name)
    assert found, name
    way, level, kind, layer, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if kind == "downsamplers":
        return f"input_blocks.{3 * (level + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{3 * level + 2}.{1 if level == 0 else 2}.{rest}"
    block = f"input_blocks.{3 * level + layer + 1}" if way == "down" else f"output_blocks.{3 * level + layer}"
    return f"{block}.{0 if kind == 'resnets' else 1}.{_rest(kind, rest)}"


def _rest(kind: str, rest: str) -> str:
    if kind != "resnets":
        return rest
    head, dot, tail = rest.partition(".")
    return _RESNET[head] + dot + tail


def _vae_name(name: str) -> str:
    name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2", name)
    name = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", name)
    up = re.match(r"decoder\.up_blocks\.(\d)\.", name)
    if up:
        name = name.replace(up[0], f"decoder.up.{3 - int(up[1])}.")
        name = re.sub(r"resnets\.(\d)", r"block.\1", name).replace("upsamplers.0", "upsample")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    for new, old in (
        ("mid_block.attentions.0", "mid.attn_1"), ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"),
        ("to_out.0", "proj_out"), ("conv_shortcut", "nin_shortcut"), ("conv_norm_out", "norm_out"),
    ):  # fmt: skip
        name = name.replace(new, old)
    return name
