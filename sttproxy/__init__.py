"""
sttproxy: a proxy in front of a speech-to-text server that makes every request carry the right parameters.

The way of a request: `inbound` reads its head and finds a Resource (`resources`), which has the body rewritten
(`forms`, by the rules of `config`) or left alone, and sends it `upstream`; `relay` brings the answer back.  `http1`
serves both sides.  `options` says what can be set, `compose` puts the rooms together for `tap`, `daemon` runs them,
`watch` keeps the configuration, and `commands` tries one out.  docs/architecture.md has more.
"""

__version__ = "0.1.0"
