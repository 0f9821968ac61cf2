"""
TLS on both sides: certificates from PEM files, connections of clients, and connections to the upstream.

Imported only when an option asks for TLS, because OpenSSL's Python modules take a tenth of a second to import.
"""
