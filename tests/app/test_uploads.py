"""Image files: which are taken, which are refused, and what they decode to."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from app.errors import ApiError, Code
from app.uploads import Upload, check_kind, decode, open_header
from tests.app.parts import grey, image_file

MAX_PIXELS = 10_000


def decoded(data: bytes) -> Upload:
    return decode(data, "image", MAX_PIXELS)


def refusal(data: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        decoded(data)
    return caught.value


def png_header(width: int, height: int, bit_depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that ends after its header."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, bit_depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def colours(height: int = 8, width: int = 6) -> np.ndarray:
    return np.stack([grey(height, width), grey(height, width) + 50, grey(height, width) + 100], axis=2)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_lossless_files_decode_to_their_pixels(file_format: str) -> None:
    upload = decoded(image_file(colours(), file_format=file_format, lossless=True))
    assert (upload.pixels == colours()).all() and upload.alpha is None
    assert (upload.facts["format"], upload.facts["width"], upload.facts["height"]) == (file_format, 6, 8)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("1", 1), ("P", 3), ("RGB", 3)])
def test_every_usual_mode_becomes_grey_or_rgb(mode: str, channels: int) -> None:
    upload = decoded(image_file(grey(), mode))
    assert upload.pixels.shape == (8, 6, channels) and upload.pixels.dtype == np.uint8


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_comes_apart_from_the_pixels(mode: str) -> None:
    image = Image.fromarray(grey()).convert(mode)
    image.putpixel((2, 1), (*[0] * (len(mode) - 1), 0))
    upload = decoded(image_file(image))
    assert upload.alpha is not None and upload.has_holes
    assert upload.alpha[1, 2] == 0 and (upload.alpha == 255).sum() == 47


def test_a_transparent_palette_colour_is_transparency() -> None:
    upload = decoded(image_file(grey(), "P", transparency=0))
    assert upload.has_holes and upload.pixels.shape[2] == 3


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    upload = decoded(image_file(grey(), exif=exif))
    assert (upload.pixels[:, :, 0] == np.rot90(grey(), -1)).all()


def test_two_hundred_megapixels_are_refused_by_the_header_alone() -> None:
    error = refusal(png_header(20_000, 10_000))
    assert error.code == Code.IMAGE_TOO_LARGE
    assert "20000x10000" in error.message and "at most 10000 pixels" in error.message


def test_a_truncated_jpeg_is_unreadable() -> None:
    whole = image_file(np.random.default_rng(0).integers(0, 256, (64, 64, 3)), file_format="JPEG")
    error = refusal(whole[: len(whole) // 2])
    assert error.code == Code.IMAGE_UNREADABLE
    assert "cut short" in error.message


@pytest.mark.parametrize("data", [b"", b"hello, world\n" * 10, b"GIF89a" + b"\0" * 50, b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_of_ours_is_refused(data: bytes) -> None:
    error = refusal(data)
    assert error.code == Code.UNSUPPORTED_IMAGE
    assert "PNG, JPEG or WebP" in error.message


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused_although_pillow_reads_them(file_format: str) -> None:
    assert refusal(image_file(grey(), file_format=file_format)).code == Code.UNSUPPORTED_IMAGE


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_an_animation_is_refused(file_format: str) -> None:
    frames = [Image.fromarray(grey()), Image.fromarray(255 - grey())]
    error = refusal(image_file(frames[0], file_format=file_format, save_all=True, append_images=frames[1:]))
    assert error.code == Code.UNSUPPORTED_IMAGE and "animated" in error.message


def test_sixteen_bit_grey_is_refused() -> None:
    error = refusal(image_file(Image.fromarray(np.arange(48, dtype=np.uint16).reshape(8, 6) * 1000)))
    assert error.code == Code.UNSUPPORTED_IMAGE and "16 bits" in error.message


def test_sixteen_bit_colour_is_refused_although_pillow_would_cut_it_down() -> None:
    assert "16 bits" in refusal(png_header(6, 8, bit_depth=16)).message


def test_cmyk_is_refused() -> None:
    error = refusal(image_file(colours(), "CMYK", "JPEG"))
    assert error.code == Code.UNSUPPORTED_IMAGE and "CMYK" in error.message


def test_a_bomb_in_a_text_chunk_is_unreadable_not_fatal() -> None:
    text = b"zTXt" + b"key\0\0" + zlib.compress(b"\0" * 80_000_000)
    whole = image_file(grey())
    bomb = whole[:33] + struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text)) + whole[33:]
    assert refusal(bomb).code in (Code.IMAGE_UNREADABLE, Code.UNSUPPORTED_IMAGE)


def test_a_bomb_of_many_colour_profiles_is_refused_before_any_is_inflated() -> None:
    profile = b"iCCP" + b"key\0\0" + zlib.compress(b"\0" * 900_000)
    chunk = struct.pack(">I", len(profile) - 4) + profile + struct.pack(">I", zlib.crc32(profile))
    whole = image_file(grey())
    assert decoded(whole[:33] + chunk + whole[33:]).pixels.shape == (8, 6, 1)
    for bomb in (whole[:33] + 2 * chunk + whole[33:], whole[:-12] + 2 * chunk + whole[-12:]):
        assert "several colour profiles" in refusal(bomb).message


def test_a_png_whose_header_is_hidden_from_us_is_refused_although_pillow_finds_it() -> None:
    """Behind another chunk, or longer than it should be."""
    whole = image_file(grey())
    header, rest = whole[16:29], whole[33:]
    long_header = b"IHDR" + header + b"\0"
    longer = whole[:8] + struct.pack(">I", 14) + long_header + struct.pack(">I", zlib.crc32(long_header)) + rest
    other = struct.pack(">I", 0) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
    for hidden in (longer, whole[:8] + other + whole[8:]):
        assert Image.open(io.BytesIO(hidden)).size == (6, 8)
        error = refusal(hidden)
        assert error.code == Code.UNSUPPORTED_IMAGE and "does not begin with its header" in error.message


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_damage_anywhere_is_a_refusal_or_an_image_never_a_crash(file_format: str) -> None:
    whole = image_file(colours(), file_format=file_format)
    random = np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            damaged[place] = random.integers(0, 256)
        try:
            decoded(bytes(damaged[: random.integers(1, len(whole) + 1)]))
        except ApiError as error:
            assert error.code in (Code.IMAGE_UNREADABLE, Code.UNSUPPORTED_IMAGE, Code.IMAGE_TOO_LARGE)


def test_the_facts_name_the_file_by_its_hash() -> None:
    data = image_file(grey())
    assert decoded(data).facts["sha256"] == decoded(data).facts["sha256"] != decoded(data + b"\0").facts["sha256"]
    assert Image.open(io.BytesIO(data)).mode == decoded(data).facts["mode"] == "L"


def test_a_jpeg_with_a_second_picture_is_a_still() -> None:
    first, second = Image.fromarray(grey()), Image.fromarray(255 - grey())
    with open_header(image_file(first, file_format="MPO", save_all=True, append_images=[second]), "image") as image:
        assert image.format == "MPO"
        check_kind(image, "image")


def png_chunk(kind: bytes) -> bytes:
    """Without content."""
    return struct.pack(">I", 0) + kind + struct.pack(">I", zlib.crc32(kind))


@pytest.mark.parametrize("place", ["before the pixels", "after the pixels"])
def test_a_png_of_too_many_chunks_is_refused(place: str) -> None:
    file = image_file(colours())
    at = 33 if place == "before the pixels" else len(file) - 12
    few, many = (file[:at] + png_chunk(b"abCd") * number + file[at:] for number in (100, 200_000))
    assert (decoded(few).pixels == colours()).all()
    assert "made of too many parts" in refusal(many).message


@pytest.mark.parametrize("part", [b"\xff\xe5\0\x02", b"\xff"], ids=["empty segments", "filling bytes"])
def test_a_jpeg_of_too_many_segments_is_refused(part: bytes) -> None:
    file = image_file(colours(), file_format="JPEG")
    few, many = (file[:2] + part * number + file[2:] for number in (100, 200_000))
    assert decoded(few).pixels.shape == colours().shape
    assert "made of too many parts" in refusal(many).message


def test_a_png_of_small_chunks_of_pixels_is_taken() -> None:
    """Programs that write on as they compress may make them of 8 kB, or smaller ones."""
    file = image_file(colours())
    start, length = file.index(b"IDAT") - 4, struct.unpack_from(">I", file, file.index(b"IDAT") - 4)[0]
    data = file[start + 8 : start + 8 + length]
    kinds = [b"IDAT" + data[k : k + 1] for k in range(length)]
    chunks = [struct.pack(">I", 1) + kind + struct.pack(">I", zlib.crc32(kind)) for kind in kinds]
    assert (decoded(file[:start] + b"".join(chunks) + file[start + 12 + length :]).pixels == colours()).all()
