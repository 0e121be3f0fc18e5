"""The HTTP gateway: starts, queries and edits."""
