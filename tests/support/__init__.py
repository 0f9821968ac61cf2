"""Shared test helpers: fakes, the proxy in memory, configurations."""
