"""What is refused, each with its file and its line, before anything runs."""

from pathlib import Path

import pytest

from dualcode.errors import UnknownNameError, WorkflowError
from dualcode.workflows.find import find_workflow, workflow_files
from dualcode.workflows.loading import REPLACED, check_roles, load_workflow
from dualcode.workflows.running import check_inputs
from dualcode.workflows.workflow import Node, Written
from tests.workflows.made import HEAD, made, written

A = "- {id: a, prompt: x}\n"
FORMAT = "{type: object, properties: {kind: {enum: [x, y]}, good: {type: boolean}}, required: [kind]}"
ASKED = f"- {{id: a, prompt: x, output_format: {FORMAT}}}\n"

NODES: list[tuple[str, int, str]] = [
    # Shape. Nodes begin on line 5.
    ("- {id: a, prompt: x, bash: y}\n", 5, "node 'a' has 2 bodies, prompt and bash, and may have one"),
    (f"{A}- id: b\n", 6, "node 'b' does nothing; give it one of prompt, command"),
    ("- {prompt: x}\n", 5, "id is missing"),
    (f"{A}- id: a\n  bash: 'true'\n", 6, "the id 'a' is taken by the node of line 5"),
    ("- id: a\n  prompt: x\n  promt: y\n", 7, "unknown key 'promt'; prompt is nearest"),
    ("- id: a\n  prompt: x\n  provider: claude\n", 7, "provider is Archon's, and not done here: use role:"),
    ("- id: a\n  prompt: x\n  model: opus\n", 7, "use role:, and bind that role in the team's file"),
    ("- id: a\n  script: |\n    x\n  runtime: bun\n", 6, "script is Archon's, and not done here: use bash"),
    ("- id: a\n  loop_group: {nodes: []}\n", 6, "its nodes have to be written out"),
    ("- id: a\n  prompt: x\n  denied_tools: [Write]\n", 7, "use writable: false"),
    ("- id: a\n  loop:\n    prompt: x\n    until: DONE\n    max_iterations: 2\n    interactive: true\n", 10,
     "unknown key 'interactive'"),
    ("- id: a\n  prompt: x\n  retry:\n    max_attempts: 9\n", 8, "retry.max_attempts: found 9"),
    ("- id: a\n  prompt: x\n  retry:\n    attempts: 2\n", 8, "unknown key 'attempts'; max_attempts is nearest"),
    ("- id: a\n  prompt: x\n  retry: {max_attempts: 2, delay_ms: 10}\n", 7, "retry.delay_ms: found 10"),
    ("- id: 1a\n  prompt: x\n", 5, "id: found '1a'"),
    ("- id: a\n  prompt: 12\n", 6, "prompt: found 12"),
    ("- id: a\n  prompt: ''\n", 6, "prompt: found ''"),
    ("- id: a\n  prompt: x\n  always_run: 'true'\n", 7, "always_run: found 'true'"),
    ("- id: a\n  prompt: x\n  trigger_rule: any\n", 7, "trigger_rule: found 'any'"),
    ("- id: a\n  prompt: x\n  context: old\n", 7, "context is fresh, shared or {resume: ID}"),
    ("- id: a\n  prompt: x\n  depends_on: b\n", 7, "depends_on: found 'b'"),
    ("- just words\n", 5, "found 'just words'"),
    # Keys that do not go together.
    ("- id: a\n  bash: 'true'\n  role: worker\n", 7, "role does not go with bash"),
    ("- id: a\n  bash: 'true'\n  context: shared\n", 7, "context does not go with bash"),
    ("- id: a\n  cancel: over\n  retry: {max_attempts: 1}\n", 7, "retry does not go with cancel"),
    ("- id: a\n  approval: {message: well}\n  timeout: 100\n", 7, "timeout does not go with approval"),
    ("- id: a\n  approval: {message: well, decisions: [yes it is, yes it is]}\n", 6, "not all different"),
    ("- id: a\n  loop: {prompt: x, command: y, max_iterations: 2, until: X}\n", 6, "one prompt or one command"),
    ("- id: a\n  loop: {max_iterations: 2, until: X}\n", 6, "one prompt or one command"),
    ("- id: a\n  loop: {prompt: x, max_iterations: 2}\n", 6, "one of until, until_bash, until_field"),
    ("- id: a\n  loop:\n    prompt: x\n    max_iterations: 2\n    until: X\n    until_bash: 'true'\n", 10,
     "one of until, until_bash, until_field"),
    ("- id: a\n  loop: {prompt: x, until: X}\n", 6, "max_iterations is missing"),
    ("- id: a\n  loop: {prompt: x, max_iterations: 2, until_field: good}\n", 6, "is no boolean of its output_format"),
    # The graph.
    (f"{A}- id: b\n  prompt: x\n  depends_on:\n    - a\n    - aa\n", 10, "depends on 'aa', which is no node; 'a'"),
    (f"{A}- id: b\n  prompt: x\n  depends_on: [a, a]\n", 8, "depends on 'a' twice"),
    ("- id: a\n  prompt: x\n  depends_on: [a]\n", 7, "in a circle: a -> a"),
    ("- id: c\n  prompt: x\n- {id: a, prompt: x, depends_on: [b]}\n- {id: b, prompt: x, depends_on: [a]}\n", 7,
     "the nodes wait for each other in a circle: "),
    # References.
    ("- id: a\n  prompt: |\n    One.\n    See $nowhere.output now.\n", 8, "'nowhere' is no node; there are: a"),
    ("- id: a\n  prompt: >\n    See $nowhere.output now.\n", 6, "'nowhere' is no node"),
    (f"{A}- id: b\n  prompt: $a.output\n", 7, "'a' is not upstream: name it in depends_on"),
    ("- id: a\n  prompt: $a.output\n", 6, "'a' is not upstream"),
    (f"{A}- id: b\n  depends_on: [a]\n  prompt: $a.output.kind\n", 8, "'a' has no output_format"),
    (f"{ASKED}- id: b\n  depends_on: [a]\n  prompt: $a.output.kin\n", 8, "the fields of 'a' are kind, good"),
    (f"{ASKED}- id: b\n  depends_on: [a]\n  prompt: $a.output.kind.more\n", 8, "a field is one level deep"),
    ("- id: a\n  prompt: $INPUTS.which\n", 6, "$INPUTS.which is no declared input; there are: none"),
    ("- id: a\n  prompt: all of $INPUTS\n", 6, "name one: $INPUTS.name"),
    ("- id: a\n  prompt: $ARTIFACTS_DIR/plan.md\n", 6, "$ARTIFACTS_DIR is Archon's, and not done here"),
    ("- id: a\n  prompt: $LOOP_PREV_OUTPUT\n", 6, "$LOOP_PREV_OUTPUT stands for nothing here"),
    ("- id: a\n  prompt: $REJECTION_REASON\n", 6, "$REJECTION_REASON stands for nothing here"),
    ("- id: a\n  cancel: over\n- id: b\n  depends_on: [a]\n  prompt: $a.output\n", 9, "has no output"),
    ("- id: a\n  bash: |\n    cd x\n    echo \"$ARGUMENTS\"\n", 8, "take the quotes around it away"),
    ("- id: a\n  bash: echo 'it is $ARGUMENTS'\n", 6, "take the quotes around it away"),
    (f"{A}- id: b\n  bash: cat\n  depends_on: [a]\n- id: c\n  prompt: x\n  context: {{resume: b}}\n"
     "  depends_on: [b]\n", 11, "'b' is a bash node, and has no conversation"),
    (f"{A}- id: b\n  prompt: x\n  context:\n    resume: a\n", 9, "'a' is not upstream"),
    (f"{A}- id: b\n  prompt: x\n  context: shared\n", 8, "shared continues the one node that it depends on"),
    ("- id: a\n  command: nowhere\n", 6, "there is no prompt 'nowhere'; it would be"),
    ("- id: a\n  command: ../secret\n", 6, "there is no prompt '../secret'"),
    ("- id: ARGUMENTS\n  prompt: x\n", 5, "$ARGUMENTS is a variable's name"),
    # Conditions.
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $a.output.kind = 'x'\n", 9, "cannot be read"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: ($a.output.kind == 'x')\n", 9, "no parentheses"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $a.output.kind == 'x' &&\n", 9, "is missing at the end"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $a.output.kind == x\n", 9, "cannot be read"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $a.output.kind < 'x'\n", 9, "compares numbers"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $a.output.kind == 'z'\n", 9, "is never 'z'"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $a.output == 'x'\n", 9, "a model's whole answer"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $c.output == 'x'\n", 9, "'c' is no node"),
    (f"{ASKED}- id: b\n  prompt: x\n  when: $a.output.kind == 'x'\n", 8, "'a' is not upstream"),
    (f"{ASKED}- id: b\n  prompt: x\n  depends_on: [a]\n  when: $ARGUMENTS == 'x'\n", 9, "stands for nothing here"),
    (f"{A}- id: b\n  prompt: x\n  when: true\n", 8, "when: found True"),
    # Schemas.
    ("- id: a\n  prompt: x\n  output_format:\n    type: objekt\n", 8, "output_format is no JSON schema"),
    ("- id: a\n  prompt: x\n  output_format: {type: array}\n", 7, "output_format is of an object"),
    ("- id: a\n  prompt: x\n  output_format: {type: object, $ref: 'http://x.y/z'}\n", 7, "only #/… is read"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "line", "told"), NODES, ids=[told for _, _, told in NODES])
