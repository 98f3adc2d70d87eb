"""What a device is told when it asks which of its passes have changed."""

from loyalty_graph.db.statements import read

_OF_DEVICE = """
select p.serial, p.update_tag
from apple_registration r cross join pass p
where r.pass_type = $1 and r.device = $2 and p.program_id = r.program_id
  and p.member_id = r.member_id and p.platform = 'APPLE' and p.serial = r.serial
order by p.update_tag, p.serial
"""


async def changed(pass_type: str, device: str, *, since: int | None) -> tuple[int, list[str]]:
    """Return the highest tag of a device's passes, and the serials that changed after `since`.

    The next question is asked with that tag; nothing is missed, since a tag becomes visible after
    all lower ones. Without `since` all its passes are returned, and also with a tag higher than
    theirs: it was never given, or before the database was restored, or for a pass that the device
    dropped, and then it finds nothing new.
    """
    found = await read(_OF_DEVICE, pass_type, device)
    if not found:
        return 0, []
    highest: int = found[-1][1]
    after = since if since is not None and since <= highest else -1
    return highest, [serial for serial, tag in found if tag > after]
