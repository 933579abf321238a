"""The write-ahead log of a batch: intents and outcomes, in an SQLite file."""
