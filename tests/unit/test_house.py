"""A newsroom's own templates and styles: what they change, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.article.formats import dressing, html, open_page
from shared.article.formats.dressing import ASSETS, dress
from shared.runtime.house import dress_from
from shared.runtime.settings import SettingsError
from tests.builders import article, killed, posted, published

EXAMPLE = Path(__file__).parents[2] / "examples" / "house-style"


@pytest.fixture(autouse=True)
def _undressed() -> Iterator[None]:
    yield
    dress({})


TOLD = article(published("The bridge"), posted("u1"))


def page() -> str:
    return html.article_page(TOLD.head, TOLD.body, list(TOLD.updates.values()))


def house(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_html", ".html").replace("_css", ".css")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def wrong(folder: Path) -> str:
    with pytest.raises(SettingsError) as error:
        dress_from(folder)
    said = str(error.value)
    assert said.startswith("WRITETHRU_TEMPLATES: ")
    assert "\n" not in said
    return said.removeprefix("WRITETHRU_TEMPLATES: ")


def test_the_example_puts_a_name_above_and_an_imprint_below_every_page() -> None:
    plain, style = page(), set(ASSETS)

    dress_from(EXAMPLE)

    dressed = page()
    logo = next(name for name in ASSETS if name.startswith("gazette."))
    assert f'src="/static/{logo}"' in dressed
    assert "The Gazette, since 1902." in dressed
    assert "The bridge" in dressed
    withdrawn = html.killed_page(article(published(), killed()).head)
    assert "Questions about this withdrawal" in withdrawn
    assert "The Gazette, since 1902." in withdrawn
    # The style is ours and then theirs, under another name, also on other sites.
    changed = {name for name in ASSETS if name not in style}
    assert {name.partition(".")[0] for name in changed} == {"page", "embed", "gazette"}
    assert all(b"#0b5c4a" in ASSETS[name].data for name in changed)

    # And without the folder, pages are what they were
    dress_from(None)
    assert page() == plain


def test_a_template_of_the_newsroom_is_used_in_open_pages_too(tmp_path: Path) -> None:
    # Macros can't be inherited, so they are all there
    ours = (Path(html.__file__).parent / "templates" / "parts.html").read_text()
    dress_from(house(tmp_path, parts_html=ours.replace("Updated:", "Fresh:")))

    told = article(published(), posted("u1"))
    change = open_page.change(told.head, 1, [open_page.Taken("added", told.updates["u1"])], None)

    assert "Fresh:" in change["updates"][0]["html"]
    assert "Fresh:" in page()


def test_what_publishers_wrote_stays_escaped(tmp_path: Path) -> None:
    own = (
        '{% extends "writethru/layout.html" %}{% block masthead %}{{ head.headline }}{% endblock %}'
    )
    folder = house(tmp_path, article_html='{% extends "writethru/article.html" %}' + own[37:])
    dress_from(folder)

    told = article(published("<b>bold</b>"))

    shown = html.article_page(told.head, told.body, [])
    assert "<b>bold" not in shown


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("artcle_html", "x", "artcle.html: nothing asks for this file; the nearest is art"),
        ("pages_css", "x", "pages.css: nothing asks for this file; the nearest is page.css"),
        ("layout_html", "a\n{% block x %}", "layout.html, line 2: "),
        ("layout_html", "a\n{{ nothing }}", "layout.html, line 2: 'nothing' is undefined"),
        ("layout_html", "{{ 'x' | safe }}", "layout.html, line 1: No filter named 'safe'"),
        ("layout_html", "\n{% autoescape false %}x{% endautoescape %}",
         "layout.html, line 2: remove autoescape"),
        ("layout_html", '{% include "_mine.html" %}', "_mine.html"),
        ("layout_html", '{{ static("logo.png") }}', "there is no file static/logo.png"),
        ("killed_html", "{{ head.colour }}", "killed.html, line 1: "),
        ("static__script_exe", "x", "static/"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_in_one_line(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    assert said in wrong(house(tmp_path, **{name: text}))


def test_a_folder_that_is_none_or_too_much_is_named(tmp_path: Path) -> None:
    assert "is no folder" in wrong(tmp_path / "nowhere")
    (tmp_path / "page.css").write_bytes(bytes(5_000_000))
    assert "more than" in wrong(tmp_path)
    (tmp_path / "page.css").write_bytes(b"\xff")
    assert wrong(tmp_path) == "page.css: is not UTF-8 text"


def test_ours_alone_fit(tmp_path: Path) -> None:
    dress_from(tmp_path)
    assert dressing.TEMPLATES.get_template("writethru/article.html").name
