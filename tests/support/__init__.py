"""What the tests of several rooms share: fakes, the proxy in memory, configurations."""
