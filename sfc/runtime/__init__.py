"""The imperative shell around the core: lanes, triggers, definitions."""
