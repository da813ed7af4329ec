"""What a source says → events as an outside publisher would send them: pure."""
