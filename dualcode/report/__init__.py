"""The report: one HTML file that opens from the disk, without a network.

| file | what it makes |
|---|---|
| `file.py` | the file: template, styles and scripts under a policy that forbids all else |
| `page.py` | the report of runs, pass@1 at a glance first; `duels/page.py` makes that of a duel |
| `tasks.py` | the task list: what became of each task in each pipeline |
| `transcript.py` | a task's transcript: programs, diffs, findings by line |
| `pack.py` | transcripts made small, and smaller where the file would be too large |
| `records.py` | the report of daily work |
| `text.py` | foreign text made visible |
"""
