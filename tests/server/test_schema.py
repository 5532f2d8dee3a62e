"""Schemas: names on the wire, references to images wherever they stand, output parameters."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from server.catalog import read
from server.schema import ImageRef, OutputParams, Params, Schema, references, spelled, wire_name
from server.task import Context, Result, task


class Blend(Schema):
    operation: Literal["blend"]
    image: ImageRef
    opacity: Annotated[float, Field(ge=0, le=1)] = 1


class Turn(Schema):
    operation: Literal["turn"]
    degrees: int


class Guide(Schema):
    guide_image: ImageRef | None = None
    weight: float = 1


class Drawn(OutputParams):
    input_image: ImageRef
    mask_image: ImageRef | None = None
    input_images: list[ImageRef] = []  # noqa: RUF012
    name: str | int = ""
    operations: list[Annotated[Blend | Turn, Field(discriminator="operation")]] = []  # noqa: RUF012
    control_net: Guide | None = None


class Given(Result):
    text: str


@task("draws")
def draws(params: Drawn, context: Context) -> Given:
    """Draw things."""
    return Given(text="")


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("input_image_uuid", "inputImageUUID"),
        ("image_base64_data", "imageBase64Data"),
        ("image_data_uri", "imageDataURI"),
        ("cfg_scale", "CFGScale"),
        ("include_hands_and_face_open_pose", "includeHandsAndFaceOpenPose"),
        ("pre_processor_type", "preProcessorType"),
        ("guide_image_url", "guideImageURL"),
    ],
)
def test_wire_names(name: str, wire: str):
    """Names are snake_case in files and camelCase on the wire, acronyms in capitals."""
    assert wire_name(name) == wire


def drawn(**fields: object) -> Drawn:
    found = read(draws, {"inputImage": "one"} | fields)
    assert isinstance(found, Drawn), found
    return found


def test_references():
    """Every image that a task names is found with its place: alone, in lists, in members of members."""
    params = drawn(
        maskImage="two",
        inputImages=["three", "four"],
        name="no image",
        operations=[{"operation": "turn", "degrees": 3}, {"operation": "blend", "image": "five"}],
        controlNet={"guideImage": "six"},
    )
    assert {spelled(place): value for place, value in references(params)} == {
        "inputImage": "one",
        "maskImage": "two",
        "inputImages[0]": "three",
        "inputImages[1]": "four",
        "operations[1].image": "five",
        "controlNet.guideImage": "six",
    }


@pytest.mark.parametrize(
    ("fields", "parameter", "code"),
    [
        ({"operations": [{"operation": "turn", "degrees": "3"}]}, "operations[0].degrees", "invalidDegrees"),
        ({"operations": [{"operation": "blend"}]}, "operations[0].image", "missingImage"),
        (
            {"operations": [{"operation": "blend", "image": "x", "opacity": 2}]},
            "operations[0].opacity",
            "invalidOpacity",
        ),
        ({"operations": [{"operation": "melt"}]}, "operations[0]", "invalidOperations"),
        ({"operations": [7]}, "operations[0]", "invalidOperations"),
        ({"name": []}, "name", "invalidName"),
        ({"controlNet": {"weight": None}}, "controlNet.weight", "invalidWeight"),
        ({"inputImages": ["x", 7]}, "inputImages[1]", "invalidInputImages"),
    ],
    ids=str,
)
def test_places_of_refusals(fields: dict, parameter: str, code: str):
    """A refusal deep in an object names the place as the client wrote it, once."""
    found = read(draws, {"inputImage": "x"} | fields)
    assert isinstance(found, list), found
    assert [(refusal.parameter, refusal.code) for refusal in found] == [(parameter, code)]


def test_output_parameters():
    """Output parameters have the defaults of the wire, and their words are read in any case."""
    plain = drawn()
    assert (plain.output_type, plain.output_format, plain.output_quality, plain.ttl) == (("URL",), "JPG", 95, None)
    said = drawn(outputType=["DATAURI", "url"], outputFormat="jpeg")
    assert (said.output_type, said.output_format) == (("dataURI", "URL"), "JPG")
    again = read(draws, said.model_dump(by_alias=True, exclude_unset=True, mode="json"))
    assert again == said


def test_rules_of_a_parent():
    """A rule holds for the schemas made of the one that has it."""
    from server.schema import broken_rules, rule

    class Even(Params):
        width: int

        @rule("width")
        def even(self) -> bool:
            """width must be even."""
            return self.width % 2 == 0

    class Child(Even):
        height: int = 0

    assert broken_rules(Child(width=3)) == [("width", False, "width must be even.")]
