"""Faster versions of the hot calls, which pass everything out of the ordinary to the reference in calls/."""
