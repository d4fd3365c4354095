"""What the printed functions are made of, one file per target: read as text, never imported by normkit.

Every file has the same words, on arrays of one item per row: (items, entries), numbers of an item as (items, 1).
"""
