"""One module per concern; each public function of a module is a scenario."""
