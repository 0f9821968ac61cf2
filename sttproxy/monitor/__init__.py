"""
What the proxy knows about its own work: a record of each request, and numbers made of finished records.  No I/O.

The places that know something of a request write it into its `record.Record`.  A finished record goes to the
`registry.Registry`, which counts, keeps the last ones, and is read by ``/stats`` and its like.
"""
