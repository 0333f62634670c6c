"""The service over real sockets: what it answers, to whom, and that it answers as documented."""
