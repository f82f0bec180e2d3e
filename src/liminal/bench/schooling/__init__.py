"""What the benches of learning teach: everyday questions, and habits with their checkers and correctors."""
