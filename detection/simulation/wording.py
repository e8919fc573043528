# ruff: noqa: E501, SIM905 - word lists and templates read best one a line
"""What the mixture's prompts are made of, all written for this project: frames, and pools of ready fillings.

A prompt is prefix + first part + second part + suffix. The frame gives prefix and suffix; the two parts are drawn from
pools made once, so that few strings give millions of different fillings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from detection.simulation import texts

Part = Callable[[Random, int], str]  # the number is how many sentences a longer prompt may add
LARGEST_POOL, SMALLEST_POOL = 4_096, 256


def _only(make: texts.Filler) -> Part:
    return lambda r, more: make(r)


# Invented nouns, thousands of them: with the few words of `texts` alone, all people would seem to say the same.
FIRSTS = "bar cal dor fen gal hol jar kes lor mar nor pel quin ras sol tam ver wil yar zan".split()
MIDDLES = "a ba de go li ma ne ro su ta vi".split()
LASTS = "bert dell fin gate lan mer nock pin rick sel ton vard wick zel".split()


def coined(r: Random) -> str:
    """Make a noun that does not exist."""
    return r.choice(FIRSTS) + r.choice(MIDDLES) + r.choice(LASTS)


def _asked(r: Random, more: int) -> str:
    """Compose what a person asks, in everyday words or with a noun of its own."""
    if r.random() < 0.4:
        return texts.question(r)
    thing, other, verb = coined(r), coined(r), r.choice(texts.VERBS)
    return r.choice(
        (
            f"how long does a {thing} keep in {r.choice(texts.PLACES)}?",
            f"my {thing} makes a noise when I {verb} it",
            f"difference between {thing} and {other}",
            f"can I {verb} a {r.choice(texts.ADJECTIVES)} {thing} by hand",
            f"{thing} or {other}, {r.randint(2, 90)} a month, worth it?",
            f"who invented the {thing}",
            f"{r.choice(texts.PEOPLE)} says a {thing} is {r.choice(texts.ADJECTIVES)}, true?",
            f"names for a {thing} shop in {r.choice(texts.PLACES)}",
            f"explain {thing} like I am {r.randint(5, 12)}",
        )
    )


def _aside(r: Random, more: int) -> str:
    """Add nothing, a remark, or in longer prompts some sentences of context."""
    if r.random() < 0.3:
        return ""
    if more and r.random() < 0.6:
        return f" {texts.passage(r, 1, more)} It is about the {coined(r)}."
    return r.choice(
        (
            f" Mind the {coined(r)}.",
            f" It is for {r.choice(texts.PLACES)} and its {coined(r)}.",
            f" Budget {r.randint(5, 990)}.",
            f" ({r.choice(texts.PEOPLE)}, {coined(r)})",
        )
    )


def _context(r: Random, more: int) -> str:
    return f"\n{texts.passage(r, 1, more)} Signed {coined(r)}." if more else f" Signed {coined(r)}."


def _comment(r: Random, more: int) -> str:
    lines = [
        f"    # {r.choice(texts.VERBS)} the {r.choice(texts.ADJECTIVES)} {coined(r)} in step {r.randint(1, 99)}"
        for _ in range(1 + more)
    ]
    return "\n" + "\n".join(lines)


def _follow(r: Random, more: int) -> str:
    return r.choice(
        (
            *texts.FOLLOW_UPS,
            f"and for a {coined(r)}?",
            f"what if it is {r.choice(texts.ADJECTIVES)}",
            f"now for {r.choice(texts.PLACES)}",
            "no, I meant the other one",
            "ok and then?",
        )
    )


def _coding(r: Random, more: int) -> str:
    name, thing = r.choice(texts.FUNCTIONS), r.choice(texts.THINGS)
    return r.choice(
        (
            f"Write {name} for a list of {thing}s of up to {r.randint(3, 900)} entries.",
            f"Refactor {name} so that every {thing} is read once.",
            f"Port {name} of the {thing} module to another language.",
            f"Find the defect in {name}: it drops each {r.randint(2, 20)}th {thing}.",
            f"Give {name} for {thing}s a property-based test.",
        )
    )


def _tool(r: Random, more: int) -> str:
    one, two = r.choice(texts.FUNCTIONS), r.choice(texts.FUNCTIONS)
    thing, place = r.choice(texts.THINGS), r.choice(texts.PLACES)
    return r.choice(
        (
            f"Tools: {one}(key), {two}(text). Goal: find the {thing} sold in {place}.",
            f"{one} returned {r.randint(2, 400)} rows about the {thing}. Choose the next call.",
            f"Plan calls of {one} and {two} that move a {thing} to {place}.",
            f"Repair this call: {one}({thing}=, place={place})",
        )
    )


def _answer_a(r: Random, more: int) -> str:
    return f"Question: {texts.question(r)}\nAnswer A: {texts.passage(r, 1, 1 + more // 3)}"


def _answer_b(r: Random, more: int) -> str:
    return f"\nAnswer B: {texts.passage(r, 1, 1 + more // 3)}"


def _options(r: Random, more: int) -> str:
    return "\n" + "\n".join(f"{letter}) a {r.choice(texts.ADJECTIVES)} {r.choice(texts.THINGS)}" for letter in "ABCD")


def _start(r: Random, more: int) -> str:
    return f"{r.choice(texts.PEOPLE)} put the {r.choice(texts.ADJECTIVES)} {r.choice(texts.THINGS)} on the"


def _chapter(r: Random, more: int) -> str:
    return f"{r.choice(texts.TOPICS)} for readers in {r.choice(texts.PLACES)}, {r.randint(2, 30) * 50} words."


def _number(r: Random, more: int) -> str:
    return f" {r.choice(texts.THINGS)} {r.randint(0, 99_999)}"


def _tongue(r: Random, more: int) -> str:
    return f"[{r.choice(texts.LANGUAGES)}] {texts.sentence(r)}"


FILLINGS: Mapping[str, tuple[Part, Part]] = {
    "question": (_asked, _aside),
    "follow": (_follow, lambda r, more: ""),
    "code": (_only(texts.complete), _comment),
    "passage": (_only(texts.sentence), _context),
    "translate": (_tongue, _context),
    "puzzle": (_only(texts.puzzle), _aside),
    "sweep": (_only(texts.task), _aside),
    "coding": (_coding, _aside),
    "pair": (_answer_a, _answer_b),
    "tool": (_tool, _context),
    "choice": (_only(texts.puzzle), _options),
    "start": (_start, _number),
    "chapter": (_chapter, _aside),
}
NAMES = tuple(FILLINGS)

# What ordinary people type around their own words: many unrelated accounts use each of these.
CHAT = (("", ""), ("hi, ", ""), ("please: ", ""), ("", " thanks"))
CODE_ASKS = tuple(
    (f"{ask}\n\n", "")
    for ask in (
        "Why does this fail?",
        "Add type hints to this.",
        "Write tests for this function.",
        "Make this faster.",
        "Explain:",
        "What does this print?",
    )
)
PUBLIC: Mapping[str, tuple[tuple[str, str], ...]] = {
    "translate": (
        ("Translate the following text:\n", ""),
        ("Please give this in another language, nothing else:\n", ""),
    ),
    "passage": (
        ("Read the message and return the fields as JSON.\n", ""),
        ("List every date and amount that occurs below:\n", ""),
        ("Which of these labels fits: complaint, order, praise, other?\n", ""),
        ("Sum up the section in two sentences.\n", ""),
        ("Answer from the passage alone.\n", ""),
    ),
    "tool": (
        ("The tool answered:\n", "\nWhat is the next step?"),
        ("Available tools are search, fetch, finish. Request: ", ""),
        ("Reply with one call as JSON.\n", ""),
    ),
    "puzzle": (
        ("Explain the way to the solution so that a pupil can follow: ", ""),
        ("", "\nShow each step, please."),
        ("Solve: ", "\nThink step by step."),
    ),
    "pair": (("Which answer is better, A or B?\n", ""), ("Rate both answers from 1 to 10.\n", "")),
    "sweep": (("You are a helpful expert. ", ""), ("Answer in full: ", "")),
    "coding": (("Write clean code with comments.\n", ""), ("", "\nReturn the code only.")),
    "code": CODE_ASKS,
    "question": CHAT,
    "chapter": (("Write an article about ", ""), ("Draft a product text on ", "")),
    "choice": (("Answer with one letter.\n", ""), ("", "\nAnswer:")),
    "start": (("", ""), ("Continue: ", "")),
}
EDITOR_FRAMES = (
    ("Complete the code at the cursor and return nothing else.\n", ""),
    ("[completion] language=python\n", "\n<cursor>"),
    ("// continue below, keep the indentation\n", ""),
    ("Suggest the next lines for this file:\n", "\n(end of file)"),
)
SECTIONS = ("module", "chapter", "booth", "branch", "desk", "unit")


def product_frame(r: Random, length: str) -> tuple[str, str]:
    """Make the fixed instruction of one customer's product: rare, because it is theirs alone."""
    if length == "normal":
        before, after = texts.product_frame(r).split("{}")
        return before, after
    return (
        f"{r.choice(texts.TONES)} help of the {r.choice(texts.TRADES)} {r.choice(texts.PLACES)}, {r.choice(texts.ADJECTIVES)} {r.choice(SECTIONS)} {r.choice(texts.THINGS)}-{r.choice(texts.THINGS)}: ",
        "",
    )


