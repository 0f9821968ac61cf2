"""
The benchmark: sttproxy and its peers in turn, on loopback, in one run.

`__main__` is the command line and goes through the rounds; `peers` says how each proxy is set up, `processes` starts
and stops it, `workloads` says what is done to it, by `load` (wrk) and `clients` (our own), and `measure` reads what it
cost.  `table` prints, `targets` judges, `profiling` shows where the time goes.  Nothing here decides over a test.
"""
