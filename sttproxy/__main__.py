"""``python -m sttproxy`` does what the command ``sttproxy`` does."""

from .console import main

main()
