"""
The page that ``/stats`` is for browsers: one HTML document with its own script and style.  No I/O but its own files.

`document.Document` assembles it from the files in ``files/``; the script asks ``/stats`` for JSON once a second.  All
words stand in ``files/texts.json``, in each language, for the document, the script and the status line.
"""
