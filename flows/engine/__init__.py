"""The engine: a graph goes in, facts come out. Pure Python, no Django, no network."""
