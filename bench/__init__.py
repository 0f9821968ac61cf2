"""
The benchmark: measures sttproxy and its peers on loopback, one after the other, in one run.

`__main__` is the command line and runs the rounds.  `peers` configures each proxy, and `processes` starts and stops it.
`workloads` defines the measurements; they use `load` (wrk), `clients` (our own clients) and `measure` (CPU and memory).
`table` prints the results, `targets` compares them with the targets, `profiling` profiles sttproxy.  No test depends on
the results.
"""
