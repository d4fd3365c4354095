"""The loops, written by hand once: templates whose scalars `normkit.codegen.source.fill` puts in."""
