"""What a worker tells of itself: metrics and logs."""
