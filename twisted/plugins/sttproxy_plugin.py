"""Makes ``twistd sttproxy`` known."""

from typing import Any

from twisted.application.service import ServiceMaker


class EarlyServiceMaker(ServiceMaker):
    """Catches signals as soon as twistd has found out which of its plugins is wanted, before that is imported."""

    @property
    def options(self) -> Any:
        from sttproxy.signals import signals

        signals.catch()
        return super().options


sttproxy = EarlyServiceMaker(
    "sttproxy",
    "sttproxy.tap",
    "A proxy that forces parameters into speech-to-text requests.",
    "sttproxy",
)
