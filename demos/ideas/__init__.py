"""Programs for the ideas with which the article ends; here is the transport that they share."""
