"""What a device is told when it asks which of its passes have changed."""

from loyalty_graph.db.statements import read
from loyalty_graph.wallet.models import PASSES

_OF_DEVICE = """
select p.serial, p.update_tag, (select highest from update_tag where name = $3)
from apple_registration r cross join pass p
where r.pass_type = $1 and r.device = $2 and p.program_id = r.program_id
  and p.member_id = r.member_id and p.platform = 'APPLE' and p.serial = r.serial
order by p.update_tag, p.serial
"""


async def changed(pass_type: str, device: str, *, since: int | None) -> tuple[int, list[str]]:
    """Return the highest tag of a device's passes, and the serials that changed after `since`.

    The next question is asked with that tag; nothing is missed, since a tag becomes visible after
    all lower ones, and both are read from one snapshot. Without `since`, or with a tag that was
    never given (as after a database was restored), all its passes are returned.
    """
    found = await read(_OF_DEVICE, pass_type, device, PASSES)
    if not found:
        return 0, []
    given: int = found[0][2] or 0
    after = since if since is not None and since <= given else -1
    return max(tag for _, tag, _ in found), [serial for serial, tag, _ in found if tag > after]
