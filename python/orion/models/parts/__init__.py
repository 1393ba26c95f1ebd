"""What several model families are made of; each family's file says how it puts them together."""
