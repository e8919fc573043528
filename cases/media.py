"""What kind of file some bytes are, by their first bytes; what the sender says counts only among kinds of text."""

HEAD = 4096
SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (0, b"\x0a\x0d\x0d\x0a", "application/x-pcapng"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (257, b"ustar", "application/x-tar"),
)
TEXTS = {"text/plain", "text/csv", "application/json", "application/x-ndjson", "application/jsonl", "message/rfc822"}
UNKNOWN = "application/octet-stream"


def is_text(media: str) -> bool:
    """Whether content of this type can be shown as text."""
    return media in TEXTS or media in {"text/html", "image/svg+xml", "application/xml"}


def media_type(head: bytes, declared: str = "") -> str:
    """The media type of a file from its first bytes (`HEAD` of them are enough)."""
    for offset, magic, name in SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    if not _is_text(head):
        return UNKNOWN
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "text/html"
    plain = declared.partition(";")[0].strip().lower()
    return plain if plain in TEXTS else "text/plain"


def _is_text(head: bytes) -> bool:
    if b"\x00" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"  # the head ends inside a character
    return True
