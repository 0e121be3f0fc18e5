"""Example workers, of the blueprints in ``blueprints/``: ``sfc worker sfc_workers.examples.tmall``."""
