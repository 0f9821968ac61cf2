"""The command line of the soak."""

from __future__ import annotations

import argparse
import sys

from .run import soak

parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Soak one daemon in faults.")
parser.add_argument("--requests", type=int, default=10_000, help="how many, about")
parser.add_argument("--seed", type=int, default=1, help="decides over what each client does")
parser.add_argument("--clients", type=int, default=16, help="how many at once")
arguments = parser.parse_args()
report = soak(arguments.requests, arguments.seed, arguments.clients)
print(report)
sys.exit(1 if report.faults else 0)
