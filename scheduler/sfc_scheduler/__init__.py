"""The scheduler: worker replicas per workflow."""
