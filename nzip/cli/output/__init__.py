"""What the commands say, and how they end.

Results go to stdout only where stdout is for them (`list`, `info`, `--json` …); everything else goes to stderr.
"""
