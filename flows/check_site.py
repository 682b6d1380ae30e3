"""check-site: whether a site is as the other runbooks want it, and whether its backups are as new as they should be.

No document has this. It changes nothing and takes no lock, so that it may run beside any other runbook, and at any time.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.engine.runbook import Work, runbook
from tasks.runbooks.check_site.looking import hosts_of_check, look

NAME = "check-site"


@runbook(NAME, hosts=hosts_of_check, timeout_s=3600)
def check_site(site: Annotated[str, Field(min_length=1)]) -> Work[None]:
    """Look at a site's hosts, its databases, its store and its backups, and fail where anything is wrong.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
    """
    return Work(look=look, procedure=None)
