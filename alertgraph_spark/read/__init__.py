"""Read: what the export holds, and what the user says of machines and plans."""
