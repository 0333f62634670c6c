"""The command line: draws, decides nothing. One file a noun or verb."""
