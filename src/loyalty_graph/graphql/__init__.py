"""The GraphQL door: reads arguments, calls one use case, wraps the answer."""
