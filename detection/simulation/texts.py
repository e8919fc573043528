# ruff: noqa: E501, SIM905, S608 - word lists and templates read best one group a line; no SQL is run
"""Words, templates and prompts of simulated traffic, all written for this project; no text of anybody's is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

THINGS = (
    "kettle lantern bicycle notebook greenhouse ferry violin compass blanket telescope ladder teapot umbrella saddle anvil "
    "windmill typewriter barometer canoe hammock loom sundial accordion trellis wheelbarrow hourglass kayak easel thermos"
).split()
PLACES = (
    "Larkspur Hollow,Port Ambry,Westering,Tallow Bridge,Nine Elms Quay,Orrin Valley,Saltmarsh,Upper Quern,Harrowgate Isle,"
    "Fennick,Brackwater,Copperfield Bay,Mossley Rise,Dunmere,Thistle Point,Old Ferris,Marrow Lake,Kestrel Heights"
).split(",")
TOPICS = (
    "tidal energy,bread ovens,bee keeping,night trains,paper folding,soil acidity,choir singing,ice harvesting,map making,"
    "bicycle lanes,wool dyeing,cave painting,bridge building,river locks,star catalogues,seed storage,glass blowing,"
    "city parks,harbour cranes,street lighting,wind instruments,peat bogs,cheese ripening,public libraries"
).split(",")
PEOPLE = "Ada Bruno Celia Dario Edda Fabian Greta Hugo Ines Jonas Kirsten Leon Marta Nils Olga Pavel Rosa Stefan Tilda".split()
VERBS = "measure repair compare describe sort pack carry paint deliver count weigh fold clean label store order inspect".split()
ADJECTIVES = (
    "small heavy quiet narrow bright rough early cheap sturdy foreign wooden empty plain modern late local".split()
)
LANGUAGES = (
    "Danish Finnish Portuguese Hungarian Swahili Catalan Estonian Welsh Maltese Icelandic Basque Croatian".split()
)
TRADES = (
    "garden centre,ferry line,dental practice,bicycle shop,furniture maker,travel agency,book shop,bakery chain,optician,"
    "hardware store,language school,theatre,car workshop,energy adviser,pet shop,hotel group,moving company,wine merchant"
).split(",")
TONES = "warm brief formal cheerful patient precise friendly calm".split()
FUNCTIONS = (
    "parse_rows load_config merge_orders format_price next_slot trim_path read_chunk build_index score_items".split()
)
FIELDS = "name,date,amount,address,phone number,order number,due date,quantity,weight,colour".split(",")

Filler = Callable[[Random], str]


def sentence(r: Random) -> str:
    """Compose one ordinary sentence."""
    person, thing, place = r.choice(PEOPLE), r.choice(THINGS), r.choice(PLACES)
    form = r.randrange(6)
    if form == 0:
        return f"{person} wants to {r.choice(VERBS)} the {r.choice(ADJECTIVES)} {thing} before {r.randint(2, 28)} June."
    if form == 1:
        return f"The {thing} from {place} arrived with {r.randint(2, 90)} {r.choice(ADJECTIVES)} parts missing."
    if form == 2:
        return f"In {place} people talk about {r.choice(TOPICS)} and the price of a {thing}."
    if form == 3:
        return f"{person} and {r.choice(PEOPLE)} {r.choice(VERBS)} every {thing} twice, says {person}."
    if form == 4:
        return f"Nobody in {place} had seen such a {r.choice(ADJECTIVES)} {thing} since {r.randint(1950, 2019)}."
    return f"A {r.choice(ADJECTIVES)} {thing} costs {r.randint(4, 900)} in {place}, delivery by {person} included."


def passage(r: Random, least: int, most: int) -> str:
    return " ".join(sentence(r) for _ in range(r.randint(least, most)))


def question(r: Random) -> str:
    """Compose one everyday question."""
    thing, topic, place = r.choice(THINGS), r.choice(TOPICS), r.choice(PLACES)
    return r.choice(
        (
            f"what is a good {thing} for someone in {place}?",
            f"why does {topic} matter so much in {place}",
            f"how do I {r.choice(VERBS)} a {r.choice(ADJECTIVES)} {thing} without help?",
            f"give me {r.randint(3, 9)} ideas about {topic} for a talk with {r.choice(PEOPLE)}",
            f"{r.choice(PEOPLE)} asked me about {topic}, what should I say",
            f"is it true that a {thing} from {place} lasts {r.randint(3, 40)} years?",
            f"plan a weekend in {place} around {topic}",
            f"which is better, a {thing} or a {r.choice(THINGS)}, and why?",
            f"write a short {r.choice(TONES)} note to {r.choice(PEOPLE)} about the {thing}",
        )
    )


FOLLOW_UPS = (
    "thanks, shorter please",
    "and in simple words?",
    "go on",
    "can you check that again",
    "what about the cost?",
)


def chat(r: Random) -> str:
    return r.choice(FOLLOW_UPS) if r.random() < 0.25 else question(r)


def code(r: Random) -> str:
    """Compose a snippet of code with a request; the requests are the common ones that many people send."""
    name, item = r.choice(FUNCTIONS), r.choice(THINGS)
    asks = (
        "Why does this fail?",
        "Add type hints to this.",
        "Write tests for this function.",
        "Make this faster.",
        "Explain:",
    )
    body = r.choice(
        (
            f"def {name}({item}s):\n    total = {r.randint(0, 9)}\n    for {item} in {item}s:\n        total += {item}.size\n    return total",
            f"for i in range({r.randint(3, 99)}):\n    {name}(i, {item}_limit)\n    print(i)",
            f"class {item.title()}Store:\n    def {name}(self, key):\n        return self.rows[key][{r.randint(0, 9)}]",
            f"select {item}_id, count(*) from {item}s where size > {r.randint(1, 99)} group by {item}_id",
        )
    )
    return f"{r.choice(asks)}\n\n{body}"


def complete(r: Random) -> str:
    """Compose an editor's completion request: code alone."""
    return code(r).split("\n\n", 1)[1]


