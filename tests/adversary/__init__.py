"""An adversary that sends what the doors allow and maximises the bytes, the time and the output of each record."""
