"""The inputs that are kept, and some put together from them; and that the judge of HTML sees."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.html import Escaped, check_copy
from tests.fuzz.kept import INPUTS, kept, words_in
from tests.fuzz.targets import TARGETS

DRAWN = 60


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_that_is_kept_is_refused_or_right(target):
    for data in kept(target):
        TARGETS[target].check(data)


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_put_together_from_pieces_of_them_are_refused_or_right(target):
    inputs = kept(target)
    pieces = st.one_of(
        st.sampled_from(words_in(inputs)), st.sampled_from(inputs), st.binary(max_size=4)
    )

    @given(st.lists(pieces, max_size=12).map(b"".join))
    @settings(max_examples=DRAWN)
    def holds(data: bytes) -> None:
        TARGETS[target].check(data)

    holds()


def test_no_inputs_are_kept_for_what_is_no_target():
    assert {path.stem for path in INPUTS.iterdir()} == set(TARGETS)


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        "<img src=x>",
        "<p onclick=x>a</p>",
        "<p style=x>a</p>",
        '<a href="javascript:x">a</a>',
        '<a href=" \tjava\nscript:x">a</a>',
        '<a href="/x">a</a>',
        '<a href="#s1" onclick="x" role="doc-noteref">a</a>',
        "</div><p>a</p>",
        "</div></main><p>a</p><main><div>",
        "<svg><p>a</p></svg>",
        "<math></math>",
        "<!-- a -->",
        "<table><p>a</p></table><b>a</b>",
        "<textarea>",
        "<p id=after></p>",
        "<template>a</template>",
        "<plaintext>",
    ],
)
def test_the_judge_finds_what_no_copy_may_have(html):
    with pytest.raises(Escaped):
        check_copy(html)


def test_the_judge_lets_pass_what_a_copy_may_have():
    check_copy(
        '<h2>A</h2><p>b <a href="HTTPS://e.org/?a&amp;b" rel="x">c</a><br><s>d</s></p><hr>'
        '<ol start="2"><li>e<ul><li>f</li></ul></li></ol><pre><code>&lt;script&gt;</code></pre>'
        "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>"
        '<p><a id="c8-u" class="cite" role="doc-noteref" href="#s8-u">[8]</a></p>'
    )
