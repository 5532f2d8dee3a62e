"""The command line: train a network, write it, and print how it does; or print that for the shipped ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.upscaler.evaluation import table
from server.engines.upscaling.builtin import CLEAN, ROBUST, WEIGHTS

_SHIPPED = {"clean": WEIGHTS[CLEAN], "robust": WEIGHTS[ROBUST]}


def main() -> None:
    """Train and measure what was asked for."""
    asked = _asked()
    paths = {kind: asked.out / path.name if asked.out else path for kind, path in _SHIPPED.items()}
    if not asked.measure:
        for kind in asked.kind:
            _train(kind, paths[kind], asked)
    robust = paths["robust"] if paths["robust"].exists() else _SHIPPED["robust"]
    for kind in asked.kind:
        size = paths[kind].stat().st_size
        print(f"\n{paths[kind].name}, {size / 1000:.0f} kB\n\n{table(paths[kind], robust)}", flush=True)


def _train(kind: str, path: Path, asked: argparse.Namespace) -> None:
    # Only training needs PyTorch.
    from bench.upscaler.export import export
    from bench.upscaler.training import train

    path.parent.mkdir(parents=True, exist_ok=True)
    export(train(kind, asked.steps, asked.seconds, asked.seed), path)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.upscaler", description=__doc__)
    parser.add_argument("--kind", nargs="+", choices=list(_SHIPPED), default=list(_SHIPPED), help="which; both if none")
    parser.add_argument("--measure", action="store_true", help="train nothing: only measure what is there")
    parser.add_argument("--out", type=Path, help="folder to write to; without it, the shipped weights are replaced")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=600, help="the most that training one network may take")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
