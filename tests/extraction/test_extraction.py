"""Claims about the way from a reply to a program."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualcode.extraction import extract, strip_thinking
from dualcode.solution import Program
from dualcode.task import Task

DOUBLE = Task(
    id="HumanEval/900",
    prompt='from typing import List\n\n\ndef double(xs: List[int]) -> List[int]:\n    """Double each."""\n',
    entry_point="double",
)
HELPED = Task(
    id="HumanEval/901",
    prompt=(
        "import math\n\n\ndef is_even(n: int) -> bool:\n    return n % 2 == 0\n\n\n"
        'def evens(xs: list) -> list:\n    """Keep the even ones."""\n'
    ),
    entry_point="evens",
)
PROSE = Task(id="Mbpp/900", prompt='"""\nWrite a function to double a number.\n"""\n', entry_point="double")

GOOD = "def double(xs):\n    return [2 * x for x in xs]\n"
BAD = "def double(xs):\n    return xs\n"


UNMARKED = ("analysis\nWe need", "We double")
"""Beginnings that only the end of the thought gives away."""


def fenced(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code.rstrip()}\n```\n"


def names(program: Program) -> set[str]:
    """Return what the program's top level defines or imports."""
    found: set[str] = set()
    for node in ast.parse(program.text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return found


def doubles(program: Program) -> bool:
    """Tell whether the program is a good one; tests may run what they wrote themselves."""
    space: dict[str, object] = {}
    exec(program.text, space)
    function = space["double"]
    return callable(function) and function([1, 2]) == [2, 4]


def sound(reply: str, task: Task = DOUBLE) -> Program:
    program = extract(reply, task)
    assert program.compiles
    assert program.defines_entry_point
    return program


class TestThinking:
    def test_closed_section_is_dropped(self) -> None:
        assert strip_thinking("<think>\nhm\n</think>\n\nanswer") == "answer"

    def test_unclosed_section_reaches_to_the_end(self) -> None:
        assert strip_thinking("answer\n<think>\nhm " + fenced(BAD)) == "answer"

    def test_several_sections_are_dropped(self) -> None:
        assert strip_thinking("<think>a</think>one <think>b</think>two") == "one two"

    def test_stray_closing_tag_ends_thinking_that_the_template_opened(self) -> None:
        assert strip_thinking("Okay, so\n</think>\nanswer") == "answer"

    def test_nested_opening_tag_does_not_lose_the_answer(self) -> None:
        assert strip_thinking("<think>a <think> b</think>answer") == "answer"

    def test_tag_in_a_string_of_the_program_is_kept(self) -> None:
        code = "def double(xs):\n    return xs.split('</think>')\n"
        assert strip_thinking(code) == code

    def test_first_indent_after_thinking_is_kept(self) -> None:
        assert strip_thinking("<think>a</think>\n    return 1") == "    return 1"

    def test_reply_without_thinking_is_unchanged(self) -> None:
        assert strip_thinking("\n  plain \n") == "\n  plain \n"

    def test_fence_inside_think_is_ignored(self) -> None:
        reply = f"<think>\nmaybe\n{fenced(BAD)}</think>\n{fenced(GOOD)}"
        assert doubles(sound(reply))

    def test_code_only_in_unclosed_thinking_is_no_answer(self) -> None:
        assert extract(f"<think>\n{fenced(GOOD)}", DOUBLE).text == ""

    @pytest.mark.parametrize(
        "end",
        [
            "so I return `2 * x`",
            'the result is "done"',
            "it's 'x'",
            "I'd say it's",
            "```python\nreturn xs\n```",
            "```\ndraft ```",
            "(see f(x))",
            "# done",
            '"""',
            "a stray ` mark",
            "```python\nreturn xs\n``` so it's `x`",
            "~~~\nreturn xs\n~~~",
            "\\",
        ],
    )
    @pytest.mark.parametrize(
        "start", ["", "\n", " ", "```text\nnote\n```\n", "```\nnote\n```\n", "It's `x`.\n"]
    )
    def test_a_thought_ends_whatever_its_mark_touches(self, end: str, start: str) -> None:
        answers = [f"{start}{fenced(GOOD)}", f"{start}\n{GOOD}", start + f"Here's it:\n{fenced(GOOD)}"]
        for thought in (f"<think>{end}</think>", f"Okay. {end}</think>", f"<think>\n{end}\n</think>"):
            for answer in answers:
                assert doubles(sound(thought + answer)), thought + answer

    @pytest.mark.parametrize(
        "reply",
        [
            "<think>a</think>{answer}</think>",
            "<think>a</think>\n{draft}\nno, better:\n</think>\n{answer}",
            "<think>a {draft}</think> and <think> </think>\n</think>{answer}\n</think>\n",
            "<think>a</think>{answer}\nThe rest follows the </think> tag.",
            "a {draft}\n</think>\n{answer}\n</think>",
            "{answer}\n</think>",
            "{answer}\nAll of it after the <think> tag is dropped.",
            "To ignore the <think> tag, write:\n{answer}",
        ],
    )
    def test_a_stray_mark_does_not_take_the_answer_with_it(self, reply: str) -> None:
        assert doubles(sound(reply.format(answer=fenced(GOOD), draft=fenced(BAD))))

    @pytest.mark.parametrize(
        ("opening", "closing"),
        [
            ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
            ("<|channel|>analysis<|message|>", "<|end|>"),
            (
                "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>",
                "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
            ),
            ("analysisWe need to double.", "Done.assistantfinal"),
            ("analysis\nWe need", "assistant\nfinal\n"),
            ("We double", "so doneassistantfinal"),
            ("analysisWe need.assistantcommentaryI say so.", "assistantfinal"),
            ("[THINK]", "[/THINK]"),
            ("<seed:think>", "</seed:think>"),
            ("<reasoning>", "</reasoning>"),
            ("<Thought>", "</Thought>"),
            ("<reasoning_content>", "</reasoning_content>"),
            ("<longcat_think>", "</longcat_think>"),
            ("<scratchpad>", "</scratchpad>"),
            ("◁think▷", "◁/think▷"),
            ("<|begin_of_thought|>", "<|end_of_thought|>\n<|begin_of_solution|>"),
            ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
            ("<|thinking_start|>", "<|thinking_end|>"),
            ("<unused94>thought\n", "<unused95>"),
            ("<|channel>thought\n", "<channel|>"),
            ('<details type="reasoning" done="true">\n<summary>Thought</summary>\n', "\n</details>\n"),
            ("Thinking...\n", "\n...done thinking.\n"),
            ("Here is my thought process:\n", "\nHere is my response:\n"),
            ("<think>", "</think>\n<answer>\n"),
        ],
    )
    def test_a_thought_in_other_marks_is_none_of_the_answer(self, opening: str, closing: str) -> None:
        draft = fenced(BAD.replace("double", "other") + BAD)
        for answer in (fenced(GOOD), GOOD, f"Here's it:\n\n{fenced(GOOD)}"):
            assert doubles(sound(f"{opening}{draft}{closing}{answer}"))
            assert doubles(sound(f"{opening}I return `{BAD}`{closing}{answer}"))
        if opening not in UNMARKED:
            assert extract(f"{opening}{draft}{closing}", DOUBLE).text == ""

    @pytest.mark.parametrize("opening", ["<think>", "[THINK]", "analysisWe need", "◁think▷", "<seed:think>"])
    def test_a_thought_in_any_mark_that_never_ends_is_no_answer(self, opening: str) -> None:
        assert extract(f"{opening}\n{fenced(GOOD)}", DOUBLE).text == ""

    @pytest.mark.parametrize("mark", ["</think>", "<think>", "[/THINK]", "<seed:think>", "assistantfinal"])
    @pytest.mark.parametrize(
        "line",
        [
            "s = 'MARK'",
            'parts = "a MARK b".split("MARK")',
            "s = f'{xs}MARK'",
            "s = r'MARK'  # it's a mark",
            's = """MARK"""',
            's = """\n    MARK\n    """',
            '"""Double what follows the MARK tag."""',
            "# up to MARK, if any",
        ],
    )
    def test_a_mark_in_the_program_survives(self, mark: str, line: str) -> None:
        line = line.replace("MARK", mark)
        code = GOOD.replace(":\n", f":\n    {line}\n")
        for before in ("", "<think>hm</think>\n", f"<think>\n{fenced(BAD)}\n</think>\n", "so `x`</think>"):
            for answer in (fenced(code), code, f"It looks for `{mark}`:\n{fenced(code)}Done with '{mark}'."):
                program = sound(before + answer)
                assert doubles(program), before + answer
                assert line in program.text

    @pytest.mark.parametrize(
        "marker", ["<|im_end|>", "</s>", "<|eot_id|>", "<｜end▁of▁sentence｜>", "<end_of_turn>"]
    )
    @pytest.mark.parametrize("end", ["[2 * x for x in xs]", "[2 * x for x in xs] or 'none'"])
    def test_a_chat_marker_goes_whatever_it_touches(self, marker: str, end: str) -> None:
        assert doubles(sound(f"def double(xs):\n    s = '{marker}'\n    return {end}{marker}"))

    @pytest.mark.timeout(300)  # no speed is asserted: what is worse than linear never comes to an end here
    def test_long_runs_of_tags_come_to_an_end(self) -> None:
        for text in ("<think>" * 50_000, "</think>" * 50_000, "<think>a</think>" * 25_000, "<" * 400_000):
            assert "think>" not in strip_thinking(text)
        many = [
            "'</think>' ",
            "`<think>",
            "a\n</think>\n",
            "<|channel|>final",
            "<|channel|>analysis <",
            " \n",
        ]
        for text in (
            *many,
            "analysis",
            "<details type=",
            "<|start|>a",
            "Thinking...\n",
            "<|end|>",
            "'</think>\n",
        ):
            extract(text * (100_000 // len(text)), DOUBLE)


class TestFences:
    def test_tagged_block_is_found_in_prose(self) -> None:
        assert sound(f"Here it is:\n\n{fenced(GOOD)}\nIt doubles.").how == "block"

    @pytest.mark.parametrize("tag", ["", "py", "Python", "python3", "{.python}", " python "])
    def test_any_tag_will_do(self, tag: str) -> None:
        assert doubles(sound(fenced(GOOD, tag)))

    def test_tilde_fence_is_a_fence(self) -> None:
        assert sound(f"~~~python\n{GOOD}~~~\n").how == "block"

    def test_unclosed_fence_reaches_to_the_end(self) -> None:
        assert doubles(sound(f"Sure:\n```python\n{GOOD}"))

    def test_dangling_fence_ends_code_that_has_no_opening(self) -> None:
        assert doubles(sound(f"{GOOD}```\n\nThis function doubles.\n\n```python\nprint(double([1]))\n```"))

    def test_fence_indented_in_a_list_moves_to_the_margin(self) -> None:
        inner = "".join(f"   {line}\n" for line in fenced(GOOD).splitlines())
        assert doubles(sound(f"1. The code:\n\n{inner}\n2. Done"))

    def test_indented_fence_around_code_at_the_margin(self) -> None:
        assert doubles(sound(f"   ```python\n{GOOD}   ```\n"))

    def test_code_on_the_fence_line_is_kept(self) -> None:
        assert doubles(sound(f"```{GOOD}```"))

    def test_fence_at_the_end_of_a_code_line_closes_the_block(self) -> None:
        assert doubles(sound(f"```python\n{GOOD.rstrip()}```\nDone."))

    def test_fence_in_a_docstring_does_not_cut_the_function(self) -> None:
        code = GOOD.replace(":\n", ':\n    """Double.\n\n    ```\n    double([1])\n    ```\n    """\n')
        assert doubles(sound(fenced(code)))


class TestChoice:
    def test_block_that_defines_the_entry_point_wins(self) -> None:
        other = "def triple(xs):\n    return [3 * x for x in xs]\n" + "# long\n" * 20
        assert doubles(sound(fenced(other) + fenced(GOOD) + fenced(other)))

    def test_longer_usage_block_does_not_win(self) -> None:
        usage = "from solution import double\n" + "print(double([1, 2, 3]))\n" * 30
        assert doubles(sound(fenced(GOOD) + fenced(usage)))

    def test_last_of_equal_blocks_wins(self) -> None:
        assert doubles(sound(f"First try:\n{fenced(BAD)}Corrected:\n{fenced(GOOD)}"))

    def test_quoted_prompt_does_not_beat_the_answer(self) -> None:
        assert doubles(sound(f"{fenced(GOOD)}for the task\n{fenced(DOUBLE.prompt)}"))

    def test_cut_short_repetition_does_not_beat_the_whole(self) -> None:
        assert doubles(sound(f"{GOOD}\n```python\ndef double(xs):\n    ys = []\n    for x in xs:\n"))

    def test_redefinition_with_other_arguments_does_not_shadow(self) -> None:
        assert doubles(sound(f"{GOOD}\n\ndef double(xs, ys, zs):\n    return xs\n"))

    def test_stub_after_the_definition_does_not_shadow(self) -> None:
        assert doubles(sound(fenced(f"{GOOD}\n\ndef double(xs):\n    pass\n")))

    def test_imported_function_can_be_the_answer(self) -> None:
        task = Task(id="Mbpp/901", prompt='"""\nGreatest common divisor.\n"""', entry_point="gcd")
        assert "from math import gcd" in sound(fenced("from math import gcd"), task).text

    def test_assigned_lambda_is_a_definition(self) -> None:
        assert doubles(sound(fenced("double = lambda xs: [2 * x for x in xs]"), PROSE))


class TestFencesInProse:
    @pytest.mark.parametrize(
        "lead",
        [
            "The final version is: ```python",
            "Corrected: ```",
            "So `xs` is doubled. Here's it: ```py",
            "1. Write ```python3  ",
            "> Here ````python",
            "The same in tildes: ~~~python",
        ],
    )
    @pytest.mark.parametrize("end", ["\n```\n", "```\n", "\n``` and that's it.\n", ""])
    def test_a_fence_at_the_end_of_a_line_of_prose_opens_a_block(self, lead: str, end: str) -> None:
        for draft in ("", fenced(BAD), f"First: ```python\n{BAD}```\n"):
            assert doubles(sound(f"{draft}{lead}\n{GOOD.rstrip()}{end}"))

    def test_a_program_within_its_fences_on_one_line_is_found(self) -> None:
        assert doubles(sound(f"{fenced(BAD)}It is ```python def double(xs): return [2 * x for x in xs]```."))

    def test_code_after_a_fence_in_prose_is_kept(self) -> None:
        assert doubles(sound(f"{fenced(BAD)}No, it is ```{GOOD}```"))

    @pytest.mark.parametrize(
        "line", ["s = '```python'", 's = "a ``` b"', "# see ```x y```", 's = """ ``` """']
    )
    def test_ticks_in_a_line_of_code_cut_nothing(self, line: str) -> None:
        code = GOOD.replace(":\n", f":\n    {line}\n")
        program = sound(fenced(code))
        assert doubles(program)
        assert line in program.text


class TestCutOff:
    CUT = (
        "def double(xs):\n    ys = []\n",
        "def double(xs):\n    ys = []\n    for x in xs:\n        ys.append(2 * x)\n",
        "def double(xs):\n    if not xs:\n        return []\n    ys = list(xs)\n",
        "def double(xs):\n    return",
        "def double(xs):\n    try:\n        return xs.twice()\n    except AttributeError:\n        ys = 1\n",
        "def double(xs):\n    while xs:\n        ys = xs\n",
    )

    @pytest.mark.parametrize("cut", CUT)
    @pytest.mark.parametrize("lead", ["```python\n", "Again: ```python\n", "", "So:\n\n```\nimport math\n\n"])
    def test_a_last_copy_that_was_cut_off_does_not_beat_the_whole(self, cut: str, lead: str) -> None:
        for whole in (fenced(GOOD), f"{GOOD}\n\n"):
            assert doubles(sound(f"{whole}\n{lead}{cut}"))

    @pytest.mark.parametrize("cut", CUT)
    def test_a_copy_that_was_cut_off_is_kept_where_it_is_all_there_is(self, cut: str) -> None:
        assert sound(f"```python\n{cut}", PROSE).text.startswith("def double(xs):\n    ")

    @pytest.mark.parametrize(
        "last",
        [
            "def double(xs):\n    while True:\n        return [2 * x for x in xs]\n",
            "def double(xs):\n    if xs:\n        return [2 * x for x in xs]\n    else:\n        return []\n",
            "def double(xs):\n    with open('/dev/null'):\n        return [2 * x for x in xs]\n",
            "def double(xs):\n    match xs:\n        case _:\n            return [2 * x for x in xs]\n",
        ],
    )
    def test_a_whole_last_copy_wins_though_no_fence_closes_it(self, last: str) -> None:
        assert doubles(sound(f"{fenced(BAD)}\n```python\n{last}"))


class TestAsides:
    @pytest.mark.parametrize(
        "lead",
        [
            "If you want to change the list in place, change it to:",
            "If you'd rather triple them, use this:",
            "Alternatively, with another meaning:",
            "You could also replace the body:",
            "A common mistake is to write:",
            "Do not write it like this:",
            "For a variant without doubling:",
            "Should you need the list itself, use:",
            "In case you would like it unchanged:",
            "For a version that changes nothing:",
            "A common bug is to write:",
        ],
    )
    def test_what_is_offered_as_another_version_does_not_beat_the_answer(self, lead: str) -> None:
        assert doubles(sound(f"{fenced(GOOD)}\nThat is it. {lead}\n\n{fenced(BAD)}"))

    @pytest.mark.parametrize(
        "lead",
        [
            "That was wrong. Here is the corrected version:",
            "Don't use it: the mistake is fixed here.",
            "Now the final code, if you want it:",
            "With the buggy line updated:",
        ],
    )
    def test_a_correction_beats_what_it_corrects(self, lead: str) -> None:
        assert doubles(sound(f"{fenced(BAD)}\n{lead}\n\n{fenced(GOOD)}"))

    @pytest.mark.parametrize(
        "turn",
        [
            "<|im_end|>\n<|im_start|>user\nNow return it as it is.<|im_end|>\n<|im_start|>assistant\n",
            "</s>[INST] Again [/INST]",
            "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAgain",
            "<end_of_turn>\n<start_of_turn>user\nAgain",
            "<|endoftext|>",
            "<｜end▁of▁sentence｜><｜User｜>Again",
            "\nUser: return it as it is\nAssistant:",
            "\n### Instruction:\nreturn it as it is\n### Response:",
            "\nHuman: and now?\n",
            "\nuser\nAgain\nassistant\n",
            "\nQ: and now?\nA:",
            "\n**Question:** and now?\n",
            "\n### Task:\nreturn it as it is\n### Solution:",
            "\n<human>: and now?\n<bot>:",
            "\n@@ Instruction\nreturn it\n\n@@ Response",
        ],
    )
    def test_what_follows_in_the_next_turn_does_not_beat_the_answer(self, turn: str) -> None:
        for answer in (fenced(GOOD), GOOD, f"<|im_start|>assistant\n{fenced(GOOD)}"):
            assert doubles(sound(f"{answer}{turn}\n{fenced(BAD)}"))

    def test_an_answer_that_comes_after_the_mark_of_a_turn_is_found(self) -> None:
        assert doubles(sound(f"Sure!<|im_end|>\n<|im_start|>assistant\n{fenced(GOOD)}"))


class TestBody:
    BODY = "    ys = []\n    for x in xs:\n        ys.append(2 * x)\n    return ys\n"

    def test_body_is_joined_with_the_signature(self) -> None:
        program = sound(self.BODY)
        assert program.how == "body"
        assert doubles(program)

    def test_lost_first_indent_is_restored(self) -> None:
        assert doubles(sound(self.BODY.strip()))

    def test_body_at_the_margin_is_indented(self) -> None:
        assert doubles(sound(fenced("ys = [2 * x for x in xs]\nif not ys:\n    return []\nreturn ys\n")))

    def test_fenced_body_is_joined(self) -> None:
        assert doubles(sound(f"Only the body:\n{fenced(self.BODY)}"))

    def test_body_followed_by_prose_is_cut_there(self) -> None:
        assert doubles(sound(f"{self.BODY}\nThis doubles every number."))

    def test_body_under_a_repeated_signature_at_the_margin(self) -> None:
        reply = 'def double(xs):\n    """Double each."""\nreturn [2 * x for x in xs]\n'
        assert doubles(sound(reply))

    def test_first_line_that_lost_one_space_is_restored(self) -> None:
        reply = GOOD.replace(":\n", ':\n    """Double."""\n   if not xs:\n        return []\n')
        assert doubles(sound(reply))

    def test_dedented_body_keeps_what_follows_an_early_return(self) -> None:
        assert doubles(sound(fenced("if not xs:\n    return []\nreturn [2 * x for x in xs]\n")))

    def test_body_with_a_function_inside_is_found_below_prose(self) -> None:
        body = "    def twice(x):\n        return 2 * x\n    return [twice(x) for x in xs]\n"
        assert doubles(sound(f"The body is:\n\n{body}\nDone (as asked)."))

    def test_usage_alone_is_no_body(self) -> None:
        assert not extract(fenced("print(double([1, 2]))"), DOUBLE).defines_entry_point

    def test_other_function_is_no_body(self) -> None:
        assert not extract(fenced("def triple(xs):\n    return xs"), DOUBLE).defines_entry_point

    def test_prose_is_no_body(self) -> None:
        program = extract("I would return the doubled list.\nreturn it to the caller.", DOUBLE)
        assert not program.defines_entry_point

    def test_prompt_without_signature_takes_no_body(self) -> None:
        assert not extract("    return 2 * x\n", PROSE).defines_entry_point


class TestSalvage:
    def test_unfenced_code_is_found_between_prose(self) -> None:
        program = sound(f"Sure, here's the code:\n\n{GOOD}\nThis works (I think).")
        assert program.how == "salvage"
        assert doubles(program)

    def test_helpers_and_imports_around_are_kept(self) -> None:
        reply = f"Code:\nimport math\n\ndef helper(x):\n    return math.floor(2 * x)\n\n{GOOD}".replace(
            "2 * x for", "helper(x) for"
        )
        assert {"math", "helper", "double"} <= names(sound(reply + "\nDone: see above."))

    def test_truncated_text_keeps_the_longest_prefix(self) -> None:
        program = sound("def double(xs):\n    ys = [2 * x for x in xs]\n    return ys\n    for y in (1,\n")
        assert doubles(program)

    def test_truncated_second_function_is_dropped(self) -> None:
        assert doubles(sound(f"{GOOD}\n\ndef check():\n    assert double([1]) == [2\n"))

    def test_repeated_signature_line_is_dropped(self) -> None:
        assert doubles(sound(f"def double(xs):\n{GOOD}"))

    def test_tabs_mixed_with_spaces_are_evened(self) -> None:
        reply = "def double(xs):\n    ys = []\n\tfor x in xs:\n\t\tys.append(2 * x)\n    return ys\n"
        assert doubles(sound(reply))

    def test_tabs_alone_are_kept(self) -> None:
        assert "\treturn" in sound(GOOD.replace("    ", "\t")).text

    @pytest.mark.parametrize("newline", ["\r\n", "\r"])
    def test_carriage_returns_end_lines(self, newline: str) -> None:
        program = sound(fenced(GOOD).replace("\n", newline))
        assert "\r" not in program.text

    def test_chat_marker_at_the_end_is_dropped(self) -> None:
        assert doubles(sound(f"{GOOD.rstrip()}<|im_end|>"))

    def test_indented_definition_in_prose_moves_to_the_margin(self) -> None:
        inner = "".join(f"    {line}\n" for line in GOOD.splitlines())
        assert doubles(sound(f"The code:\n\n{inner}\nThat's it."))

    def test_multiline_string_at_column_zero_stays_whole(self) -> None:
        reply = f"Look:\nTEXT = '''\ndef double(xs):\n'''\n\n{GOOD}"
        assert doubles(sound(reply))

    def test_decorated_function_keeps_its_decorator(self) -> None:
        reply = f"Use a cache.\nfrom functools import wraps\n\ndef same(f):\n    return f\n\n@same\n{GOOD}"
        assert "@same" in sound(reply).text

    def test_syntax_error_inside_a_line_is_not_mended(self) -> None:
        program = extract(fenced("def double(xs):\n    return [2 * x for x in xs"), DOUBLE)
        assert not program.defines_entry_point
        assert not program.compiles


class TestClasses:
    def test_method_of_a_solution_class_is_bound(self) -> None:
        code = "class Solution:\n    def double(self, xs):\n        return [2 * x for x in xs]\n"
        program = sound(fenced(code))
        assert program.how == "method"
        assert doubles(program)

    def test_static_method_is_bound(self) -> None:
        code = "class Solution:\n    @staticmethod\n    def double(xs):\n        return [2 * x for x in xs]\n"
        assert doubles(sound(fenced(code)))

    def test_class_that_needs_arguments_is_not_made(self) -> None:
        code = "class S:\n    def __init__(self, a): pass\n    def double(self, xs): return xs\n"
        assert not extract(fenced(code), DOUBLE).defines_entry_point


class TestAssembly:
    def test_missing_prompt_import_is_put_in(self) -> None:
        assert "List" in names(sound(fenced("def double(xs: List[int]) -> List[int]:\n    return xs\n")))

    def test_missing_typing_import_is_put_in(self) -> None:
        code = "def double(x: Optional[int]) -> Tuple[int, ...]:\n    return x, x\n"
        assert {"Optional", "Tuple"} <= names(sound(fenced(code), PROSE))

    def test_other_missing_imports_are_not_invented(self) -> None:
        program = sound(fenced("def double(x):\n    return math.floor(Counter(x))\n"), PROSE)
        assert names(program) == {"double"}

    def test_prompt_helpers_are_put_in(self) -> None:
        program = sound(fenced("def evens(xs):\n    return [x for x in xs if is_even(x)]\n"), HELPED)
        assert {"math", "is_even", "evens"} == names(program)

    def test_prompt_helper_that_the_reply_wrote_itself_is_left_out(self) -> None:
        code = "def is_even(n): return not n % 2\n\ndef evens(xs):\n    return list(filter(is_even, xs))\n"
        assert sound(fenced(code), HELPED).text.count("def is_even") == 1

    def test_helper_from_another_block_is_lent(self) -> None:
        use = "def double(xs):\n    return [helper(x) for x in xs]\n"
        assert doubles(sound(fenced("def helper(x):\n    return 2 * x\n") + fenced(use)))

    def test_imports_from_another_block_are_lent(self) -> None:
        use = "def double(xs):\n    return [int(math.fsum((x, x))) for x in xs]\n"
        assert doubles(sound(fenced("import math\n") + fenced(use)))

    def test_usage_tests_and_main_are_dropped(self) -> None:
        usage = (
            "print(double([1]))\nassert double([1]) == [3]\nif __name__ == '__main__':\n    double(input())\n"
        )
        program = sound(fenced(GOOD + "\n" + usage))
        assert len(ast.parse(program.text).body) == 2  # the prompt's import and the function

    def test_doctest_lines_appended_are_dropped(self) -> None:
        assert ">>>" not in sound(f"{GOOD}\n>>> double([1])\n[2]\n").text

    def test_unneeded_functions_are_dropped(self) -> None:
        assert "double_v2" not in sound(f"{GOOD}\n\ndef double_v2(xs):\n    return xs + xs\n").text

    def test_local_name_does_not_drag_in_a_global_of_the_same_name(self) -> None:
        program = sound(fenced(f"{GOOD}\nxs = input()\nprint(double(xs))\n"))
        assert "input" not in program.text

    def test_state_set_up_at_the_top_level_is_kept(self) -> None:
        code = "memo = {}\nfor i in range(9):\n    memo[i] = 2 * i\n\n" + GOOD.replace("2 * x", "memo[x]")
        assert doubles(sound(fenced(code)))

    def test_wrapped_redefinition_is_kept(self) -> None:
        code = "import functools\n\ndef double(x):\n    return 2 * x\n\ndouble = functools.cache(double)\n"
        assert "double = functools.cache(double)" in sound(fenced(code), PROSE).text

    def test_recursion_limit_is_kept_with_its_import(self) -> None:
        program = sound(fenced(f"import sys\nsys.setrecursionlimit(5000)\n\n{GOOD}"))
        assert {"sys"} <= names(program)
        assert "setrecursionlimit" in program.text

    @pytest.mark.parametrize(
        ("set_up", "expression"),
        [
            ("T = {}\ndef _init():\n    for i in range(9):\n        T[i] = 2 * i\n_init()", "T[x]"),
            ("T = None\ndef _init():\n    global T\n    T = 2\n_init()", "T * x"),
            ("T = []\ndef add():\n    T.append(2)\ndef start():\n    add()\nstart()", "T[0] * x"),
            ("import heapq\nH = []\nheapq.heappush(H, 2)", "H[0] * x"),
            ("from heapq import heappush\nH = []\nfor i in (2, 3):\n    heappush(H, i)", "H[0] * x"),
            ("from bisect import insort\nL = [1]\n[insort(L, i) for i in (2, 3)]", "L[1] * x"),
            ("import random\nP = [2]\nrandom.shuffle(P)", "P[0] * x"),
            ("T = {}\ndef fill(t, n):\n    t['n'] = n\nfill(T, n=2)", "T['n'] * x"),
            ("T = {}\ndef fill(t, n):\n    t['n'] = n\nif not T:\n    fill(t=T, n=2)", "T['n'] * x"),
            ("class C: pass\nc = C()\nsetattr(c, 'two', 2)", "c.two * x"),
            ("T = []\n[T.append(n) for n in (2, 3)]", "T[0] * x"),
            ("T = []\nlist(map(T.append, (2, 3)))", "T[0] * x"),
            ("T = []\nany(T.append(n) for n in (2, 3))", "T[0] * x"),
            ("T = []\n(lambda: T.append(2))()", "T[0] * x"),
            ("T = []\nadd = T.append\nadd(2)", "T[0] * x"),
            ("T = {}\nsame = T\nsame['n'] = 2", "T['n'] * x"),
            ("T = {}\ndef fill():\n    T['n'] = 2\nstart = fill\nstart()", "T['n'] * x"),
            (
                "R = {}\ndef reg(f):\n    R[f.__name__] = f\n    return f\n"
                "@reg\ndef two(x):\n    return 2 * x",
                "R['two'](x)",
            ),
            (
                "R = {}\ndef reg(n):\n    def to(f):\n        R[n] = f\n        return f\n    return to\n"
                "@reg('t')\ndef two(x):\n    return 2 * x",
                "R['t'](x)",
            ),
            ("globals()['T'] = 2", "T * x"),
            ("globals().update(T=2)", "T * x"),
            ("exec('T = 2')", "T * x"),
        ],
    )
    def test_a_call_that_fills_what_the_function_needs_is_kept(self, set_up: str, expression: str) -> None:
        code = f"{set_up}\n\ndef double(xs):\n    return [{expression} for x in xs]\n\nprint(double([1]))\n"
        program = sound(fenced(code))
        assert doubles(program)
        assert "print" not in program.text

    @pytest.mark.parametrize(
        "use",
        [
            "[print(double([n])) for n in (1, 2)]",
            "list(map(double, [[1], [2]]))",
            "run = double\nrun([1])",
            "exec('double([1])')",
            "(lambda: double([1]))()",
            "@check\ndef test():\n    double([1])",
        ],
    )
    def test_a_loop_a_name_or_a_decorator_that_only_uses_the_program_is_dropped(self, use: str) -> None:
        assert sound(fenced(f"def check(f):\n    f()\n{GOOD}\n{use}\n")).text.strip().endswith(GOOD.strip())

    def test_an_attribute_of_the_function_is_kept(self) -> None:
        code = GOOD.replace("2", "double.n")
        program = sound(fenced(f"{code}\nsetattr(double, 'n', 2)\ncheck(double)\n"))
        assert doubles(program)
        assert "check" not in program.text

    def test_a_setting_of_a_module_that_is_used_is_kept(self) -> None:
        code = (
            "import decimal\ndecimal.getcontext().prec = 3\n\ndef double(x):\n    return decimal.Decimal(x)\n"
        )
        assert "prec = 3" in sound(fenced(code), PROSE).text

    @pytest.mark.parametrize(
        "star", ["from math import *", "import math\nfrom math import *\nprint(double([1]))"]
    )
    def test_a_star_import_in_another_block_is_lent_where_a_name_is_missing(self, star: str) -> None:
        use = "def double(xs):\n    return [int(fsum((x, x))) for x in xs]\n"
        assert doubles(sound(f"{fenced(use)}It needs:\n{fenced(star)}"))
        assert "*" not in extract(f"{fenced(BAD)}Not:\n{fenced(star)}", PROSE).text

    def test_an_annotation_can_use_an_import_from_a_later_block(self) -> None:
        use = "def double(xs: Sequence) -> list:\n    return [2 * x for x in xs]\n"
        assert doubles(sound(f"{fenced(use)}Add:\n{fenced('from collections.abc import Sequence')}"))

    @pytest.mark.parametrize(
        "usage",
        [
            "def main():\n    print(double([1]))\nmain()",
            "def test():\n    SEEN.append(double([1]))\ntest()",
            "def ask():\n    SEEN.append(input())\nask()",
            "check(double)",
            "print(SEEN)",
            "SHOWN = []\nrun(SHOWN)",
            "import unittest\nunittest.main()",
        ],
    )
    def test_a_call_that_only_uses_the_program_is_dropped(self, usage: str) -> None:
        code = (
            f"SEEN = []\n\ndef double(xs):\n    SEEN.append(1)\n    return [2 * x for x in xs]\n\n{usage}\n"
        )
        program = sound(fenced(code))
        assert len(ast.parse(program.text).body) == 3  # the prompt's import, the list and the function

    def test_future_import_stays_first(self) -> None:
        program = sound(fenced(f"from __future__ import annotations\n{GOOD}"))
        assert program.text.startswith("from __future__")

    def test_statements_on_one_line_are_taken_apart(self) -> None:
        assert doubles(sound(fenced(f"import math; print(1)\n{GOOD}")))

    def test_comment_above_the_function_stays(self) -> None:
        assert "# Doubles" in sound(fenced(f"# Doubles each.\n{GOOD}")).text


class TestNothingFound:
    @pytest.mark.parametrize("reply", [None, "", "   \n", "I cannot help with that."])
    def test_no_code_is_an_empty_program(self, reply: str | None) -> None:
        program = extract(reply, DOUBLE)
        assert program == Program(text="", compiles=False, defines_entry_point=False, how="none")

    def test_code_without_the_entry_point_is_a_fragment(self) -> None:
        program = extract(fenced("def triple(x):\n    return 3 * x\n"), PROSE)
        assert (program.how, program.compiles, program.defines_entry_point) == ("fragment", True, False)

    def test_other_name_is_not_bound_to_the_entry_point(self) -> None:
        assert not extract(fenced("def Double(x):\n    return 2 * x\n"), PROSE).defines_entry_point

    def test_signature_alone_stays_a_stub(self) -> None:
        assert "return" not in extract(fenced(DOUBLE.prompt), DOUBLE).text


# A word or line at a time, since random characters hardly ever make a fence or a definition.
_WORDS = r"""
``` ```python ~~~ {.python} <think> </think> 1. > def class lambda return if: else: try: @ ( [ { ] # \ ; = :
' " ''' async yield double x 1 import typing from * global del is é
"""
_LINES = [
    "def double(xs):",
    "    return xs",
    "    ",
    "\t",
    "\r",
    "\0",
    "\f",
    "\ud800",
    "x = 1",
    '"""',
    "\n",
    "\n",
]
FRAGMENTS = st.sampled_from([*_WORDS.split(), *_LINES])
REPLIES = st.one_of(
    st.text(), st.lists(FRAGMENTS, max_size=40).map("\n".join), st.lists(FRAGMENTS).map(" ".join)
)


# Each repeated to 50 KB, where a careless pattern, loop or parser takes minutes.
HEAVY = [
    *[
        "```\n",
        "```python\n",
        "`",
        "<think>",
        "\t",
        '"\\',
        "x = '''\n",
        "x = (\n",
        "(",
        "f(",
        "{1:",
        "1+",
        "-",
        "x.",
        "@a\n",
    ],
    *["def double(xs):\n", 'def double(xs):\n    """d"""\n', "class S:\n    def double(self): return 1\n"],
    *[
        "    return xs\n",
        "    elif x: pass\n",
        "    x = = 1\n",
        "    try:\n",
        "a=1;",
        "lambda:",
        "It's double, too,\n",
    ],
]


class TestAnyText:
    @settings(max_examples=400, deadline=None)
    @given(REPLIES, st.sampled_from([DOUBLE, HELPED, PROSE]))
    def test_never_raises_and_flags_are_true(self, reply: str, task: Task) -> None:
        program = extract(reply, task)
        if program.compiles:
            compile(program.text, "<test>", "exec")
        assert program.compiles or not program.defines_entry_point

    @settings(max_examples=100, deadline=None)
    @given(REPLIES)
    def test_same_reply_same_program(self, reply: str) -> None:
        assert extract(reply, DOUBLE) == extract(reply, DOUBLE)

    @settings(max_examples=100, deadline=None)
    @given(REPLIES)
    def test_program_is_its_own_extraction(self, reply: str) -> None:
        program = extract(reply, DOUBLE)
        if program.defines_entry_point:
            again = extract(fenced(program.text), DOUBLE)
            assert again.defines_entry_point

    @settings(max_examples=40, deadline=None)
    @given(st.text(), st.integers(min_value=0, max_value=30))
    def test_prompt_may_be_any_text(self, prompt: str, cut: int) -> None:
        for shown in (prompt, DOUBLE.prompt[:cut]):
            extract(fenced(GOOD), Task(id="x", prompt=shown, entry_point="double"))

    @pytest.mark.timeout(300)  # no speed is asserted: what is worse than linear never comes to an end here
    @pytest.mark.parametrize("line", HEAVY)
    def test_fifty_kilobytes_come_to_an_end(self, line: str) -> None:
        for head in ("", "```python\ndef double(xs):\n    return "):
            program = extract(head + line * (50_000 // len(line)), DOUBLE)
            assert program.compiles or not program.defines_entry_point
