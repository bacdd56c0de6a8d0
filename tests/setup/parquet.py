"""Reads one column of strings from a Parquet file, with the standard library.

As much of the format as the pinned file needs: one column of optional strings, none
of them null, in pages of version 1, compressed with Snappy, plain or by a dictionary.
Anything else is an error. Made for files whose digest was checked.
"""

from __future__ import annotations

import struct
from typing import Any

PLAIN, PLAIN_DICTIONARY, RLE_DICTIONARY = 0, 2, 8
DATA_PAGE, DICTIONARY_PAGE = 0, 2
UNCOMPRESSED, SNAPPY = 0, 1


class ParquetError(Exception):
    """What in the file is not of the kind that is read."""


def strings(data: bytes) -> list[str]:
    """The values of the file's only column."""
    if data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        raise ParquetError("it is no Parquet file")
    length = struct.unpack("<I", data[-8:-4])[0]
    # Field numbers are those of parquet.thrift.
    footer, _ = read_struct(data, len(data) - 8 - length)
    values: list[str] = []
    for group in footer[4]:
        if len(group[1]) != 1:
            raise ParquetError(f"it has {len(group[1])} columns, expected one")
        values += column(data, group[1][0][3])
    if len(values) != footer[3]:
        raise ParquetError(f"it has {len(values)} values, its footer says {footer[3]}")
    return values


def column(data: bytes, meta: dict[int, Any]) -> list[str]:
    codec, wanted, at = meta[4], meta[5], meta.get(11, meta[9])
    dictionary: list[str] = []
    values: list[str] = []
    while len(values) < wanted:
        header, at = read_struct(data, at)
        page = data[at : at + header[3]]
        at += header[3]
        if codec == SNAPPY:
            page = snappy(page)
        elif codec != UNCOMPRESSED:
            raise ParquetError(f"it is compressed with codec {codec}, expected Snappy")
        if header[1] == DICTIONARY_PAGE:
            dictionary = plain(page, header[7][1])
        elif header[1] == DATA_PAGE:
            count, encoding = header[5][1], header[5][2]
            levels = struct.unpack("<I", page[:4])[0]
            if any(level != 1 for level in hybrid(page[4 : 4 + levels], 1, count)):
                raise ParquetError("it has values that are null")
            page = page[4 + levels :]
            if encoding == PLAIN:
                values += plain(page, count)
            elif encoding in (PLAIN_DICTIONARY, RLE_DICTIONARY):
                values += [dictionary[index] for index in hybrid(page[1:], page[0], count)]
            else:
                raise ParquetError(f"a page has encoding {encoding}")
        else:
            raise ParquetError(f"a page is of type {header[1]}")
    return values


def plain(page: bytes, count: int) -> list[str]:
    values, at = [], 0
    for _ in range(count):
        end = at + 4 + int.from_bytes(page[at : at + 4], "little")
        values.append(page[at + 4 : end].decode())
        at = end
    return values


def hybrid(data: bytes, width: int, count: int) -> list[int]:
    """Runs of one number, and numbers of `width` bits in groups of eight."""
    values: list[int] = []
    at, mask = 0, (1 << width) - 1
    while len(values) < count:
        header, at = varint(data, at)
        if header & 1:
            length = (header >> 1) * width
            step = width * 8
            # Of a long run, group by group: shifting all of it takes time by its square.
            for group in range(header >> 1):
                eight = int.from_bytes(data[at + group * width : at + (group + 1) * width], "little")
                values += [(eight >> shift) & mask for shift in range(0, step, width)]
            at += length
        else:
            size = (width + 7) // 8
            values += [int.from_bytes(data[at : at + size], "little")] * (header >> 1)
            at += size
    return values[:count]


def snappy(data: bytes) -> bytes:
    """Of https://github.com/google/snappy/blob/main/format_description.txt."""
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            size = tag >> 2
            if size >= 60:
                wide = size - 59
                size = int.from_bytes(data[at : at + wide], "little")
                at += wide
            out += data[at : at + size + 1]
            at += size + 1
            continue
        if tag & 3 == 1:
            size, back = 4 + (tag >> 2 & 7), (tag >> 5) << 8 | data[at]
            at += 1
        else:
            wide = 2 if tag & 3 == 2 else 4
            size, back = 1 + (tag >> 2), int.from_bytes(data[at : at + wide], "little")
            at += wide
        begin = len(out) - back
        if back == 0 or begin < 0:
            raise ParquetError("its Snappy stream is damaged")
        # A copy may reach into what it writes itself.
        piece = bytes(out[begin : begin + size])
        out += (piece * (size // len(piece) + 1))[:size]
    if len(out) != length:
        raise ParquetError("its Snappy stream is damaged")
    return bytes(out)


# --- Thrift's compact protocol ----------------------------------------------------------


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def read_struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    fields: dict[int, Any] = {}
    number = 0
    while data[at] != 0:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if step:
            number += step
        else:
            number, at = zigzag(data, at)
        fields[number], at = (kind == 1, at) if kind in (1, 2) else read_value(data, at, kind)
    return fields, at + 1


def read_value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):  # in a list, a byte each
        return data[at] == 1, at + 1
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        return zigzag(data, at)
    if kind == 7:
        return struct.unpack("<d", data[at : at + 8])[0], at + 8
    if kind == 8:
        length, at = varint(data, at)
        return data[at : at + length], at + length
    if kind in (9, 10):
        size, of = data[at] >> 4, data[at] & 15
        at += 1
        if size == 15:
            size, at = varint(data, at)
        values = []
        for _ in range(size):
            value, at = read_value(data, at, of)
            values.append(value)
        return values, at
    if kind == 12:
        return read_struct(data, at)
    raise ParquetError(f"its footer has a field of type {kind}")