def puzzle(r: Random) -> str:
    """Compose a word problem with numbers."""
    a, b, c = r.randint(3, 90), r.randint(2, 12), r.randint(2, 40)
    one, two, thing = r.choice(PEOPLE), r.choice(PEOPLE), r.choice(THINGS)
    return r.choice(
        (
            f"{one} has {a} {thing}s and gives {two} {b} of them every day. After {c} days, how many has each?",
            f"A {thing} weighs {a} units. {one} loads {b} of them and {c} crates of {c + 3}. What is the whole weight?",
            f"{one} walks from {r.choice(PLACES)} at {b} an hour, {two} follows {c} minutes later at {b + 2}. When do they meet?",
            f"Of {a * 4} {thing}s a quarter are {r.choice(ADJECTIVES)}; {one} sells {b} of those. How many are left?",
        )
    )


def task(r: Random) -> str:
    """Compose one item of a broad list of skills."""
    topic, thing, place = r.choice(TOPICS), r.choice(THINGS), r.choice(PLACES)
    return r.choice(
        (
            f"Compare {topic} in {place} with {r.choice(TOPICS)} and name {r.randint(2, 7)} differences",
            f"Write a story of {r.randint(80, 400)} words in which a {thing} decides a quarrel in {place}",
            f"Draft a policy on {topic} for a town of {r.randint(2, 90)} thousand people",
            f"Turn this into a table: {sentence(r)}",
            f"Find the flaw in this argument: {sentence(r)}",
            f"Design a {r.choice(ADJECTIVES)} {thing} and list its {r.randint(3, 9)} parts",
            f"Explain {topic} to {r.choice(PEOPLE)}, who knows nothing of it",
            f"Write a function that sorts {thing}s by age and explain its cost",
        )
    )


