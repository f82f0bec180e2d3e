"""What people teach: feedback and wishes as lessons, filtered, and gathered into data sets."""