def test_a_node_is_refused_with_its_line(tmp_path: Path, nodes: str, line: int, told: str) -> None:
    path = written(tmp_path, f"nodes:\n{nodes}")
    with pytest.raises(WorkflowError) as refused:
        load_workflow(path)
    assert f"{path}:{line}: " in str(refused.value)
    lines = [each for each in str(refused.value).splitlines() if each.startswith(f"{path}:{line}: ")]
    assert any(told in each for each in lines), refused.value
    assert "at least 1 item" not in str(refused.value), "a faulty node is one"


FILES: list[tuple[str, int, str]] = [
    ("", 1, "it has no keys"),
    ("- a\n", 1, "it has no keys"),
    ("name: x\nnodes: []\n", 1, "description is missing"),
    ("name: x\ndescription: y\nnodes: []\n", 3, "nodes: found []"),
    ("name: x\nname: y\n", 2, "the key 'name' stands on line 1, too"),
    ("name: x\ndescription: y\nnodes:\n- id: a\n  prompt: x\n  prompt: y\n", 6, "the key 'prompt' stands on line 5, too"),
    ("name: x\ndescription: y\non: push\n", 3, "YAML reads 'on' as the boolean true or false, not as the word"),
    ("name: no\n", 1, "YAML reads 'no' as the boolean true or false, not as the word; as a value quote it"),
    ("name: x\ndescription: y\nnodes:\n- {id: a, prompt: x, writable: off}\n", 4, "YAML reads 'off'"),
    ("name: x\ndescription: y\nnodes:\n- {id: a, prompt: x, timeout: 0600}\n", 4, "YAML reads '0600' as a number"),
    ("name: x\ndescription: y\nnodes:\n- {id: a, prompt: x, timeout: 1:30}\n", 4, "YAML reads '1:30' as a number"),
    ("name: 2024-01-01\n", 1, "as a timestamp"),
    ("name: x\ndescription:\n", 2, "nothing stands here"),
    ("name: x\nbase: &base {a: b}\n", 2, "anchors (&…) are not read"),
    ("name: x\nbase: {<<: {a: b}}\n", 2, "merge keys (<<) are not read"),
    ("name: x\nbase: *base\n", 2, "aliases (*…) are not read"),
    ("name: !!python/object:os.system x\n", 1, "tags (!…) are not read"),
    ("%YAML 1.2\n---\nname: x\n", 1, "directives (%…) are not read"),
    ("name: x\n---\nname: y\n", 2, "not YAML: but found another document"),
    ("name: x\n\tdescription: y\n", 2, "not YAML"),
    ("name: [x\n", 2, "not YAML"),
    ("name: x\n? [a, b]\n: c\n", 2, "a key is a word"),
    ("name: \x07\n", 1, "not YAML"),
    (f"a: {'[' * 500_000}\n", 1, "it is nested too deeply"),
    ("name: x\ndescription: y\ntags: [a]\nnodes: []\n", 3, "tags is Archon's, and not done here"),
    ("name: x\ndescription: y\nprovider: claude\nnodes: []\n", 3, "use role:"),
    ("name: x\ndescription: y\nnode: []\n", 3, "unknown key 'node'; nodes is nearest"),
    ("name: x y\ndescription: y\nnodes: []\n", 1, "name: found 'x y'"),
    ("name: x\ndescription: y\ninputs: {a: {need: true}}\nnodes: []\n", 3, "unknown key 'need'"),
    ("name: x\ndescription: y\nnodes:\n- {id: a, prompt: x}\n", 4, "nobody does it: give it, or the workflow, a role"),
    ("name: x\ndescription: y\ninputs: {a: {required: true, default: b}}\nrole: r\nnodes:\n- {id: a, prompt: x}\n", 6,
     "its default is never used"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "told"), FILES, ids=[told for _, _, told in FILES])
