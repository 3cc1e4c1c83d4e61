# SPDX-License-Identifier: Apache-2.0
"""How a body is collected from what arrives."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_mstr.rest import body
from airflow_provider_mstr.rest.body import MAX_BODY_BYTES, BodyReader
from airflow_provider_mstr.rest.errors import InvalidResponse


def read(encoding: str | None, *parts: bytes) -> bytes:
    reader = BodyReader(encoding)
    for part in parts:
        reader.feed(part)
    return reader.finish()


@given(
    bodies=st.lists(st.binary(max_size=200), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    encoding=st.sampled_from([None, "identity", "gzip", "deflate"]),
)
def test_a_body_is_the_same_in_any_chunks(bodies: list[bytes], cuts: list[int], encoding: str | None) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}.get(encoding or "", bytes)
    data = b"".join(map(pack, bodies))
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    assert read(encoding, *(data[start:end] for start, end in pairwise(edges))) == b"".join(bodies)


@given(data=st.binary(max_size=100) | st.binary(max_size=50).map(gzip.compress).map(lambda data: data[:-1]))
def test_any_bytes_are_a_body_or_an_invalid_answer(data: bytes) -> None:
    with suppress(InvalidResponse):
        assert read("gzip", data) == gzip.decompress(data)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", None])
def test_no_body_is_an_empty_body(encoding: str | None) -> None:
    assert read(encoding) == b""


def test_a_bomb_is_not_unzipped_beyond_the_limit() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponse, match="larger than 32 MiB") as caught:
            read("gzip", bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BODY_BYTES
    finally:
        tracemalloc.stop()
    assert caught.value.too_large


def test_a_long_row_of_empty_parts_is_rejected_by_what_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", 2**20)
    part = gzip.compress(b"", mtime=0) * 1000
    with pytest.raises(InvalidResponse, match="larger than 1 MiB"):
        read("gzip", *[part] * (2**21 // len(part)))


TEXT = b"a body " * 50


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (None, TEXT),
        (" Identity ", TEXT),
        ("GZIP", gzip.compress(TEXT, mtime=0)),
        ("x-gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:100], mtime=0) + gzip.compress(TEXT[100:], mtime=0)),
    ],
)
@pytest.mark.parametrize("size", [1, 30, 1000])
def test_a_body_is_collected_from_its_parts(encoding: str | None, data: bytes, size: int) -> None:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    assert read(encoding, *parts) == TEXT


@pytest.mark.parametrize(
    ("encoding", "data", "what"),
    [
        ("br", b"", "the response has a Content-Encoding other than gzip and deflate"),
        ("gzip", gzip.compress(TEXT, mtime=0)[:-1], "the gzip data of the response is incomplete"),
        ("gzip", b"<html>", "the response is not the gzip data that its headers announce"),
    ],
)
def test_a_body_that_is_not_valid_names_the_problem(encoding: str, data: bytes, what: str) -> None:
    with pytest.raises(InvalidResponse) as caught:
        read(encoding, data)
    assert caught.value.what == what
    assert not caught.value.too_large


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_body_may_be_as_large_as_the_limit(monkeypatch: pytest.MonkeyPatch, encoding: str | None) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", len(TEXT))
    pack = gzip.compress if encoding else bytes
    assert read(encoding, pack(TEXT)) == TEXT
    with pytest.raises(InvalidResponse):
        read(encoding, pack(TEXT + b"!"))


def test_a_further_part_counts_although_the_first_is_as_large_as_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", len(TEXT))
    with pytest.raises(InvalidResponse, match="larger than"):
        read("gzip", gzip.compress(TEXT, mtime=0) + gzip.compress(b"!", mtime=0))


def test_no_part_is_unzipped_further_than_a_byte_above_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_BODY_BYTES", 1000)
    reader = BodyReader("gzip")
    reader.feed(gzip.compress(bytes(600), mtime=0))
    with pytest.raises(InvalidResponse):
        reader.feed(gzip.compress(bytes(10_000), mtime=0))
    assert len(reader._body) == 1001
