"""What a fan-out has sent and what came back, on disk before anything rests on it."""
