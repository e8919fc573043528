"""Reads from a prompt what it asks for, by structure rather than by any corpus's wording, as a few small numbers.

Computed once a row when telemetry is read. Whole columns are matched with RE2 (through Arrow), a pass a pattern, on the
lower-cased first and last characters: instructions stand before or after the material they are about. The languages are
those most traffic is in; a prompt in another one simply shows no cue, and the absence of a cue clears nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

VERSION = "1"
_FIRST, _LAST = 700, 300
_SHORT = 400

COLUMNS: Mapping[str, pa.DataType] = {
    "cue_reasoning": pa.int8(),
    "cue_grading": pa.int8(),
    "cue_capability": pa.int8(),
    "cue_item": pa.int32(),
}


class Reasoning(IntEnum):
    """How far a prompt asks for the reasoning behind its answer (`cue_reasoning`)."""

    NONE = 0
    STEPS = 1  # "step by step", "show your work": every second exercise says so
    SHOWN = 2  # the reasoning is to stand in the answer, by request or by a scaffold such as <think>
    WHOLE = 3  # all of it, before the answer, or what is otherwise hidden


class Grading(IntEnum):
    """How far a prompt asks for a grade of an answer (`cue_grading`)."""

    NONE = 0
    JUDGED = 1  # an answer is to be judged
    SCORED = 2  # … on a scale, or into a score field
    COMPARED = 3  # … and several candidates stand in it, or scale and score field both do


class Capability(IntEnum):
    """A coarse label of what a prompt exercises (`cue_capability`)."""

    OTHER = 0
    CHAT = 1
    CODE = 2
    MATH = 3
    REASONING = 4
    TOOL_USE = 5
    TRANSLATION = 6
    EXTRACTION = 7
    GRADING = 8


def _of(table: str) -> str:
    """Join a table of expressions, a language or kind a line after its label, into one alternative."""
    lines = (line.split(maxsplit=1)[1] for line in table.strip().splitlines())
    return f"(?:{'|'.join(lines)})"


_NEAR = r"[^.!?\n。！？]{0,48}?"  # between a verb and its noun: still the same sentence
_RANGE = (
    r"(?:\b[01]|\bone|\bzero|[\[(][01])(?:\.0)? ?(?:-|–|—|~|～|…|\.\.\.?|,|to|through|and|bis|à|a|до|到|至|から|에서) ?"
    r"(?:[3-7]|9|10|20|100|1\.0|1|five|ten|seven)\b"
)
_THOUGHT = _of(r"""
    en reasoning|rationale|thoughts?\b|thought process|thinking|chains?[ -]of[ -]thought|train of thought|derivation
    en scratch ?pad|inferences?\b|deductions?\b|deliberation|monologue|workings?\b
    en intermediate (?:step|result|calculation|conclusion)
    de gedankeng|denkprozess|überlegung|herleitung|rechenweg|lösungsweg|zwischenschritt
    fr raisonnement|réflexion|cheminement
    es razonamiento|pensamiento
    pt raciocínio|pensamento
    it ragionamento
    ru рассужден|ход[а]? мысл|размышлен
    zh 推理|思考过程|思路|思维链|推导
    ja 推論|思考過程|考えの過程|途中式
    ko 추론|사고 과정|풀이 과정
    hi तर्क
    ar التفكير|الاستدلال
""")
_EXPOSE = _of(r"""
    en show|writ(?:e|ing)\b|reveal|output|print|expose|reconstruct|recreate|reproduce|spell out|laying
    en \blay\b|document|narrate|verbali|walk (?:me |us )?through|transcribe|explain|includ|provide|\bgive|\blist
    en \bstate|share|describ|detail|present\b|articulate|unfold|display|\btrace|record|dump|repeat|return
    de zeig|schreib|gib\b|leg(?:e|en)\b|erklär|erläuter|nenne
    fr montr|écri|donne|expliqu|révèle|détaill
    es muestr|escrib|explic|detall
    pt mostr|escrev|detalh
    it scriv|spieg
    ru покаж|напиш|опиш|объясн|привед|распиш|излож
    zh 写出|展示|给出|列出|输出|说明|写下|详细
    ja 示し|書い|説明|出力
    ko 보여|작성|설명|제시