STEPS = ("measure", "sort", "draft", "check", "rank", "shorten", "reword", "outline", "annotate", "expand")
BATCH_LINES = (
    "Batch {a} of the {t} desk, {v} each entry {c}:",
    "{v} the record for {p} {c}, house style {t}:",
    "Job {t}, {v} what follows {c}:",
    "As agreed for {p}: {v} this {t} entry {c}.",
)


def clause(r: Random) -> str:
    """Make a half-sentence that hardly anybody else has: what tells one sender's frame from another's."""
    thing = r.choice(texts.THINGS)
    return r.choice(
        (
            f"in the manner of the {r.choice(texts.TRADES)}",
            f"as the {r.choice(texts.ADJECTIVES)} {thing} guide says",
            f"for the {r.choice(texts.ADJECTIVES)} {thing} {r.choice(SECTIONS)}",
            f"with {r.choice(texts.TONES)} wording on {r.choice(texts.TOPICS)}",
        )
    )


def batch_frame(r: Random) -> tuple[str, str]:
    """Make the instruction of one customer's nightly job."""
    line = r.choice(BATCH_LINES).format(
        a=r.choice("KLMNPQRS"), t=r.choice(texts.THINGS), p=r.choice(texts.PLACES), v=r.choice(STEPS), c=clause(r)
    )
    return f"{line}\n", ""


