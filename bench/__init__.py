"""
The benchmark: measures sttproxy and its peers on loopback, one after the other, in one run.

`__main__` is the command line and runs the rounds.  `peers` configures each proxy, and `processes` starts and stops it.
`server` is what clients connect to.  `workloads` defines the measurements; they use `load` (wrk, h2load, curl),
`clients` and `streams` (our own clients, of HTTP/1.1 and HTTP/2) and `measure` (CPU and memory).  `metrics` describes
the values, `table` prints them, `targets` compares them with the targets, `profiling` profiles sttproxy.  No test
depends on the results.
"""
