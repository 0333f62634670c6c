"""promptfoo: configurations in YAML or JSON, and tables of tests.

`tests.py` gathers the tests of a configuration (inline, files, scenarios, defaults), `grammar.py`
reads the short form of assertions in tables, `assertions.py` turns each assertion into a check of
ours, `prompts.py` writes the prompts as prompt files. Source: promptfoo.dev/docs/configuration and
the published config-schema.json.
"""
