"""What makes two pieces of work the same: then one run serves both, and an earlier result serves later ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from blake3 import blake3

from server.config import Config
from server.content import content
from server.jobs import Job
from server.models import Models
from server.schema import Params, put, references
from server.task import Task


class Work:
    """Tells pieces of work apart."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._models = Models(config.models, config.models_folder, config.missing)

    def repeats(self, job: Job, task: Task[Any, Any], params: Params) -> bool:
        """Whether an earlier result may answer a job, or its own a later one."""
        wanted = self.config.cache_ttl > 0 and job.cache != "off" and not job.simulate
        return wanted and task.repeats(params)

    def key(self, job: Job, task: Task[Any, Any], params: Params, contents: Mapping[str, str]) -> str:
        """The same for the same work: of one tenant, or of all with `shared_cache`. `contents` has the name of what
        each reference stands for (see `content`); where the reference leads makes no difference."""
        config = self.config
        wire = params.model_dump(by_alias=True)
        for place, reference in references(params):
            put(wire, place, contents[reference])
        told = [
            "" if config.shared_cache else job.tenant, task.task_type, wire, job.limits,
            [config.max_side, config.max_pixels, config.max_decoded, config.max_working_side],
            self._models.fingerprint(), _program(task.handler),
        ]  # fmt: skip
        return blake3(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


@cache
def _program(handler: Callable[..., Any]) -> list[str]:
    """The version of the server, and of the file that a task is declared in: an author who changes it sees that."""
    return [version("taskarray"), content(Path(inspect.getfile(handler)))]
