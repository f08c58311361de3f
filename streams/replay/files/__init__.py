"""Files of past data, and how their lines become touchpoints."""
