"""Reports: Run and Report records become a page, plain data or a diff. Pure, no I/O.

`html.run_html` writes the page, `plain.run_summary` and `plain.report_summary` the data of
`--json`, `diff.prompt_diff` what changed in a prompt, `aggregate` the tables that they share.
"""
