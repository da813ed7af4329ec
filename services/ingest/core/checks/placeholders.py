"""`placeholder`: what somebody meant to fill in, or a machine to take out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.ingest.core.checks.finding import MAX_FINDINGS, Finding, Span, at
from services.ingest.core.checks.prose import prose

#: `TK` is also an airline, a health insurer and many a person's initials: so only where it stands
#: for something to come.
_TO_COME = (
    r"\bTK(?:[ -]?TK)+\b",
    r"[$€£¥]TK\b",
    r"\[TK[^\]\n]{0,60}\]",
    r"\bTK(?= (?:percent|per cent|people|million|billion|thousand|hundred|years?|days?|hours?"
    r"|minutes?|miles|km|metres|meters|deaths|dead|injured|others|pages|words|here|to come)\b)",
    r"\bTK(?=%|-year-old\b)",
    r"(?<=, )TK(?=,[^A-Z\n]*$|[.,](?:\s+(?![A-Z]{2}\b)|$))",
    r"(?i:\b(?:name|names|quote|quotes|details|more|link|age|number|figure|figures|title|photo"
    r"|caption|date|source|headline|lede?|background|context|copy)[:,]? )TK\b(?! ?\d| [A-Z])",
)
_FILLER = (
    r"(?i:\blorem ipsum dolor\b)",
    r"(?i:\blorem ipsum\b)(?=[.…]|$)",
    r"(?i:\binsert (?:name|quote|link|date|photo|headline|text|source|number) here\b)",
    r"(?i:[\[(<{](?:insert|add|fill in|your|enter)\b[^\])>}\n]{1,60}[\])>}])",
    r"(?i:\[(?:name|date|city|location|company|number|quote|source|headline|placeholder|link|url"
    r"|title|age|amount|x{2,}|todo[^\]\n]{0,60}|tbd|tbc|citation needed)\])",
    r"\bX{3,}\b(?= (?:percent|per cent|people|million|years?|days?)\b)|[$€£]X{2,}\b",
    r"\b(?:TODO|FIXME)\b[:\s]",
    r"\{\{[^{}\n]{0,60}\}\}|\{%[^{}\n]{0,60}%\}|\$\{[A-Za-z_][^{}\n]{0,60}\}",
    r"\[object Object\]|\bplaceholder text\b",
)
_MACHINE = (
    r"(?i:\bas an? (?:large )?(?:ai|artificial intelligence)?[ -]?(?:language )?(?:model|assistant)"
    r"(?: developed by \w{1,30}| trained by \w{1,30})?, (?:i|my)\b)",
    r"(?i:\b(?:as of|since) my (?:last |latest )?(?:knowledge|training) (?:update|cut-?off))",
    r"(?i:\bi(?:['’]m| am) sorry, (?:but )?(?:i|as an ai)\b[^.\n]{0,60}"
    r"\b(?:assist|fulfil|help with|comply|provide)\w*\b)",
    r"(?i:^(?:certainly|sure|of course)[!,] here(?:['’]s| is| are)\b[^.\n]{0,80}:)",
    r"(?i:\bi (?:cannot|can['’]t|do not|don['’]t) (?:browse|have access to (?:the internet"
    r"|real-time|current))\b)",
    r"(?i:\b(?:oaicite|contentReference\[|turn0search\d))",
)
#: What each is never without, in folded case: most copy has none of it, and isn't searched.
_SIGNS_TO_COME = ("tk",)
_SIGNS_FILLER = (
    *("lorem", "insert ", "[", "(", "<", "{", "xx", "todo", "fixme", "placeholder text"),
)
_SIGNS_MACHINE = (
    *("model", "assistant", "since my ", "as of my ", "sorry", "! here", ", here", "browse"),
    *("have access", "oaicite", "contentreference[", "turn0search"),
)
#: Small and capital letters that Python's folding keeps apart and its patterns don't.
_DOTLESS = re.compile("[\u0130\u0131]")
KINDS = tuple(
    (re.compile("|".join(f"(?:{each})" for each in patterns), re.MULTILINE), signs, detail)
    for patterns, signs, detail in (
        (_TO_COME, _SIGNS_TO_COME, "stands for something to come; fill it in"),
        (_FILLER, _SIGNS_FILLER, "is a placeholder; fill it in, or take it out"),
        (_MACHINE, _SIGNS_MACHINE, "is a language model speaking of itself; take it out"),
    )
)
#: What is quoted is somebody's, or about the thing itself.
QUOTED = re.compile('“[^“”\n]{1,400}”|"[^"\n]{1,400}"|«[^«»\n]{1,400}»|„[^„“”\n]{1,400}[“”]')

_MARKS = re.compile('[“"«„]')


def placeholders(pointer: str, text: str) -> Iterator[Finding]:
    """Find what was not filled in."""
    copy = prose(text)
    if _MARKS.search(copy):
        copy = QUOTED.sub(lambda quoted: " " * len(quoted[0]), copy)
    folded = _DOTLESS.sub("i", copy).casefold()
    count = 0
    for pattern, signs, detail in KINDS:
        if not any(sign in folded for sign in signs):
            continue
        for found in pattern.finditer(copy):
            where = Span(pointer, *found.span())
            yield at("placeholder", f"“{text[where.start : where.end].strip()}” {detail}.", where)
            count += 1
            if count == MAX_FINDINGS:
                return
