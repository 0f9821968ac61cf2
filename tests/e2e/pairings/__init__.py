"""
The same tests over all four pairings of versions: HTTP/1.1 or HTTP/2 from the client, and to the upstream, in clear
and over TLS.

A test plays both ends, as in `raw`, but it speaks of requests and responses and not of bytes: `exchange.Exchange` is
one end of one exchange, on a connection of `http1` (on h11) or `http2` (on h2).  `case.PairingTestCase` runs each test
once for each pairing.
"""
