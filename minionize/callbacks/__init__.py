"""What a minion does with a task: `base` says what a callback is, the others are kinds of them."""
