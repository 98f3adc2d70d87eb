"""The phone's wallet: every member's card, and every copy of it kept at the present balance.

From a card face to a card: `face` (what a card shows) -> `templates` (how it looks) -> `apple`
(the pass file and Apple's web service), `google` (class, object and save link).
"""
