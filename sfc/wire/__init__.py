"""Records and bytes: the formats of everything that SFC writes, and what it reads of others. Pure.

Every record carries its format number in the header ``sfc-format``. JSON by msgspec: integers of any size are kept as they came.
"""

FORMAT = b"1"
