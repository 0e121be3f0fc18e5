"""Workers: the SDK, the common workers and the examples."""
