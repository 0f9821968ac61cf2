"""
Tables of requests that try to bypass the rules, and the expected verdict on each.

Rows come from known differences between parsers of forms and of HTTP.  The tables hold data only; the tests beside
them send each row whole and byte by byte, and small ones with every cut.
"""
