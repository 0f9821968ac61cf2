"""The command line of the soak."""

from __future__ import annotations

import argparse
import sys
import tempfile

from .run import soak
from .year import DAYS, year

parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Soak one daemon in faults.")
parser.add_argument("--requests", type=int, default=10_000, help="how many, about")
parser.add_argument("--seed", type=int, default=1, help="decides over what each client does")
parser.add_argument("--clients", type=int, default=16, help="how many at once")
parser.add_argument("--year", action="store_true", help="let a year pass instead, in about ten minutes")
parser.add_argument("--days", type=int, default=DAYS, help="of the year")
arguments = parser.parse_args()
if arguments.year:
    with tempfile.TemporaryDirectory(prefix="stt-year-") as folder:
        report = year(folder, arguments.days, arguments.seed)
else:
    report = soak(arguments.requests, arguments.seed, arguments.clients)
print(report)
sys.exit(1 if report.faults else 0)
