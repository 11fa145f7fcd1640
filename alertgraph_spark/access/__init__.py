"""Access: the Spark session, who signs in, and where a secret is."""