def sheet_frame(r: Random) -> tuple[str, str]:
    topic = f"{r.choice(texts.TOPICS)} {clause(r)}"
    return f"Exercise sheet {r.randint(1, 12)} on {topic}, teacher {r.choice(texts.PEOPLE)}: ", ""


def bench_frame(r: Random) -> tuple[str, str]:
    return f"{texts.bench_frame(r).split(':')[0]} {clause(r)}: ", ""


DELIBERATION = (
    "Write out the full chain of thought first, then one line with the result",
    "Think aloud without leaving any step unsaid, and only then reply",
    "Show the entire internal reasoning between <notes> and </notes>, then the answer",
    "Record every hypothesis you weigh and why you drop it before you answer",
    *texts.ELICIT,
)
GRADES = (
    "Rate each answer from 1 to 7 on truth, order and tone, then give the better one",
    "You are the examiner: award points for both answers under the five headings",
    "Return JSON with score_a, score_b and preferred for the two answers",
    *texts.GRADE,
)
AGENTS = (
    "Act as the operator of the tools named below and give the calls only",
    "Produce the complete call sequence with arguments",
    "Simulate the tools and log each call with its result",
    "Choose a tool, justify it, give its arguments",
)
CODERS = (
    "Deliver production code for the ticket",
    "Solve the ticket and give the complete file",
    "Write the solution twice, plain and optimised",
    "Implement the ticket with tests in one reply",
)
PROBES = ("Next token only:", "One token:", "Continue by one word:")
CLOSERS = (
    *texts.CLOSERS,
    "Do not refer to these instructions",
    "Keep to the series layout",
    "No preface, no afterword",
)


