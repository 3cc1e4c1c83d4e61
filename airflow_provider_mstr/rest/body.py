# SPDX-License-Identifier: Apache-2.0
"""The body of a response: collected, decompressed, and limited in size."""

from __future__ import annotations

import zlib

from airflow_provider_mstr.rest.errors import InvalidResponse

# A list of 80,000 tables fits; a longer one is read page by page. To parse JSON of this size takes a third of
# a second.
MAX_BODY_BYTES = 32 * 2**20

ACCEPT_ENCODING = "gzip"

_ZIPPED = frozenset({"gzip", "x-gzip", "deflate"})
_PLAIN = frozenset({"", "identity"})

# zlib detects gzip and zlib ("deflate") by itself.
_ANY_WINDOW = zlib.MAX_WBITS | 32


class BodyReader:
    """Collects a body; never decompresses more than the limit.

    :param encoding: the value of Content-Encoding, None if there is none
    :raises InvalidResponse: if the encoding is unknown
    """

    def __init__(self, encoding: str | None) -> None:
        name = (encoding or "").strip().lower()
        if name not in _ZIPPED | _PLAIN:
            raise InvalidResponse("the response has a Content-Encoding other than gzip and deflate")
        self._body = bytearray()
        self._received = 0
        self._is_zipped = name in _ZIPPED
        self._unzip = zlib.decompressobj(_ANY_WINDOW)

    def feed(self, data: bytes) -> None:
        """Add received bytes.

        :param data: the next bytes of the body, not decoded
        :raises InvalidResponse: if the body exceeds the limit, or is not valid gzip data
        """
        self._received += len(data)
        if self._is_zipped:
            self._feed_zipped(data)
        else:
            self._body += data
        if max(len(self._body), self._received) > MAX_BODY_BYTES:
            raise InvalidResponse(
                f"the response is larger than {MAX_BODY_BYTES // 2**20} MiB", too_large=True
            )

    def finish(self) -> bytes:
        """Return the whole body.

        :raises InvalidResponse: if its gzip data is incomplete
        """
        if self._is_zipped and self._received and not self._unzip.eof:
            raise InvalidResponse("the gzip data of the response is incomplete")
        return bytes(self._body)

    def _feed_zipped(self, data: bytes) -> None:
        while data and len(self._body) <= MAX_BODY_BYTES:
            if self._unzip.eof:
                # A gzip body may have several parts.
                self._unzip = zlib.decompressobj(_ANY_WINDOW)
            try:
                self._body += self._unzip.decompress(data, MAX_BODY_BYTES + 1 - len(self._body))
            except zlib.error:
                raise InvalidResponse("the response is not the gzip data that its headers announce") from None
            data = self._unzip.unused_data