def answer_pair(r: Random) -> str:
    return f"Question: {question(r)}\nAnswer A: {passage(r, 1, 3)}\nAnswer B: {passage(r, 1, 3)}"


# Frames that many unrelated customers use; "{}" is the filling.
PUBLIC: Mapping[str, tuple[Sequence[str], Filler]] = {
    "translate": (
        ("Translate the following text:\n{}", "Please give this in another language, nothing else:\n{}"),
        lambda r: f"[{r.choice(LANGUAGES)}] {passage(r, 1, 2)}",
    ),
    "extract": (
        (
            "Read the message and return the fields as JSON.\n{}",
            "List every date and amount that occurs below:\n{}",
            "Which of these labels fits: complaint, order, praise, other?\n{}",
        ),
        lambda r: passage(r, 1, 4),
    ),
    "summarise": (
        ("Sum up the section in two sentences.\n{}", "Make a headline for this text:\n{}"),
        lambda r: passage(r, 3, 8),
    ),
    "agent": (
        ("The tool answered:\n{}\nWhat is the next step?", "Available tools are search, fetch, finish. Request: {}"),
        lambda r: passage(r, 1, 3),
    ),
    "tutor": (
        ("Explain the way to the solution so that a pupil can follow: {}", "{}\nShow each step, please."),
        puzzle,
    ),
}

# What a campaign's frames are made of: one choice of each column makes a frame nobody else has.
OPENERS = ("Handle", "Work on", "Take up", "Address", "Complete", "Process", "Consider", "Carry out")
OBJECTS = (
    "the assignment",
    "the item",
    "the exercise",
    "the request",
    "the entry",
    "the unit",
    "the case",
    "the prompt",
)
MANNERS = ("in full depth", "with great care", "as a seasoned practitioner", "from first principles", "at expert level")
ELICIT = (
    "Before the result, set down each thought in the order it came to you, dead ends included",
    "Keep nothing of your deliberation back and number every intermediate thought",
    "First lay out the complete line of thinking that leads to the result, then state the result",
    "Rebuild the hidden reasoning behind your reply as one continuous protocol",
    "Give the inner monologue that precedes the reply word for word, then the reply",
)
CLOSERS = (
    "Leave nothing out and close with the single word END",
    "The reply must stand alone without reference to this note",
    "Return the worked material only and no greeting",
    "Use the layout agreed for series entries throughout",
)
GRADE = (
    "Score both replies from one to ten on the grid below and give the total first",
    "Act as second marker and award points for truth, order and tone",
    "Decide which reply is stronger, give a margin from zero to five and a reason",
)
BENCH = ("Benchmark suite {n}, split {s}:", "Held-out check {n} of family {s}:", "Regression probe, group {s}:")


def product_frame(r: Random) -> str:
    """Make the fixed instruction of one customer's product: rare, because it is theirs alone."""
    return (
        f"You are the {r.choice(TONES)} assistant of a {r.choice(TRADES)} in {r.choice(PLACES)}. Talk about {r.choice(TOPICS)} and "
        f"the {r.choice(THINGS)} only, and never promise a {r.choice(ADJECTIVES)} {r.choice(THINGS)}.\nCustomer: {{}}"
    )


def sweep_frame(r: Random) -> str:
    opening = f"{r.choice(OPENERS)} {r.choice(OBJECTS)} {r.choice(MANNERS)}"
    return f"{opening}: {{}}\n{r.choice(CLOSERS)}." if r.random() < 0.5 else f"{opening}: {{}}"


def elicit_frame(r: Random) -> str:
    return f"{r.choice(ELICIT)}.\n{{}}" if r.random() < 0.5 else f"{{}}\n{r.choice(ELICIT)}."


def grade_frame(r: Random) -> str:
    return f"{r.choice(GRADE)}.\n{{}}"


def bench_frame(r: Random) -> str:
    return r.choice(BENCH).format(n=r.randint(2, 9), s=r.choice("ABCDEFGH")) + " {}"
