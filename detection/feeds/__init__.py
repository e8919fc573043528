"""Kinds of sources that findings are pulled from: one file a kind, settings in, pages of raw rows out.

Nothing here knows the framework or the database; what a page leads to is `detection.pulling`'s.
"""

from detection.feeds import folder, http, s3, sql
from detection.feeds.base import Kind

# The visible table: what a feed can be of.
FEEDS: dict[str, Kind] = {kind.name: kind for kind in (http.KIND, folder.KIND, s3.KIND, sql.KIND)}

__all__ = ["FEEDS"]
