"""WHO ASKS: what people and programs see of a running client."""
