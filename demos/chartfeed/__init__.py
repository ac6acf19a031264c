"""Serving a chart's template: `chart_server`, `chart_client`, and the job `tpl`."""
