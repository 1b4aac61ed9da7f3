"""What is told for a comparison between ranks, outside."""
