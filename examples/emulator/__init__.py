"""Stand-ins on loopback for the Azure services that the job talks to."""
