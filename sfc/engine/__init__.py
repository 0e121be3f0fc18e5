"""The flow machine: what a command means for a flow. Pure: no clock, no chance, no I/O; time and names are arguments."""
