"""
Thousands of requests with random faults through one daemon, which must be in the same state at the end as at the
start.

    python -m tests.soak --requests 10000 --seed 1

The seed determines what each client does; the system schedules the threads.
"""
