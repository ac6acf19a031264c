"""Runs programs: one in this process, or several as the processes of a job."""
