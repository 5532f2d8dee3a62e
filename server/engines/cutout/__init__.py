"""Cut the subject of a picture out of its background: find it, give it an edge, free its colours of the background.

`cut` does all of it without a model; `finish` does the rest for a subject that a model found.
"""

from __future__ import annotations

from dataclasses import dataclass

from server.engines.cutout.edges import enlarged, foreground, guided, smoothed
from server.engines.cutout.matting import Trimap, matted
from server.engines.cutout.subject import Subject, find
from server.engines.vision import Array, Progress, silent


@dataclass(frozen=True)
class Cutout:
    """The subject alone.

    `alpha` is h×w uint8; `colours` h×w×3 uint8, free of background and zero where alpha is 0. `confidence` is 0 to 1;
    `notice` says in a sentence what may be wrong, if anything.
    """

    alpha: Array
    colours: Array
    engine: str
    confidence: float
    notice: str


@dataclass(frozen=True)
class Edges:
    """How the edge is made: `smooth` rounds the mask off, `matting` solves the edge anew from this trimap."""

    smooth: bool = False
    matting: Trimap | None = None


def cut(picture: Array, progress: Progress = silent, edges: Edges | None = None) -> Cutout:
    """The subject of an RGB picture (h×w×3 uint8, any size), by the backdrop or by what stands out."""
    return finish(picture, find(picture, progress), progress, edges or Edges())


def finish(picture: Array, subject: Subject, progress: Progress, edges: Edges) -> Cutout:
    """The cut-out of a subject that was found in an RGB picture."""
    progress(0.6, "edges")
    alpha = enlarged(subject.mask, picture) if subject.exact else guided(picture, subject.mask)
    if edges.smooth:
        alpha = smoothed(alpha)
    notices = [subject.notice]
    if edges.matting:
        progress(0.7, "matting")
        fine, why = matted(picture, alpha, edges.matting)
        if fine is None:
            fine = guided(picture, alpha / 255) if subject.exact else alpha
        alpha = fine
        notices.append(why)
    progress(0.8, "colours")
    notice = " ".join(sentence for sentence in notices if sentence)
    return Cutout(alpha, foreground(picture, alpha), subject.engine, subject.confidence, notice)
