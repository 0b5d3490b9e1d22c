"""The run as one HTML file that needs nothing else: no network, no library, readable without its script.

``page`` puts it together from ``sections`` and ``tables``; ``figures`` counts what its ``charts`` draw, ``fields`` what the
params say. Text gets into the page by ``markup`` alone, which escapes it: all of it was written by strangers.
"""
