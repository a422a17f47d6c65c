"""Facts: frozen Pydantic models that every stage hands to the next."""
