"""One module a concern; each public function in one is a scenario."""
