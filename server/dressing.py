"""The items of an answer with what the task asks for beside the result: its cost, its place, its receipt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.piece import Piece
from server.receipts import Made, Receipt, Taken

_ADDED = ("resultIndex", "cost", "receipt")
"""Members that are not the result's: an earlier one, made for another task, may have them otherwise."""


def dressed(
    piece: Piece, items: Iterable[dict[str, Any]], images: list[dict[str, Any]], uuid_member: str, *, cached: bool
) -> list[dict[str, Any]]:
    """The items for this task. `images` are the records of what they name, each by the UUID in its `uuid_member`."""
    bare = [{name: value for name, value in item.items() if name not in _ADDED} for item in items]
    for index, item in enumerate(bare):
        made = [image for image in images if image["uuid"] == item.get(uuid_member)]
        if len(bare) > 1:
            item["resultIndex"] = index
        if piece.job.include_cost:
            item["cost"] = 0
        if piece.job.include_receipt:
            item["receipt"] = _receipt(piece, item, made, cached)
    return bare


def _receipt(piece: Piece, item: dict[str, Any], made: list[dict[str, Any]], cached: bool) -> dict[str, Any]:
    receipt = Receipt(
        **piece.clock.told(),
        worker=piece.claim.worker,
        attempt=piece.attempt,
        inputs=[
            Taken(
                parameter=piece.job.spelling.get(place, place),
                hash=brought.content,
                bytes=brought.bytes,
            )
            for place, brought in piece.placed.items()
        ],
        outputs=[Made(image_uuid=image["uuid"], hash=image["hashes"][0], bytes=image["bytes"]) for image in made],
        cached=cached,
        model=item.get("model"),
    )
    return receipt.model_dump(by_alias=True, exclude_none=True)
