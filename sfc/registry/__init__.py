"""Blueprints and tasks with immutable versions, and the outbox that publishes them."""
