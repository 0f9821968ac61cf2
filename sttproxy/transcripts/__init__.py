"""
Transcripts in responses: one model, and a reader and a writer for each format, without I/O.

A *document* (`document.Document`) reads one response while it arrives and returns its segments (`model`).  The rules
change, drop or merge segments.  The same document then writes them back and changes only what the rules changed: all
other bytes leave as they came.  `delivery` renders the segments in another format.

What is not surely a transcript is not read: documents raise `NotATranscript`, and the response passes as it is.
"""
