"""Pages and files for browsers and phones, beside the GraphQL API."""
