"""Images beside the cases: `{"image": "picture.png"}` becomes the image itself, as a data: URL.

So a case is whole without its folder: its id and the version of the eval set change with the
image's bytes. Only PNG, JPEG, GIF and WebP files in the folder of the case file, or below it, are
read; cases come from anywhere, and none may send another file of the machine to a model.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from promptyard.errors import EvalSetError
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_object
from promptyard.records.images import image_url

MAX_IMAGE_BYTES = 3_750_000
"""In base64 these are 5 MB, the tightest limit of the services for one image."""

_URL_STARTS = ("http://", "https://", "data:")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


class ImageFiles:
    """Reads the images that the rows of one case file name, each file once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, str] = {}

    def embed(self, row: Mapping[str, Json], position: str) -> Mapping[str, Json]:
        """Return a row whose variables hold images themselves instead of names of files.

        Rows of any other form are returned as they are. Raises EvalSetError in one line with
        position and variable: a file that is missing, elsewhere, too large or no image.
        """
        variables = as_object(row.get("input"))
        if variables is None:
            return row
        named = {
            name: url
            for name, value in variables.items()
            if (url := image_url(value)) is not None and not url.lower().startswith(_URL_STARTS)
        }
        if not named:
            return row
        embedded = dict(variables)
        for name, path in named.items():
            try:
                embedded[name] = {"image": self._data_url(path)}
            except _Refused as refused:
                raise EvalSetError(
                    f"{position}: input.{one_line(name)}: the image '{one_line(path)}' {refused}"
                ) from None
        return {**row, "input": embedded}

    def _data_url(self, path: str) -> str:
        if path not in self._read:
            raw = _bytes_of(self._folder, path)
            media_type = _media_type(raw)
            if media_type is None:
                raise _Refused("is no PNG, JPEG, GIF or WebP file")
            data = base64.b64encode(raw).decode("ascii")
            self._read[path] = f"data:{media_type};base64,{data}"
        return self._read[path]


class _Refused(ValueError):
    """Why an image is not taken; fits behind its name."""


def _bytes_of(folder: Path, path: str) -> bytes:
    if not path or "\0" in path or "://" in path:
        raise _Refused("is neither a URL (http, https, data) nor a file beside the cases")
    # As on any system: a case file is shared, and so are the mistakes in it.
    if PureWindowsPath(path).drive or PurePosixPath(path.replace("\\", "/")).is_absolute():
        raise _Refused("must be a path relative to the case file")
    try:
        home = folder.resolve(strict=True)
        file = (home / path).resolve(strict=True)
    except (OSError, RuntimeError):
        raise _Refused(f"does not exist (looked in {folder.resolve()})") from None
    if not file.is_relative_to(home):
        raise _Refused("is outside of the folder of the cases; copy it there")
    if not file.is_file():
        raise _Refused("is no file")
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_IMAGE_BYTES + 1)
    except OSError as error:
        raise _Refused(f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_IMAGE_BYTES:
        raise _Refused(f"is larger than {MAX_IMAGE_BYTES:,} bytes; scale it down")
    return raw


def _media_type(raw: bytes) -> str | None:
    """Tell an image by its first bytes; what its name ends in may be wrong."""
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for magic, media_type in _MAGIC if raw.startswith(magic)), None)
