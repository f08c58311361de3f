"""The door over HTTP: calls come in, are written to `touchpoints`, and are accepted once Kafka has them."""
