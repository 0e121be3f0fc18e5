"""The rules number: it changes when ``decide`` would decide something else for the same commands (EXACTLY-ONCE 10)."""

RULES = 1
