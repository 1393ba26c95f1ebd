"""What models and programs take on chips that need not be here: predictions, and what is known."""
