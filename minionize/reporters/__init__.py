"""Where events go: `base` says what a reporter is, the others are kinds of them."""
