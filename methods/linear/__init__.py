"""Linear least squares, plain and with a ridge penalty."""
