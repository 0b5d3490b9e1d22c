"""Real servers for the tests: each module starts one on the loopback, on a port that is free, and ends it by its pid."""
