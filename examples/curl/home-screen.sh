#!/bin/sh
# Prints a member's home screen as JSON.
# Set LOYALTY_URL and LOYALTY_TOKEN, a member's, first. A query may be asked with GET; curl writes the address.
set -eu

curl --silent --show-error --fail-with-body --get "$LOYALTY_URL" \
  --header "Authorization: Bearer $LOYALTY_TOKEN" \
  --header "Accept: application/graphql-response+json" \
  --data-urlencode "query@$(dirname "$0")/../home-screen.graphql"
