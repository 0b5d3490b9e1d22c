"""What minionize costs, beside its peers, in one run: ``python -m bench``. See ``README.rst``."""
