"""What a user types and what comes of it: the real commands as real processes, in an empty directory."""
