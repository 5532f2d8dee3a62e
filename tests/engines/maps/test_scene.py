"""Maps by networks that judge every pixel: depth, normals, segmentation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy
import pytest
from skimage import data

from server.engines.maps.scene import depth, normals, palette, segmentation
from server.errors import ProcessingFailed
from tests.engines.maps.networks import constant, mixed, plain

COFFEE = data.coffee()
RED, BLUE = (200, 30, 30), (30, 30, 200)


def _halves() -> numpy.ndarray:
    """Red on the left, blue on the right, twice as wide as high."""
    picture = numpy.zeros((100, 200, 3), numpy.uint8)
    picture[:, :100], picture[:, 100:] = RED, BLUE
    return picture


def _levels(low: int, high: int) -> numpy.ndarray:
    return numpy.linspace(low, high, 64 * 64).reshape(1, 1, 64, 64)


def test_near_is_bright(tmp_path: Path):
    """depth shows the nearest as white and the farthest as black, whatever numbers the network uses for them."""
    network = mixed(tmp_path / "depth.onnx", [[1000, 0, 0]])
    map_ = depth(_halves(), network, plain(size=[64, 32]))
    assert (map_[:, :90] > 250).all()
    assert (map_[:, 110:] < 5).all()


def test_distances_are_turned_round(tmp_path: Path):
    """With the option `distance`, what the network gives the largest number is the darkest."""
    network = mixed(tmp_path / "depth.onnx", [[1, 0, 0]])
    near, far = (depth(COFFEE, network, plain(distance=distance)).astype(int) for distance in (False, True))
    assert abs(near - (255 - far)).max() <= 1
    assert abs(near - far).mean() > 50


@pytest.mark.parametrize("form", [(1, 64, 64), (1, 1, 64, 64), (64, 64)])
def test_depth_in_several_forms(tmp_path: Path, form: tuple[int, ...]):
    """depth takes a number for each pixel with or without the axes of one; it comes at the size of the picture."""
    network = constant(tmp_path / "depth.onnx", depth=_levels(3, 9).reshape(form))
    map_ = depth(COFFEE, network, {})
    assert map_.shape == COFFEE.shape[:2]
    assert (map_.min(), map_.max()) == (0, 255)


def test_flat_and_broken_depth(tmp_path: Path):
    """Depth that is the same everywhere, or no number at all, is black."""
    for name, level in (("flat", 7.0), ("none", numpy.nan)):
        network = constant(tmp_path / f"{name}.onnx", depth=numpy.full((1, 64, 64), level))
        assert not depth(COFFEE, network, {}).any()


def test_colours_go_in_as_the_network_learnt_them(tmp_path: Path):
    """A network gets red, green, blue less the mean and by the deviation in its options; of ImageNet without."""
    picture = numpy.full((8, 8, 3), (255, 128, 0), numpy.uint8)
    wanted = (numpy.array([1, 128 / 255, 0]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    network = mixed(tmp_path / "same.onnx", numpy.eye(3).tolist())
    seen = normals(picture, network, {"size": 8})[4, 4] / 127.5 - 1
    assert seen == pytest.approx(wanted / numpy.linalg.norm(wanted), abs=0.01)
    seen = normals(picture, network, {"size": 8, "mean": [0.5, 0.5, 0.5], "std": 0.5})[4, 4] / 127.5 - 1
    assert seen == pytest.approx(numpy.array([1, 0, -1]) / 2**0.5, abs=0.01)


def test_normals_are_directions(tmp_path: Path):
    """normals come as colours of directions of length one; the option `flip` turns axes round."""
    up = numpy.zeros((1, 3, 64, 64))
    up[:, 1] = 5
    network = constant(tmp_path / "normals.onnx", normals=up)
    assert (normals(COFFEE, network, {}) == (128, 255, 128)).all()
    assert (normals(COFFEE, network, {"flip": [1, -1, 1]}) == (128, 0, 128)).all()


def test_pixels_get_the_colour_of_their_class(tmp_path: Path):
    """seg paints each pixel in the colour of its most likely class, with sharp borders."""
    network = mixed(tmp_path / "seg.onnx", [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    map_ = segmentation(_halves(), network, plain(size=[64, 32]))
    colours = palette()
    assert (map_[:, :98] == colours[0]).all()
    assert (map_[:, 102:] == colours[2]).all()
    assert len(numpy.unique(map_.reshape(-1, 3), axis=0)) == 2


def test_classes_by_number_and_own_colours(tmp_path: Path):
    """seg takes numbers of classes too, and the colours in the option `palette`."""
    classes = numpy.repeat([[[[0, 1, 2, 3]]]], 4, axis=2).astype(float)
    network = constant(tmp_path / "seg.onnx", seg=classes)
    own = [[10, 20, 30], [120, 120, 120], [180, 120, 120], [6, 230, 230]]
    map_ = segmentation(numpy.zeros((40, 40, 3), numpy.uint8), network, {"palette": own})
    assert map_[20, [5, 15, 25, 35]].tolist() == own


def test_no_two_classes_look_alike():
    """The computed colours are all different, and those of classes next to each other are far apart."""
    colours = numpy.array(palette())
    assert len(numpy.unique(colours, axis=0)) == 256
    assert numpy.abs(numpy.diff(colours, axis=0)).sum(axis=1).min() > 100


def test_pictures_of_any_size(tmp_path: Path):
    """One pixel, or a line of them, goes in and comes out."""
    network = mixed(tmp_path / "any.onnx", numpy.eye(3).tolist(), (32, 32))
    for size in ((1, 1), (1, 500), (500, 1)):
        picture = numpy.full((*size, 3), 90, numpy.uint8)
        for draw in (normals, segmentation):
            assert draw(picture, network, {}).shape == (*size, 3)


def test_networks_that_do_not_fit(tmp_path: Path):
    """A file that is no network, or one of another kind, is refused by its name, not by where it lies."""
    garbage = tmp_path / "garbage.onnx"
    garbage.write_bytes(b"no network")
    for network, options, word in (
        (garbage, {}, "garbage.onnx"),
        (tmp_path / "gone.onnx", {}, "gone.onnx"),
        (mixed(tmp_path / "three.onnx", numpy.eye(3).tolist()), {}, "1 × 3 × 512 × 512"),
        (mixed(tmp_path / "one.onnx", [[1, 0, 0]]), {"output": "depth"}, "depth"),
        (_of_vectors(tmp_path / "vectors.onnx"), {}, "must be 1 × 3 × height × width"),
    ):
        with pytest.raises(ProcessingFailed) as caught:
            depth(COFFEE, network, options)
        assert word in caught.value.message
        assert str(tmp_path) not in caught.value.message
    with pytest.raises(ProcessingFailed):
        normals(COFFEE, tmp_path / "one.onnx", {})
    with pytest.raises(ProcessingFailed):
        segmentation(COFFEE, constant(tmp_path / "few.onnx", seg=numpy.zeros(5)), {})


def _of_vectors(path: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper

    names = ("words", "more")
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 5]) for name in names)
    graph = helper.make_graph([helper.make_node("Relu", ["words"], ["more"])], "text", [given], [made])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_half_precision(tmp_path: Path):
    """A network of half precision gets its numbers in half precision."""
    import onnx
    from onnx import TensorProto, helper

    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1, 3, 16, 16]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "half", [given], [made])
    path = tmp_path / "half.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    black = normals(numpy.zeros((16, 16, 3), numpy.uint8), path, {"mean": [0, 0, -1], "std": 1})
    assert (black == (128, 128, 0)).all()


def test_details_survive(tmp_path: Path):
    """A map is at the place of its picture: a network that repeats the picture gives the picture again."""
    network = mixed(tmp_path / "grey.onnx", [[1 / 3, 1 / 3, 1 / 3]])
    map_ = depth(COFFEE, network, plain(size=[600, 400]))
    grey = cv2.normalize(COFFEE.mean(axis=2), None, 0, 255, cv2.NORM_MINMAX)
    assert abs(map_ - grey).max() < 2