def test_a_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = written(tmp_path, text, head="")
    with pytest.raises(WorkflowError) as refused:
        load_workflow(path)
    assert f"{path}:{line}: " in str(refused.value)
    assert told in str(refused.value)


def test_what_is_no_file_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="cannot be read: No such file"):
        load_workflow(tmp_path / "none.yaml")
    with pytest.raises(WorkflowError, match="cannot be read: Is a directory"):
        load_workflow(tmp_path)
    path = tmp_path / "made.yaml"
    path.write_bytes(b"name: x\ndescription: \xff\n")
    with pytest.raises(WorkflowError, match=r"made.yaml:2: no UTF-8 text"):
        load_workflow(path)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(WorkflowError, match="2,097,152 bytes"):
        load_workflow(path)


def test_all_faults_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "nodes:\n- {id: a, prompt: $b.output}\n- {id: c, bash: x, when: nonsense}\n")
    with pytest.raises(WorkflowError) as refused:
        load_workflow(path)
    lines = refused.value.message.splitlines()
    assert [each.split(":")[1] for each in lines] == ["5", "6"]


def test_a_fault_in_the_file_of_a_prompt_is_told_with_that_file_and_its_line(tmp_path: Path) -> None:
    folder = tmp_path / "commands"
    folder.mkdir()
    (folder / "look.md").write_text("\nLook.\n\nAt $nothing.output\n")
    with pytest.raises(WorkflowError) as refused:
        made(tmp_path, "- {id: a, command: look}\n")
    assert f"{folder / 'look.md'}:4: node 'a': 'nothing' is no node" in str(refused.value)
    (folder / "look.md").write_text("\n")
    with pytest.raises(WorkflowError, match="is empty"):
        made(tmp_path, "- {id: a, command: look}\n")


