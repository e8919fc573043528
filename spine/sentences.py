"""What the log's own acts are called when they are shown. `{name}` is a detail of the entry."""

SENTENCES = {
    "log.key_changed": "handed the log's signing over to key {new}",
}
