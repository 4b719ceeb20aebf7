"""What start.py is made of: the standard library alone, since it runs before anything is installed."""
