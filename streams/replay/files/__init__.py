"""Files of touchpoints, and how their lines become touchpoints."""
