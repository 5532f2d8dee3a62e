from server.task import Annotated, Context, Field, ImageRef, ImageResult, OutputParams, task


class Paints(OutputParams):
    width: Annotated[int, Field(ge=1, le=4096)] = 64
    noise: bool = False
    opaque: bool = True
    number_results: Annotated[int, Field(ge=1, le=4)] = 1
    input_image: ImageRef | None = None
    hoard: Annotated[int, Field(ge=0, description="Megabytes to take and hold.")] = 0


class Painted(ImageResult):
    input_image_uuid: str | None = None


@task("paints", seconds=20)
def paints(params: Paints, context: Context) -> list[Painted]:
    """Paint pictures, red or noise, opaque or half transparent."""
    import time

    from PIL import Image

    hoard = [bytearray(b"x" * 2**20) for _ in range(params.hoard)]
    time.sleep(2 if hoard else 0)
    size = (params.width, params.width)
    picture = Image.effect_noise(size, 100).convert("RGB") if params.noise else Image.new("RGB", size, "red")
    if not params.opaque:
        picture.putalpha(0)
    uuid = context.uuid(params.input_image) if params.input_image else None
    return [Painted(**context.save(picture, params), input_image_uuid=uuid) for _ in range(params.number_results)]
