"""Everything that travels through the line: frozen records without I/O.

One file a subject: `messages`, `cases`, `prompts` (with `prompt_text`), `edits`, `scores`,
`evidence`, `verdicts`, `versions`, `budget`, `runs`. Import from the file that owns the name.
"""
