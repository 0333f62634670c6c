"""Archives of plain files: what tools write is read, what is damaged or hostile is refused."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import PromptError
from promptyard.registry.exchange.archive import END, MAX_HEADER_BYTES, pack, unpack

FILES: Mapping[str, bytes] = {
    "versions.json": b"{}\n",
    "v1.prompt.md": b"x" * 512,
    f"v2.files/{'n' * 80}.json": b"\x00\xff" * 700,
    "v3.prompt.md": b"",
}
NAMES = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=60)


def read(content: bytes) -> dict[str, bytes]:
    return {"/".join(parts): file for parts, file in unpack(content)}


def archive_of(files: Mapping[str, bytes], **how: Any) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", **how) as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return target.getvalue()


def member(name: str, content: bytes = b"", **fields: Any) -> bytes:
    """Return one member; `real` says another size than the content has."""
    about = tarfile.TarInfo(name)
    about.size = fields.pop("real", len(content))
    for field, value in fields.items():
        setattr(about, field, value)
    how = tarfile.GNU_FORMAT if not 0 <= about.size < 1 << 30 else tarfile.PAX_FORMAT
    return about.tobuf(how) + content + bytes(-len(content) % 512)


def pax(**records: str) -> bytes:
    return b"".join(
        _record(f"{key.replace('__', '.')}={value}\n") for key, value in records.items()
    )


def _record(text: str) -> bytes:
    body = text.encode()
    length = len(body) + 2
    while len(str(length)) + 1 + len(body) != length:
        length += 1
    return f"{length} ".encode() + body


@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=5))
def test_what_is_packed_is_unpacked_and_so_does_any_other_reader(
    files: Mapping[str, bytes],
) -> None:
    content = pack("p", files) + END
    wanted = {f"p/{name}": file for name, file in files.items()}
    assert read(content) == wanted
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert {about.name: about.size for about in archive} == {
            name: len(file) for name, file in wanted.items()
        }


@pytest.mark.parametrize("how", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_archives_of_other_tools_are_read(how: int) -> None:
    files = {f"./support/{name}": content for name, content in FILES.items()}
    assert read(archive_of(files, format=how)) == {
        f"support/{name}": content for name, content in FILES.items()
    }


def test_folders_and_what_is_said_of_all_files_are_passed_over() -> None:
    said = member("pax_global_header", pax(comment="abc", path="evil"), type=tarfile.XGLTYPE)
    folder = member("p", type=tarfile.DIRTYPE)
    content = said + folder + member("p/a", b"x") + END + bytes(9 * 1024)
    assert read(content) == {"p/a": b"x"}


def test_a_folder_has_no_bytes_and_a_header_for_all_takes_no_name_away() -> None:
    folder = member("d", real=1024, type=tarfile.DIRTYPE)
    named = member("x", pax(path="p/long"), type=tarfile.XHDTYPE)
    shared = member("g", pax(comment="c"), type=tarfile.XGLTYPE)
    files = member("p/a", b"x" * 600) + named + shared + member("p/short", b"y")
    assert read(folder + files + END) == {"p/a": b"x" * 600, "p/long": b"y"}
    with pytest.raises(PromptError, match="it was cut off"):
        read(files + named + END)


def test_what_macos_packs_beside_a_file_is_passed_over() -> None:
    content = member("p/._a", b"\x00\x05\x16\x07") + member("p/a", b"x") + END
    assert read(content) == {"p/a": b"x"}


def test_no_beginning_of_an_archive_passes_for_the_whole() -> None:
    whole = archive_of({"p/a": b"x" * 600, "q/b": b"y" * 10, "q/c": b""})
    last = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    assert len(read(whole[: last + len(END)])) == 3
    for length in (*range(0, last + len(END), 256), last + len(END) - 1, 1, 511, 513):
        with pytest.raises(PromptError, match="no tar archive that can be read"):
            read(whole[:length])


@given(st.integers(0, 511), st.integers(1, 255), st.sampled_from([0, 1536]))
def test_a_damaged_header_is_never_the_end(place: int, changed: int, header: int) -> None:
    whole = pack("p", {"a": b"x" * 600, "b": b"y"}) + END
    content = bytearray(whole)
    content[header + place] ^= changed
    try:
        found = read(bytes(content))
    except PromptError:
        return
    assert found == read(whole)  # a byte that means nothing, as behind the checksum
    assert 148 <= place < 156


SPARSE = {"GNU__sparse__major": "1", "GNU__sparse__realsize": str(5 << 40)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (member("x", pax(**SPARSE), type=tarfile.XHDTYPE) + member("p/a", b"0\n"), "sparse"),
        (member("x", pax(size=str(5 << 40)), type=tarfile.XHDTYPE) + member("p/a"), "huge"),
        (member("p/a", type=tarfile.GNUTYPE_SPARSE), "is no plain file"),
        (member("p/a", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "is no plain file"),
        (member("p/a", type=tarfile.FIFOTYPE), "is no plain file"),
        (member("p/a", real=-512), "a size that cannot be"),
        (member("p/a", real=-512, type=tarfile.GNUTYPE_LONGNAME), "a size that cannot be"),
        (member("p/a", real=1 << 40), "it was cut off"),
        (member("p/a", real=4000), "it was cut off"),
        (
            member("L", b"n" * (MAX_HEADER_BYTES + 1), type=tarfile.GNUTYPE_LONGNAME),
            "a size that cannot be",
        ),
        *(
            (member("x", records, type=tarfile.XHDTYPE) + member("p/a"), "cannot be read")
            for records in (
                b"8 path=x\n",
                b"0 path=x\n",
                b"path",
                b"-5 a=b\n",
                b"9" * 5000,
                b"6 ab\n",
            )
        ),
        (member("x", pax(path="../a"), type=tarfile.XHDTYPE) + member("p/a"), "is no name"),
        (member("/etc/passwd", b"x"), "'/' is no name"),
        (member("p/a\u202eb", b"x"), "is no name"),
        (member("\u00e4" * 150, b"x"), "is no name"),
        (member("a/b/c/d/e", b"x"), "lies too deep"),
        (member("L", b"\0", type=tarfile.GNUTYPE_LONGNAME) * 3000 + member("", b"x"), "too deep"),
        (member("p/a", b"x") + END + member("p/b", b"x"), "something follows its end"),
        (b"\x1f\x8b nothing", "it is gzip; decompress it"),
        (b"{" * 600, "there is no header at byte 0"),
        (b"\0" * 5000 + b"x", "something follows its end"),
    ],
)
def test_what_is_no_archive_of_plain_files_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(PromptError, match=said) as caught:
        read(content + END)
    assert len(str(caught.value)) < 200


def test_what_all_members_share_costs_once() -> None:
    shared = member("g", pax(**{f"k{n}": "" for n in range(50_000)}), type=tarfile.XGLTYPE)
    content = shared + b"".join(member(f"f{n}", b"") for n in range(3_000)) + END
    tracemalloc.start()
    try:
        assert len(read(content)) == 3_000
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * len(content)


def test_more_files_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptyard.registry.exchange.archive.MAX_FILES", 30)
    assert len(read(pack("p", {f"f{n}": b"" for n in range(30)}) + END)) == 30
    with pytest.raises(PromptError, match="more than 30 files"):
        read(pack("p", {f"f{n}": b"" for n in range(31)}) + END)
