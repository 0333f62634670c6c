"""The service: one process that serves prompts, takes traces and watches releases.

A thin face over the line (ADR 0018). Needs the extra: pip install 'promptyard[server]'.
"""