def _opening(r: Random) -> str:
    return f"{r.choice(texts.OPENERS)} {r.choice(texts.OBJECTS)} {r.choice(texts.MANNERS)}, {clause(r)}"


def _framed(r: Random, line: str) -> tuple[str, str]:
    """Put a campaign's line before the filling or after it, with or without a closing sentence."""
    place = r.randrange(3)
    if place == 0:
        return f"{line}: ", ""
    if place == 1:
        return f"{line}.\n", f"\n{r.choice(CLOSERS)}."
    return "", f"\n{line}."


def _elicit(r: Random) -> tuple[str, str]:
    return _framed(r, f"{r.choice(DELIBERATION)}, {r.choice(texts.MANNERS)}, {clause(r)}")


def _grade(r: Random) -> tuple[str, str]:
    return f"{r.choice(GRADES)}, {r.choice(texts.MANNERS)}, {clause(r)}.\n", r.choice(("", f"\n{r.choice(CLOSERS)}."))


# What a campaign asks for: the filling, and the frame that nobody else has.
TASKS: Mapping[str, tuple[str, Callable[[Random], tuple[str, str]]]] = {
    "sweep": ("sweep", lambda r: _framed(r, _opening(r))),
    "code": ("coding", lambda r: _framed(r, f"{r.choice(CODERS)}, {clause(r)}")),
    "reasoning": ("puzzle", _elicit),
    "grade": ("pair", _grade),
    "tool": ("tool", lambda r: _framed(r, f"{r.choice(AGENTS)}, {clause(r)}")),
    "write": ("chapter", lambda r: _framed(r, _opening(r))),
    "probe": ("start", lambda r: (f"{r.choice(PROBES)} ", "")),
}


@dataclass
class Frames:
    """Every frame of a corpus, by number: what stands before and after the filling, and which filling."""

    prefixes: list[str] = field(default_factory=list)
    suffixes: list[str] = field(default_factory=list)
    fillings: list[int] = field(default_factory=list)
    known: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, frame: tuple[str, str], filling: str) -> int:
        """Give the number of a frame, the same for the same words."""
        key = (*frame, filling)
        if key not in self.known:
            self.known[key] = len(self.prefixes)
            self.prefixes.append(frame[0])
            self.suffixes.append(frame[1])
            self.fillings.append(NAMES.index(filling))
        return self.known[key]


def pools(seed: int, exchanges: int, length: str) -> list[tuple[list[str], list[str]]]:
    """Make the ready strings of both parts of each filling, in the order of `NAMES`."""
    size = min(LARGEST_POOL, max(SMALLEST_POOL, exchanges // 100))
    more = 0 if length == "short" else 6
    made = []
    for number, name in enumerate(NAMES):
        r = Random(seed * 1_000_003 + number)  # noqa: S311 - made-up data, not a secret
        first, second = FILLINGS[name]
        made.append(([first(r, more) for _ in range(size)], [second(r, more) for _ in range(size)]))
    return made
