"""Prompts in plain files of ours, and out of the files of other tools. Pure: text and data in."""
