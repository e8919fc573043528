"""Every text of a template that may come from outside goes through `|visible`; the exceptions are named, with a reason.

A page then shows what is invisible, turns its neighbours round, or imitates another script as a code.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template import Template, engines
from django.template.base import FilterExpression, Node, VariableNode

ROOT = Path(__file__).resolve().parent.parent / "templates"
# Filters whose result is a number, a date, a word of ours, or JSON.
MADE_HERE = {
    *(
        "count",
        "compact",
        "percent",
        "lasting",
        "points",
        "floatformat",
        "date",
        "time",
        "timesince_filter",
        "timeuntil_filter",
        "length",
    ),
    *("pluralize", "filesizeformat", "stringformat", "json_script", "likelihood_range", "tlp", "yesno", "short_hash"),
    "visible",
}
# The last name of a path, by why it can hold no text from outside. A name like `text`, `label` or `value` stays out.
SAFE_NAMES: dict[str, set[str]] = {
    "keys and digests that we make": {"pk", "id", "ref", "sha256", "snapshot_sha256", "pseudonym", "leaf", "key"},
    "made by us": {"csrf_token", "csp_nonce", "request_id"},
    "parts of keys, and pictures that we make": {"prefix", "square"},
    "words of the table of rights": {"right"},
    "counts of what a person has": {"recovery_left", "sessions"},
    "numbers": {"number", "index", "version", "attempts", "percent", "total", "start", "n", "readers", "damaged"},
    "counts": {"failed_jobs", "failed_followups", "counter", "counter0"},
    "words from our own tables": {"state", "status", "slug", "lane", "assessment", "confidence", "marking", "sort"},
    "more of them": {"meaning", "rule", "short", "letter", "layout", "section", "level_tag", "edition", "kind", "noun"},
    "and more": {"hours", "state_word", "media_type", "algorithm", "algorithm_version", "release", "product_version"},
    "labels of navigation": {"tabs_label", "chips_label", "search_label", "log_label"},
    "form machinery, whose texts are escaped and made visible where they are made": {"field", "side", "note_field"},
    "form machinery, more": {"errors", "help_text", "id_for_label", "auto_id", "aria_describedby", "tag"},
    "checked when they are written: a-z, 0-9, dot, dash, underscore": {"username"},
}
# Whole paths, where the last name alone says too little.
SAFE_PATHS: dict[str, str] = {
    "action": "a word of the page that includes the partial",
    "parts": "ids of the page that includes the partial",
    "note": "a bound field of a citation",
    "what": "a word of the page that includes the partial",
    "shown|default:value": "a digest that can be copied",
    "version.bag_name": "case number, edition and version",
    "item.exhibit": "a number",
    "key_fingerprint": "a digest",
    "chart.id": "an id that the view makes",
    "now.checkpoint.note": "a signed note of its one form",
    "proof.old_note": "the same",
    "proof.new_note": "the same",
    "row.judged": "a count",
}


TAG = re.compile(r"\{%.*?%\}", re.DOTALL)
NOT_SHOWN = re.compile(r'\b(?:value|name|class|id|for|href|hx-get|action|data-copy)="(?:[^"{]|\{\{[^}]*\}\})*"')


def expressions(node: Node) -> Iterator[tuple[int, FilterExpression]]:
    """Every `{{ … }}` under a node."""
    for found in node.get_nodes_by_type(VariableNode):
        yield found.token.lineno, found.filter_expression


def is_safe(expression: FilterExpression) -> bool:
    """Whether what this prints is ours, by a filter, the last name of its path, or its whole path."""
    filters = {function.__name__ for function, _ in expression.filters}
    names = str(expression.token)
    path = str(getattr(expression.var, "var", expression.var))
    last = path.rpartition(".")[2]
    known = set().union(*SAFE_NAMES.values())
    by_name = last in known or (last.startswith("get_") and last.endswith("_display"))
    return bool(filters & MADE_HERE) or by_name or names in SAFE_PATHS or path in SAFE_PATHS


def unsafe(template: Template) -> list[str]:
    return [f"{line}: {{{{ {one.token} }}}}" for line, one in expressions_of(template) if not is_safe(one)]


def expressions_of(template: Template) -> list[tuple[int, FilterExpression]]:
    seen = {}
    for node in template.nodelist:
        for line, one in expressions(node):
            seen[id(one)] = (line, one)
    return list(seen.values())


def compiled(source: str) -> Template:
    """The template without the values of attributes that are sent back or name something, and are not shown."""
    without_tags = TAG.sub(lambda match: "." * len(match.group()), source)
    for found in reversed(list(NOT_SHOWN.finditer(without_tags))):
        kept = "".join(TAG.findall(source[found.start() : found.end()]))
        source = source[: found.start()] + kept + source[found.end() :]
    made: Template = engines["django"].from_string(source).template
    return made


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.html")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_from_outside_is_made_visible(path: Path) -> None:
    assert unsafe(compiled(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "{{ case.title }}",
        "{% if a %}{{ label|capfirst }}{% endif %}",
        "{% for x in y %}<a title='{{ x.text }}'>{% endfor %}",
    ],
)
def test_a_text_that_is_printed_as_it_is_would_be_found(source: str) -> None:
    assert len(unsafe(compiled(source))) == 1


def test_no_exception_is_kept_that_no_template_needs() -> None:
    used = set()
    for path in ROOT.rglob("*.html"):
        for _, one in expressions_of(compiled(path.read_text(encoding="utf-8"))):
            used |= {str(one.token), str(getattr(one.var, "var", one.var))}
    assert set(SAFE_PATHS) <= used
