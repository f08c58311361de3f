"""Sentences about the domain, by how much of the world they need."""
