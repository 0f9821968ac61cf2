"""
The fuzzer's target for forms; see the package for how to run it.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["sttproxy"]):
    from .inputs import check_form


def main() -> None:
    atheris.Setup(sys.argv, check_form)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
