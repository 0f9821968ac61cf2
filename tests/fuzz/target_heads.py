"""
The fuzzer's target for heads; see the package for how to run it.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["sttproxy"]):
    from .inputs import check_head


def main() -> None:
    atheris.Setup(sys.argv, check_head)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
