"""The embedded services, and the supervisor that runs them and liminal's own processes."""
