"""What makes two pieces of work the same, and which are ever answered from an earlier result."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from server.config import Config
from server.jobs import Job
from server.queue import Queue
from server.work import Work
from tasks.image_inference import image_inference
from tasks.prompt_enhance import prompt_enhance
from tasks.upscale import upscale
from tests.server.jobs import DONE, claim, claimed, new_job, submit

ONE, OTHER = "blake3:" + "1" * 64, "blake3:" + "2" * 64


def key(work: Work, job: Job | None = None, content: str = ONE, **fields: Any) -> str:
    params = upscale.params.model_validate({"inputImage": "it"} | fields, by_alias=True, by_name=False)
    return work.key(job or new_job(), upscale, params, {params.input_image: content})


def test_the_same_work(config: Config):
    """Work is the same however its images are named, whether defaults are said or left out, and whoever is told."""
    work = Work(config)
    assert key(work) == key(work) == key(work, inputImage="http://elsewhere/1.png")
    assert key(work) == key(work, upscaleFactor=2, outputQuality=95, outputFormat="jpeg")
    assert key(work) == key(work, new_job(include_cost=True, priority=3, upload="http://there/"))


def test_other_work(config: Config):
    """Another content, parameter, limit or key makes other work."""
    work = Work(config)
    others = [
        key(work, content=OTHER),
        key(work, upscaleFactor=3),
        key(work, ttl=60),
        key(work, new_job(limits={"max_side": 100})),
        key(work, new_job("t2")),
        key(Work(config.model_copy(update={"max_side": 100}))),
    ]
    assert len({key(work), *others}) == 1 + len(others)


def test_shared(config: Config):
    """With a shared cache the work of all keys is one."""
    work = Work(config.model_copy(update={"shared_cache": True}))
    assert key(work, new_job("t1")) == key(work, new_job("t2"))


def test_models(config: Config, tmp_path: Path):
    """Weights that are installed, or replaced by others, make other work."""
    (tmp_path / "table.toml").write_text(
        '[[model]]\nair = "acme:1@1"\nname = "Acme"\nkind = "upscaler"\nengine = "onnx"\nfile = "acme.onnx"\n'
    )
    weights = tmp_path / "weights" / "acme.onnx"
    weights.parent.mkdir()
    settings = config.model_copy(update={"models": tmp_path / "table.toml", "models_dir": weights.parent})
    found = [key(Work(settings))]
    weights.write_bytes(b"weights")
    found.append(key(Work(settings)))
    assert key(Work(settings)) == found[-1]
    os.utime(weights, ns=(1, 1))
    found.append(key(Work(settings)))
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("settings", "job", "repeats"),
    [
        ({}, {}, True),
        ({}, {"cache": "refresh"}, True),
        ({}, {"cache": "off"}, False),
        ({}, {"simulate": {"delay_ms": 1}}, False),
        ({"cache_ttl": 0.0}, {}, False),
    ],
)
def test_what_is_repeated(config: Config, settings: dict[str, Any], job: dict[str, Any], repeats: bool):
    """No result is used again where the task or the server says so, nor that of a simulated fault."""
    params = upscale.params.model_validate({"inputImage": "it"}, by_alias=True)
    work = Work(config.model_copy(update=settings))
    assert work.repeats(replace(new_job(), **job), upscale, params) is repeats


def test_what_is_left_to_chance():
    """A picture is drawn anew unless a seed says which; a prompt is enhanced anew each time."""
    asked = {"positivePrompt": "a cat"}
    drawn = [image_inference.params.model_validate(asked | more, by_alias=True) for more in ({}, {"seed": 5})]
    assert [image_inference.repeats(params) for params in drawn] == [False, True]
    assert not prompt_enhance.repeats(prompt_enhance.params.model_validate({"prompt": "a cat"}, by_alias=True))


async def test_a_result_that_is_of_no_use(queue: Queue):
    """Of those who can make nothing of an earlier result, one does the work and the others wait for it."""
    leader = await claimed(queue)
    assert await queue.lead(leader, "work", 60) == "lead"
    await queue.finish(leader, DONE, 0.1)
    first, second = await claimed(queue), await claimed(queue, "w2")
    found = [await queue.lead(one, "work", 60) for one in (first, second)]
    assert found[0] == found[1] == ("t1", leader.job.uuid, {"items": DONE.items})
    passed = f"t1:{leader.job.uuid}"
    assert [await queue.lead(one, "work", 60, passed) for one in (first, second)] == ["lead", "follow"]
    await queue.finish(first, DONE, 0.1)
    assert (await queue.lead(await claim(queue), "work", 60))[1] == first.job.uuid


async def test_another_task_by_that_name(queue: Queue, redis: Redis):
    """When the task that did the work is forgotten and its UUID has been given to other work, that is no answer."""
    leader = await claimed(queue)
    assert await queue.lead(leader, "work", 60) == "lead"
    await queue.finish(leader, DONE, 0.1)
    await redis.delete(f"{queue.store.bases[0]}:task:{leader.job.tenant}:{leader.job.uuid}")
    await submit(queue, new_job(uuid=leader.job.uuid))
    other = await claim(queue)
    assert await queue.lead(other, "other work", 60) == "lead"
    await queue.finish(other, DONE, 0.1)
    assert await queue.lead(await claimed(queue), "work", 60) == "lead"
