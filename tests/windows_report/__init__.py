"""A report from Windows: what the tests, scenarios, facts and pairs do on a real Ws2_32.dll, in one file.

`python -m tests.windows_report` runs them and writes the file. `python -m tests.windows_report merge FILE` checks such
a file, which anybody may have written, and adds it to the recordings, notes/differences.md and notes/figures.md. `form`
explains the file, `resuming` how a run survives a test that hangs, `merging` what a merge changes.
"""
