# One process per request: the body is stdin, the answer is stdout. What goes to stderr is logged.
exec tr a-z A-Z
