"""Runs a program on cases: scheduling, limits, retries, budget ledger, one flight a call.

`execute.run_program` makes Reports out of cases; `caller.Caller` makes completions out of
requests and is the only way to a model.
"""
