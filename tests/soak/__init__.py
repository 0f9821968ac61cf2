"""
Thousands of requests with every fault at random through one daemon, which must be at the end as it was at the start.

    python -m tests.soak --requests 10000 --seed 1

The seed decides over what each client does; how the threads take turns is the system's affair.
"""