def test_an_unbound_role_is_refused_with_the_line_that_asks_for_it(tmp_path: Path) -> None:
    workflow = made(tmp_path, "- {id: a, prompt: x}\n- id: b\n  prompt: x\n  role: critic\n")
    check_roles(workflow, ["worker", "critic"])
    with pytest.raises(WorkflowError) as refused:
        check_roles(workflow, ["worker"])
    assert f"{workflow.path}:8: node 'b' needs the role 'critic'" in str(refused.value)
    assert "bound: worker" in str(refused.value)


def test_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    inputs = "inputs:\n  one: {required: true}\n  two: {default: '2'}\n"
    workflow = made(tmp_path, "- {id: a, prompt: $ARGUMENTS $INPUTS.one}\n", inputs=inputs)
    with pytest.raises(WorkflowError, match="needs the input 'one'"):
        check_inputs(workflow, {"ARGUMENTS": "x"})
    with pytest.raises(WorkflowError, match="needs the input 'ARGUMENTS'"):
        check_inputs(workflow, {"one": "1"})
    with pytest.raises(WorkflowError, match="'three' is no input of made; there are: one, two, ARGUMENTS"):
        check_inputs(workflow, {"three": "3"})
    words, given = check_inputs(workflow, {"one": "1", "ARGUMENTS": "x"})
    assert words == {"ARGUMENTS": "x", "USER_MESSAGE": "x"}
    assert given == {"one": "1", "two": "2"}


def test_no_key_of_ours_is_told_to_be_archons_alone() -> None:
    assert not REPLACED.keys() & {*Node.model_fields, *Written.model_fields}


def test_every_shipped_workflow_is_read_and_says_its_file_s_name() -> None:
    files = workflow_files()
    assert {"plan-implement", "implement-review-fix", "implement"} <= set(files)
    for name, path in files.items():
        assert load_workflow(path).name == name


def test_a_workflow_is_found_by_name_in_the_working_folder_first_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = find_workflow("implement")
    (tmp_path / "workflows").mkdir()
    own = tmp_path / "workflows" / "implement.yml"
    own.write_text(HEAD)
    assert shipped != find_workflow("implement") == own
    assert find_workflow("workflows/implement.yml") == Path("workflows/implement.yml")
    with pytest.raises(UnknownNameError, match="nearest: .*implement"):
        find_workflow("implment")
    with pytest.raises(WorkflowError, match="is no file"):
        find_workflow("./none.yaml")
