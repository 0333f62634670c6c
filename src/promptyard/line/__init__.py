"""The one place that knows the order of the stations.

`task` says what is to be improved, `wiring` makes objects of it, `build` runs the line, `ship`
moves pointers, `query` reads. Everything here is async; `sync` is the edge.
"""
