"""What makes records."""
