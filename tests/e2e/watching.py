"""What a page must not have come to hold, seen from inside it."""

from typing import Any

from playwright.sync_api import Page

from cases.dossier.plain import HIDDEN_RANGES

MOST_TOLD = 5
# Everything that would run, load or send something, and every character that hides or turns round.
FOUND = """(hidden) => {
  const own = (value) => {
    try { return new URL(value, document.baseURI).origin === location.origin } catch { return false }
  };
  const addresses = ["href", "xlink:href", "src", "srcset", "action", "formaction", "data", "poster", "background",
    "ping", "cite"];
  const named = (one) => one.outerHTML.slice(0, 160);
  const found = [];
  if (window.__xss !== undefined) found.push("a script ran");
  for (const one of document.querySelectorAll("*")) {
    if (one.hasAttribute("data-rx")) found.push(`an element: ${named(one)}`);
    for (const { name, value } of one.attributes) {
      if (/^on/i.test(name) || /^(data-)?hx-on/i.test(name)) found.push(`a handler: ${named(one)}`);
      if (!addresses.includes(name)) continue;
      if (/^[\\0-\\x20]*(data:image\\/|#)/.test(value)) continue;
      if (!own(value)) found.push(`leads elsewhere: ${name} of ${named(one)}`);
    }
    const file = one.getAttribute("src") ?? "";
    if (one.localName === "script" && one.type !== "application/json" && !file.startsWith("/static/"))
      found.push(`a script: ${named(one)}`);
    if (["iframe", "frame", "object", "embed", "base", "applet"].includes(one.localName) || one.httpEquiv === "refresh")
      found.push(`not ours: ${named(one)}`);
  }
  const pattern = new RegExp(hidden, "u");
  const texts = document.createTreeWalker(document.body ?? document, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const around = texts.currentNode.parentElement;
    const seen = around?.closest("script, style, textarea, pre.json") ? null : texts.currentNode.data.match(pattern);
    if (seen) found.push(`hidden: U+${seen[0].codePointAt(0).toString(16)} in ${around.localName}.${around.className}`);
  }
  return found;
}"""
# Line feeds and tabs are how innerText lays out rows and cells.
HIDDEN = "".join(
    f"\\u{{{first:x}}}-\\u{{{last:x}}}" for first, last in HIDDEN_RANGES if not 0xD800 <= first <= 0xDFFF and first != 0
)
PATTERN = f"[\\u{{1}}-\\u{{8}}{HIDDEN}]"


def found_on(page: Page) -> list[str]:
    """What stands on this page that must not, in words."""
    found: list[Any] = page.evaluate(FOUND, PATTERN)
    return [str(one) for one in found[:MOST_TOLD]]
