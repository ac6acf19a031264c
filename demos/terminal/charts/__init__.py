"""Charts in memory: what each shows, its template, its history of bars, and pictures of it."""
