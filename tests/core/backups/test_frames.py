"""A frame cut anywhere is one that was cut, whatever it holds"""

from pathlib import Path

import pytest

from scripts.core.backups import frames

FRAMES = {
    "of unknown size, as pg_dump makes them": "28b52ffd005859000061626309310a5c2e0a0a0a",
    "with a compressed block": "28b52ffd0058950200b28a130bb0a70dad11896c1b8a011d8379c8420ef2c82257a63c593290"
    "47173df4e9d2dbd9d7d5411f5cf0c0870b2f271f17077c6cb1c39e2dbb9b7b5b1beca1850e7ab4e86aea6969a0c7e2f02c77be1500",
    "of nothing, with its sum": "28b52ffd240001000099e9d851",
    "with its size in one byte, and its sum": "28b52ffd2414a100002d8c13ef42ac4a247c4f738dd7017c080e34c6dbbd47d97b",
    "with its size in two bytes": "28b52ffd602c004d00001000000100272ac002",
    "with its size in four bytes, and its sum": "28b52ffda47011010055000010000001006b1139c002f865eb5e",
    "with blocks of one byte, repeated": "28b52ffd00585400001000000100fbff39c002020010000200100002001000033e0900",
}
"""What the program `zstd` made of a few lines, of nothing, of random bytes and of many zeros."""


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_cut_at_any_byte_is_cut_short(kind: str, tmp_path: Path) -> None:
    frame = bytes.fromhex(FRAMES[kind])
    path = tmp_path / "1.dat.zst"
    path.write_bytes(frame)
    assert not frames.cut_short(path)

    for at in range(len(frame)):
        path.write_bytes(frame[:at])
        assert frames.cut_short(path), at


def test_what_follows_a_frame_does_not_belong_to_it(tmp_path: Path) -> None:
    path = tmp_path / "1.dat.zst"
    path.write_bytes(bytes.fromhex(FRAMES["with a compressed block"]) + b"more")

    assert frames.cut_short(path)


def test_the_file_of_an_empty_large_object_is_empty(tmp_path: Path) -> None:
    for name in ("blob_1.dat.zst", "1.dat.zst"):
        (tmp_path / name).touch()

    assert not frames.cut_short(tmp_path / "blob_1.dat.zst")
    assert frames.cut_short(tmp_path / "1.dat.zst")


def test_a_gzip_file_is_cut_where_pg_restore_does_not_see_it(tmp_path: Path) -> None:
    path = tmp_path / "1.dat.gz"
    for content in (b"", b"\x1f"):
        path.write_bytes(content)
        assert frames.cut_short(path)
