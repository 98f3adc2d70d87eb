"""What nothing may lose, double or alter, tried with every trouble we can make: `make chaos`."""
