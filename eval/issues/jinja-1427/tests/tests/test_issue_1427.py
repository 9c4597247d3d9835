"""Hidden: what is set within a loop is not seen outside of it, where the loop stands in a set block."""

import pytest

from jinja2 import DictLoader
from jinja2 import Environment


@pytest.fixture
def render():
    def render(source, **values):
        return Environment().from_string(source).render(**values)

    return render


def test_a_loop_in_a_set_block(render):
    assert render("{% set t %}{% for j in [1, 2] %}{{ j }}{% endfor %}{% endset %}{{ t }}") == "12"


def test_a_set_block_in_a_loop(render):
    source = "{% for i in 'ab' %}{% set t %}{% for j in [1] %}{{ i }}{{ j }}{% endfor %}{% endset %}{{ t }};{% endfor %}"
    assert render(source) == "a1;b1;"


def test_loops_in_loops_keep_what_they_set(render):
    source = (
        "{% set t %}{% for row in rows %}{% for cell in row %}{% set shown = cell|upper %}{{ shown }}"
        "{% endfor %}{{ shown is defined }}{% endfor %}{% endset %}{{ t }} {{ shown is defined }}"
    )
    assert render(source, rows=["ab", "c"]) == "ABFalseCFalse False"


def test_a_name_of_the_template_is_itself_again_after_the_loop(render):
    source = "{% set y = 0 %}{% set t %}{% for j in [1, 2] %}{% set y = j %}{{ y }}{% endfor %}{% endset %}{{ t }}{{ y }}"
    assert render(source) == "120"


def test_a_name_of_the_outer_loop_is_itself_again_after_the_inner_one(render):
    source = (
        "{% set t %}{% for i in [1] %}{% set y = 3 %}{% for j in [1, 2] %}{% set y = j %}{{ y }}{% endfor %}"
        "{{ y }}{% endfor %}{% endset %}{{ t }}"
    )
    assert render(source) == "123"


def test_several_targets(render):
    source = "{% set t %}{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{% endset %}{{ t }}{{ k is defined }}"
    assert render(source, d={"a": 1}) == "a1False"


def test_the_block_s_own_name_is_exported_and_nothing_of_the_loop():
    module = "{% set t %}{% for j in [1] %}{% set y = j %}{{ y }}{% endfor %}{% endset %}{% set z = 2 %}"
    environment = Environment(loader=DictLoader({"m": module}))
    source = "{% import 'm' as m %}{{ m.t }}{{ m.z }}{{ m.y is defined }}{{ m.j is defined }}"
    assert environment.from_string(source).render() == "12FalseFalse"


def test_a_plain_loop_is_right_as_it_was(render):
    assert render("{% for a in [1] %}{% set x = a %}{{ x }}{% endfor %}{{ x }}", x="o") == "1o"


def test_a_set_block_without_a_loop_is_right_as_it_was(render):
    assert render("{% set t %}a{% set u = 1 %}{{ u }}{% endset %}{{ t }}") == "a1"


def test_a_namespace_outlives_loops(render):
    source = (
        "{% set ns = namespace(n=0) %}{% for a in [1, 2] %}{% for b in [3] %}"
        "{% set ns.n = ns.n + b %}{% endfor %}{% endfor %}{{ ns.n }}"
    )
    assert render(source) == "6"