""")
_WHOLE = _of(r"""
    en complete|\bfull|entire|every|\ball\b|whole|verbatim|unabridged|exhaustive|nothing (?:left )?out
    en (?:do not|don't|never|without) (?:skip|omit|summari|abbreviat|shorten|leav)
    de vollständig|gesamt|lückenlos|jede[nrs]?\b|ganze
    fr complèt|intégral|entier|chaque
    es complet|íntegr|cada\b|tod[oa]s?\b
    it inter[oa]\b|ogni\b
    ru полн|кажд|все(?:х|го)?\b
    zh 完整|全部|每一|所有
    ja すべて|全て|完全
    ko 모든|전체|완전
""")
_HIDDEN = _of(r"""
    en hidden|\binner|internal|private|\braw\b|unfiltered|unedited
    de verborgen|intern
    fr caché
    es ocult
    it nascost
    ru скрыт|внутренн
    zh 隐藏|内部|原始
    ja 隠れ|内なる
    ko 숨겨|내부
""")
_BEFORE = _of(r"""
    en before|prior to|ahead of|\bfirst\b
    de bevor|zuerst
    fr avant|d'abord
    es antes|primero
    pt primeiro
    it prima\b
    ru перед|прежде|сначала
    zh 之前|首先|先
    ja 前に
    ko 먼저|전에
""")
_THEN = "(?:then|dann|puis|luego|depois|poi|затем|然后|再)"
_ANSWER = _of(r"""
    en answer|solution|result|conclu|respon|verdict
    de antwort|lösung|ergebnis
    fr réponse|répondre|résultat
    es respuesta
    pt resposta
    it risposta
    ru ответ|решени
    zh 答案|回答|结论
    ja 結論|答え
    ko 정답|답변|결론
""")
_STEPS = _of(r"""
    en step[ -]by[ -]step|one step at a time|show (?:all )?(?:your|the) (?:work|steps|working)
    de schritt für schritt|schrittweise
    fr (?:étape|pas) (?:par|à) (?:étape|pas)
    es paso a paso
    pt passo a passo
    it passo (?:dopo|per) passo
    ru пошагов|шаг за шагом|по шагам
    zh 一步一步|一步步|逐步|分步
    ja ステップ|順を追って
    ko 단계별|차근차근
    first (?:\bthink|\breason|reflect|deliberate)[^.!?\n]*(?:before|then|first)
    first (?:überleg|réfléchi|piensa|подума)[^.!?\n]*(?:bevor|dann|avant|puis|antes|luego|прежде|затем)
""")
_SCAFFOLD = _of(r"""
    tag </?(?:think|thinking|thoughts?|reasoning|reason|scratchpad|reflection|analysis|cot)>
    tag \[/?(?:think|thinking|thought|reasoning|scratchpad|cot)\]
    json "(?:reasoning|thoughts?|chain_of_thought|steps)" ?:
    line (?:^|\n)[#* ]*(?:reasoning|thoughts?|chain of thought|scratchpad|思考|推理)[* ]*[:：] *(?:\n|$|[\[<{…])
    aloud think(?:ing)? (?:aloud|out loud)|laut (?:nach)?denken|denk(?:e)? laut|à voix haute|en voz alta|вслух
""")
_SHOWN = f"{_EXPOSE}{_NEAR}{_THOUGHT}|{_THOUGHT}{_NEAR}(?:写出|展示|给出|列出|输出|示し|書い|出力|보여|작성)"
_ALL_OF_IT = f"{_WHOLE}{_NEAR}{_THOUGHT}|{_THOUGHT}{_NEAR}{_WHOLE}|{_HIDDEN}[^.!?\n]{{0,12}}{_THOUGHT}"
_BEFORE_ANSWER = f"{_BEFORE}{_NEAR}{_ANSWER}|{_THOUGHT}{_NEAR}{_THEN}{_NEAR}{_ANSWER}"

_CANDIDATE = _of(r"""
    en assistants?|responses?|answers?|outputs?|candidates?|completions?|repl(?:y|ies)|models?|chatbots?
    en texts?|summar(?:y|ies)|essays?|submissions?|solutions?|translations?
    de antwort(?:en)?|lösung(?:en)?
    fr réponses?
    es respuestas?
    pt respostas?
    it rispost[ae]
    ru ответ(?:ы|ов|а)?
    zh 回答|答案|回复|答复
    ja 応答|解答
    ko 답변|응답
""")
_JUDGE = _of(r"""
    en evaluat|\brat(?:e|ing)\b|\bgrad(?:e|ing)\b|\bscor(?:e|ing)\b|judg|assess|compar|\brank|critiqu|feedback
    de bewert|beurteil|vergleich
    fr évalu|compare[rz]|\bnote[rz]\b
    es evalú|evalu|califi
    pt avali
    it valuta
    ru оцен|сравн
    zh 评估|评价|打分|评分|比较
    ja 評価|採点|比較
    ko 평가|채점|비교
""")
_SCORE = _of(r"""
    en scores?|ratings?|\brat(?:e|ed)\b|scale|grades?|marks?|points?
    de skala|punkte?|\bnote\b
    fr échelle
    es escala|puntuaci[oó]n
    pt pontuaç|nota\b
    it punteggio
    ru шкал|балл|оцен
    zh 评分|分数|得分|打分
    ja 点数|スコア
    ko 점수
""")
_SCALE = "|".join(
    (
        f"{_SCORE}{_NEAR}{_RANGE}",
        f"{_RANGE}{_NEAR}{_SCORE}",
        f"{_SCORE}{_NEAR}(?:out of|von|sur|sobre|de|su|из|/) ?(?:5|10|20|100)\\b",
        r"(?:^|\n)[*# ]*(?:score|rating|level|grade|评分|分数) ?(?:of )?[1-5][*]* ?[:：.–-]",
    )
)
_FIELD = _of(r"""
    json ["'](?:overall_|final_|total_)?(?:score|rating|grade|verdict|winner|preference|preferred|reward)["'] ?[:：]
    json ["'](?:better|choice|rank|ranking|评分|得分|分数)["'] ?[:：]
    tag </?(?:score|rating|grade|verdict|winner|reward|preference)>
    tag \[\[ ?(?:rating|score|[abc]|\d{1,2}) ?\]\]
    line (?:^|\n)[*#> -]*(?:(?:overall|final|total|your) )?(?:score|rating|grade|verdict|winner)[* ]*[:=] ?[\[<{(_…\d\n]
    line (?:^|\n)[*#> -]*(?:(?:overall|final|total|your) )?(?:score|rating|grade|verdict|winner)[* ]*[:=] ?$
    line (?:^|\n)[*#> -]*(?:bewertung|puntuación|punteggio|оценка)[* ]*[:=] ?(?:[\[<{(_…\d\n]|$)
    line (?:^|\n)[*#> -]*(?:评分|得分|分数|スコア|점수)[* ]*[:：=] ?(?:[\[<{(_…\d\n]|$)
""")
_FIRST_ONE = f"{_CANDIDATE}[ _#(\\[<*:-]{{0,3}}(?:a|1|one|i|eins|un|甲|一)(?:[^\\pL\\d]|$)"
_SECOND_ONE = f"{_CANDIDATE}[ _#(\\[<*:-]{{0,3}}(?:b|2|two|ii|zwei|deux|乙|二)(?:[^\\pL\\d]|$)"
_PAIR = (
    rf"(?:two|three|four|both|several|multiple|zwei|beide|deux|dos|duas|due|два|두) (?:\pL+ ){{0,2}}{_CANDIDATE}"
    "|[两二]个?(?:つの)?(?:回答|答案|回复|応答)"
)

_CODE = _of(r"""
    mark ```|[;{]\n|\) ?[{:]\n|</(?:div|span|p|a|script|html|body|ul|li|td)>|self\.\w| = \w+\(|\w\(\w*\)\.\w
    line (?:^|\n) *(?:def |class |import |from \w+ import|return\b|func |fn |public |private |const |let |var |#include)
    line (?:^|\n) {4,}\S[^\n]*[=(\[{,]\n?|(?:^|\n)select .+ from
    en \b(?:unit ?tests?|docstrings?|refactor|stack ?trace|traceback|javascript|typescript|python|golang|source code)
    en \b(?:write|implement|debug|fix|optimi[sz]e|complete)\b[^.!?\n]*\b(?:code|function|program|script|class)\b
    more \b(?:programm|funktion|quelltext|código|función|fonction|функци|код)\b|代码|函数|编写程序|コード|関数|코드|함수
""")
_MATH = _of(r"""
    mark \\(?:frac|sqrt|int|sum|boxed|begin\{|cdot|times|left)|\$[^$\n]*[=+^_\\][^$\n]*\$
    mark \d ?[+*×÷^=] ?\(?-?\d|\d ?[a-z] ?[+=-] ?\d
    en \b(?:solve|prove|compute|calculate|integrate|differentiate|simplify|factori[sz]e)\b[^.!?\n]*[\dxyn]\b
    en \b(?:equation|theorem|integral|derivative|polynomial|matrix)\b
    count \d[^\n]*(?:how (?:many|much|far|long|old)|what (?:percent|fraction)|in total|wie ?viele?|combien|cuánt)
    count \d[^\n]*(?:quant[oa]s?\b|сколько|多少|几个|いくつ|何個|몇)
    count (?:how (?:many|much)|wie ?viele?|combien|cuánt|quant[oa]s?\b|сколько|多少)[^\n]*\d[^\n]*[^\d\n][^\n]*\d
    more gleichung|équation|ecuaci[oó]n|equaç|уравнени|方程|証明|证明|求解|방정식
""")
_TOOLS = _of(r"""
    json ["'](?:parameters|arguments|tool_calls?|tool_name|tools|function(?:_call)?|api_(?:name|call))["'] ?:
    line (?:^|\n) ?(?:available |your )?(?:tools|functions|apis|werkzeuge|outils|herramientas)[^\n]{0,20}:
    line (?:^|\n) ?(?:工具|ツール)[^\n]{0,20}[:：]
    line (?:^|\n)(?:observation|action|action input|tool (?:returned|result|output|call))[:：]
    tag </?(?:tool|tools|tool_call|functions?|function_call|tool_response)>
    en \b(?:call|use|invoke|choose|select|which)\b[^.!?\n]{0,30}\b(?:tools?|functions?|apis?)\b[^.!?\n]{0,30}[:\n(]
    en function calling|tool[ -]use|调用(?:以下)?(?:工具|函数)
""")
_TRANSLATE = _of(r"""
    words translat|locali[sz]|übersetz|tradu[cizs]|перевед|перевод|翻译|译成|翻訳|訳して|번역|ترجم|अनुवाद
    line (?:^|\n)\[?[a-z]{2,10}\]? ?(?:->|→|=>) ?\[?[a-z]{2,12}
""")
_EXTRACT = _of(r"""
    en extract|summari[sz]|classif|categori[sz]|\bidentify\b|\bparse\b|\blabel\b|\btag\b|key (?:facts|points)|keywords?
    en named entit|sentiment
    de extrahier|zusammenfass|fasse\b|klassifizier
    fr résum|extrai
    es extra[eé]|resum|clasific
    it riassum
    ru извлек|резюмир|классифиц|кратк
    zh 提取|抽取|摘要|总结|概括|分类
    ja 抽出|要約|分類
    ko 추출|요약|분류
""")
_PUZZLE = _of(r"""
    line \n ?\(?[a-d][).:] [^\n]+\n ?\(?[b-e][).:] |options: ?\n
    en \b(?:puzzle|riddle|logic(?:al)?|deductive|valid or invalid|true or false|premises?|plausible|infer)\b
    more rätsel|énigme|acertijo|загадк|谜题|逻辑|論理|논리
""")
_ASKS = _of(r"""
    mark [?？؟]
    greet ^(?:hi|hello|hey|hallo|hola|bonjour|olá|ciao|привет|你好|こんにちは|안녕)\b
    en ^(?:why|what|who|how|when|where|which|can|could|is|are|do|does|did)\b
    more ^(?:warum|was|wer|wie|wann|wo|pourquoi|comment|qué|quién|cómo|como|почему|что|кто|как)\b
""")
_ITEM = (
    r"(?:^|[\s\"'(\[<{])(?:items?|questions?|q|problems?|tasks?|samples?|examples?|exercises?|rows?|records?|entr(?:y|ies)"
    r"|ids?|idx|index|uid|no|nr|num|number|case|doc|document|aufgabe|frage|exercice|pregunta|задача|вопрос|第|题目|编号|問)"
    r"[\"']?[ _:：=.#№-]{0,3}(?P<item>\d{1,9})(?:[^\d.,%]|[.,](?:\D|$)|$)"
)


def cue_batch(prompts: pa.Array) -> list[pa.Array]:
    """Read a batch of prompts into the arrays of `COLUMNS`, in their order; absent prompts give nulls."""
    coded = prompts.cast(pa.string()).dictionary_encode()
    texts = coded.dictionary
    text = pc.utf8_lower(_ends(texts))
    reasoning, grading = _reasoning(text), _grading(text)
    asks = pc.and_(pc.less(pc.utf8_length(texts), _SHORT), _has(text, _ASKS))
    distinct = [reasoning, grading, _capability(text, asks, reasoning, grading), _item(text)]
    return [column.take(coded.indices) for column in distinct]


def _ends(texts: pa.Array) -> pa.Array:
    """Give a prompt whole when it is short, else its first and last characters with a line break between."""
    first, last = pc.utf8_slice_codeunits(texts, 0, _FIRST), pc.utf8_slice_codeunits(texts, -_LAST)
    cut = pc.binary_join_element_wise(first, last, "\n")
    return pc.if_else(pc.greater(pc.utf8_length(texts), _FIRST + _LAST), cut, texts)


def _has(text: pa.Array, pattern: str, among: pa.Array | None = None) -> pa.Array:
    """Tell where the pattern matches; of a slow pattern only the rows `among` are asked, the others do not match."""
    if among is None:
        return pc.match_substring_regex(text, pattern)
    matched = pc.match_substring_regex(text.filter(among), pattern)
    return pc.replace_with_mask(pa.repeat(False, len(text)), among, matched)


def _level(*steps: pa.Array) -> pa.Array:
    """Count how many of the conditions hold, each of which implies the one before."""
    return reduce(pc.add, [step.cast(pa.int8()) for step in steps])


def _reasoning(text: pa.Array) -> pa.Array:
    named = _has(text, _THOUGHT)
    all_of_it, before = _has(text, _ALL_OF_IT, named), _has(text, _BEFORE_ANSWER, named)
    shown = pc.or_(pc.or_(_has(text, _SHOWN, named), _has(text, _SCAFFOLD)), pc.and_(all_of_it, before))
    whole = pc.and_(shown, pc.or_(all_of_it, before))
    return _level(pc.or_(shown, _has(text, _STEPS)), shown, whole)


def _grading(text: pa.Array) -> pa.Array:
    judged = pc.and_(_has(text, _JUDGE), _has(text, _CANDIDATE))
    scale, field = _has(text, _SCALE, judged), _has(text, _FIELD, judged)
    scored = pc.or_(scale, field)
    pair = pc.and_(_has(text, _FIRST_ONE, scored), _has(text, _SECOND_ONE, scored))
    several = pc.or_(pc.or_(pair, _has(text, _PAIR, scored)), pc.and_(scale, field))
    return _level(judged, scored, several)


def _capability(text: pa.Array, asks: pa.Array, reasoning: pa.Array, grading: pa.Array) -> pa.Array:
    """Give the first label that fits; the more telling ones overrule the others."""
    puzzle = pc.or_(_has(text, _PUZZLE), pc.greater_equal(reasoning, int(Reasoning.SHOWN)))
    label = pa.repeat(pa.scalar(int(Capability.OTHER), pa.int8()), len(text))
    for fits, capability in (
        (asks, Capability.CHAT),
        (_has(text, _EXTRACT), Capability.EXTRACTION),
        (puzzle, Capability.REASONING),
        (_has(text, _MATH), Capability.MATH),
        (_has(text, _CODE), Capability.CODE),
        (_has(text, _TRANSLATE), Capability.TRANSLATION),
        (_has(text, _TOOLS), Capability.TOOL_USE),
        (pc.greater_equal(grading, int(Grading.SCORED)), Capability.GRADING),
    ):
        label = pc.if_else(fits, pa.scalar(int(capability), pa.int8()), label)
    return label


def _item(text: pa.Array) -> pa.Array:
    """Give the number that a prompt carries as an item of a list: "question 12:", "id=00412"; null without one."""
    return pc.struct_field(pc.extract_regex(text, _ITEM), "item").cast(pa.int32())
