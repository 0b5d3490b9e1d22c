"""Hide what nobody may read over a shoulder: passwords in addresses, values of secret settings."""

from __future__ import annotations

import re

#: What stands where a secret was.
MASK = "***"

# Greedy up to the last @ of the word: a password may hold an @ or a slash that its user forgot to quote.
_IN_ADDRESS = r"(://[^\s:/?#@\"']*:)[^\s\"']*@"
_IN_QUERY = r"(?i)([?&;][\w.-]*(?:password|passwd|pwd|token|secret|api_?key|access_?key)=)[^&;#\s\"']*"
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[_.-])(?:password|passwd|passphrase|pwd|token|secret|credentials?|(?:api|access|private|secret)[_-]?key)$"
)


def is_secret(name: str) -> bool:
    """Tell whether a name says that its value is secret: ``db_password``, ``API_KEY``; not ``max_tokens``, not ``key``."""
    return _SECRET_NAME.search(name) is not None


def mask(text: str) -> str:
    """Hide the passwords of URLs: ``redis://user:secret@host`` becomes ``redis://user:***@host``."""
    if "://" not in text:
        return text
    return re.sub(_IN_QUERY, rf"\g<1>{MASK}", re.sub(_IN_ADDRESS, rf"\g<1>{MASK}@", text))
