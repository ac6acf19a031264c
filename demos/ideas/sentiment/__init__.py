"""Market sentiment: clients send the volumes of their positions and receive the totals of all clients."""
