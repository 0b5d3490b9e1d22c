"""What the engines on a message broker share: a broker hands messages out and takes acks; the life of a task is ours."""
