"""The words of the design as frozen types, and `Secret`. Nothing here does any I/O."""
