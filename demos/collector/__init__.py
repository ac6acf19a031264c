"""Collecting ticks over UDP: `tick_collector`, `tick_sender`, and the job `ticks`."""
