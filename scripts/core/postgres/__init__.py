"""The PostgreSQL servers: connections, databases, roles, the scratch server and its throwaway databases."""
