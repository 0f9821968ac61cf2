"""
Tables of what clients send to get past the rules, and of the verdict on each.

Rows come from what parsers of forms and of HTTP are known to disagree on.  The tables hold data only; the tests beside
them send each row whole and byte by byte, and cut small ones everywhere.
"""
