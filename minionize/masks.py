"""Hide what nobody may read over a shoulder: passwords in addresses, values of secret settings."""

from __future__ import annotations

import re

#: What stands where a secret was.
MASK = "***"

# Greedy up to the last @ of the word: a password may hold an @ or a slash that its user forgot to quote.
_PASSWORD = re.compile(r"(://[^\s:/?#@\"']*:)[^\s\"']*@")
_PARAMETER = re.compile(r"([?&;](?:password|passwd|pwd|token|secret|api_?key|access_?key)=)[^&;#\s\"']*", re.IGNORECASE)


def mask(text: str) -> str:
    """Hide the passwords of URLs: ``redis://user:secret@host`` becomes ``redis://user:***@host``."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\g<1>{MASK}", _PASSWORD.sub(rf"\g<1>{MASK}@", text))
