"""Makes ``twistd sttproxy`` known."""

from twisted.application.service import ServiceMaker

sttproxy = ServiceMaker(
    "sttproxy",
    "sttproxy.tap",
    "A proxy that forces parameters into speech-to-text requests.",
    "sttproxy",
)
