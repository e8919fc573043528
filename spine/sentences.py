"""What the log's own acts are called when they are shown. `{name}` is a detail of the entry."""

SENTENCES = {
    "log.stamped": "had the log's {size} entries time-stamped: {stated}",
    "log.stamp_quarantined": "set aside a time stamp over {size} entries: {why}",
    "log.verified": "verified the log: {rows} protected rows, {entries} entries, {problems} problems",
    "log.key_changed": "handed the log's signing over to key {new}",
}
