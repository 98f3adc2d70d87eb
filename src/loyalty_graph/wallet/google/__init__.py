"""Google Wallet: loyalty classes and objects, save links, and objects kept at the present balance.

`objects` (what Google is given) -> `links` (how a member gets it) -> `updating` (how it follows) ->
`callbacks` (what Google tells of saves and deletions).
"""
