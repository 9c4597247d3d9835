"""Real clients, as far as they are installed: what they show, and what stands in the file afterwards.

They lie in the folder that $DUALCODE_CLIENTS names; docs/editors.md says how to fill it. Their models are
scripted: what is tried is the protocol and the form of the edits, with answers that a good model would give.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import House, Opened
from tests.gateway.test_chat import pair
from tests.gateway.upstream import APPROVAL

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
CLIENTS = Path(os.environ.get("DUALCODE_CLIENTS", "none")).resolve()
BEFORE = "def add(a, b):\n    return a - b\n"
AFTER = "def add(a, b):\n    return a + b\n"
WHOLE = "calc.py\n```\ndef add(a, b):\n    return a + a\n```\n"
BLOCKS = "<<<<<<< SEARCH\n    return a - b\n=======\n    return a + a\n>>>>>>> REPLACE\n"
FORMS = {
    "whole": WHOLE,
    "diff": f"calc.py\n```python\n{BLOCKS}```\n",
    "diff-fenced": f"```python\ncalc.py\n{BLOCKS}```\n",
    "udiff": (
        "```diff\n--- calc.py\n+++ calc.py\n@@ ... @@\n def add(a, b):\n"
        "-    return a - b\n+    return a + a\n```\n"
    ),
}
"""aider's name of a form -> a draft in it, with a bug that the review finds."""


def installed(path: str) -> str:
    """Return a client's program; skip the test where it is not installed."""
    found = CLIENTS / path
    return (
        str(found) if found.exists() else pytest.skip(f"no {path} in $DUALCODE_CLIENTS; see docs/editors.md")
    )


async def ran(folder: Path, *command: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode()


async def aider(home: House, folder: Path, form: str, model: str = "dualcode/review-fix") -> str:
    (folder / "calc.py").write_text(BEFORE)
    switches = (
        "--no-git --yes-always --no-pretty --no-check-update --no-analytics --no-show-model-warnings "
        "--no-show-release-notes --map-tokens 0 --no-auto-lint"
    )
    return await ran(
        folder, installed("aider/bin/aider"), *switches.split(), "--model", f"openai/{model}",
        "--weak-model", "openai/dualcode/raw-coder", "--edit-format", form,
        "--message", "Make add return the sum.", "calc.py",
        OPENAI_API_BASE=f"{home.url}/v1", OPENAI_API_KEY="none",
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
async def test_aider_writes_the_correction_in_each_of_its_forms(
    house: Opened, tmp_path: Path, form: str
) -> None:
    async with house() as home:
        pair(home, write=f"Here it is.\n\n{FORMS[form]}", fix=FORMS[form].replace("a + a", "a + b"))
        said = await aider(home, tmp_path, form)
    assert (tmp_path / "calc.py").read_text() == AFTER, said
    assert "Expected: 3" in said  # the findings, as it shows thoughts


async def test_aider_keeps_the_draft_where_the_correction_lost_the_form(
    house: Opened, tmp_path: Path
) -> None:
    async with house() as home:
        pair(home, write=FORMS["diff"], fix="You should return a + b.")
        said = await aider(home, tmp_path, "diff")
    assert (tmp_path / "calc.py").read_text() == BEFORE.replace("a - b", "a + a"), said


async def test_aider_writes_a_live_draft_and_only_shows_its_amendment(house: Opened, tmp_path: Path) -> None:
    async with house() as home:
        pair(home, write=WHOLE, fix=WHOLE.replace("a + a", "a + b"))
        said = await aider(home, tmp_path, "whole", "dualcode/review-fix:stream")
    assert "Amended after the review" in said  # of two versions of a file it takes the first
    assert (tmp_path / "calc.py").read_text() == BEFORE.replace("a - b", "a + a"), said


async def test_llm_shows_the_answer_and_logs_the_tokens(house: Opened, tmp_path: Path) -> None:
    program = installed("llm/bin/llm")
    async with house() as home:
        pair(home, write="```python\nx = 1\n```", review=APPROVAL)
        entry = {"model_id": "pair", "model_name": "dualcode/review-fix", "api_base": f"{home.url}/v1"}
        (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([entry]))
        said = await ran(tmp_path, program, "-m", "pair", "Set x in calc.py", LLM_USER_PATH=str(tmp_path))
        logged = await ran(tmp_path, program, "logs", "-n", "1", "--json", LLM_USER_PATH=str(tmp_path))
    assert said.strip() == "```python\nx = 1\n```"
    assert (json.loads(logged)[0]["input_tokens"], json.loads(logged)[0]["output_tokens"]) == (14, 6)


NODE = """
import OpenAI from "openai";
const client = new OpenAI({ baseURL: process.env.BASE, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Set x in calc.py" }];
let content = "", thought = "", usage = null;
const model = "dualcode/review-fix";
const asked = { model, messages, stream: true, stream_options: { include_usage: true } };
for await (const chunk of await client.chat.completions.create(asked)) {
  usage = chunk.usage ?? usage;
  for (const choice of chunk.choices) {
    content += choice.delta.content ?? "";
    thought += choice.delta.reasoning_content ?? "";
  }
}
const whole = await client.chat.completions.create({ model, messages });
let refused;
try { await client.chat.completions.create({ model: "reveiw-fix", messages }); }
catch (error) { refused = { kind: error.constructor.name, status: error.status, code: error.code }; }
console.log(JSON.stringify({ content, thought, usage, whole: whole.choices[0].message.content, refused }));
"""


async def test_openai_for_node_reads_thoughts_answer_tokens_and_errors(house: Opened, tmp_path: Path) -> None:
    installed("node/node_modules/openai")
    (tmp_path / "try.mjs").write_text(NODE)
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node" / "node_modules")
    async with house() as home:
        pair(home, write="```python\nx = 1\n```", review=APPROVAL)
        said = json.loads(await ran(tmp_path, "node", "try.mjs", BASE=f"{home.url}/v1"))
    assert said["content"] == said["whole"] == "```python\nx = 1\n```"
    assert "Approved." in said["thought"]
    assert said["usage"]["total_tokens"] == 20
    assert said["refused"] == {"kind": "NotFoundError", "status": 404, "code": "model_not_found"}


def agent(folder: Path) -> Any:
    """Return a model that reads calc.py by whatever tool the agent brings for it, and then answers."""

    def script(body: dict[str, Any]) -> Any:
        told = [each for each in body["messages"] if each["role"] == "tool"]
        brought: list[dict[str, Any]] = body.get("tools") or []
        tools = {each["function"]["name"]: each["function"] for each in brought}
        name = next((each for each in ("read_file", "read_files", "read", "Read") if each in tools), None)
        if told or name is None:
            return f"The file says: {json.dumps(told[-1]['content'] if told else 'nothing')}"
        schema = tools[name]["parameters"]
        names: list[str] = schema.get("required") or [*schema["properties"]]
        argument = names[0]
        arguments = json.dumps({argument: str(folder / "calc.py")})
        call = {
            "index": 0,
            "id": "call_1",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        return [{"tool_calls": [call]}]

    return script


async def test_continues_agent_calls_its_tools_through_the_gateway(house: Opened, tmp_path: Path) -> None:
    program = installed("node/node_modules/.bin/cn")
    (tmp_path / "calc.py").write_text(BEFORE)
    async with house() as home:
        home.upstream.answer("alone", agent(tmp_path))
        model = {"name": "pair", "provider": "openai", "model": "dualcode/review-fix", "apiKey": "none"}
        model["apiBase"] = f"{home.url}/v1"
        config = {"name": "dualcode", "version": "0.0.1", "schema": "v1", "models": [model]}
        (tmp_path / "cn.yaml").write_text(json.dumps(config))
        said = await ran(tmp_path, program, "--config", "cn.yaml", "-p", "What does calc.py say?")
    assert "The file says:" in said
    assert "return a - b" in said


async def test_qwen_code_calls_its_tools_through_the_gateway(house: Opened, tmp_path: Path) -> None:
    program = installed("node/node_modules/.bin/qwen")
    (tmp_path / "calc.py").write_text(BEFORE)
    async with house() as home:
        home.upstream.answer("alone", agent(tmp_path))
        said = await ran(
            tmp_path, program, "--auth-type", "openai", "-p", "What does calc.py say?",
            OPENAI_BASE_URL=f"{home.url}/v1", OPENAI_API_KEY="none", OPENAI_MODEL="dualcode/review-fix",
        )  # fmt: skip
    assert "The file says:" in said
    assert "return a - b" in said


async def test_clines_agent_calls_its_tools_through_the_gateway(house: Opened, tmp_path: Path) -> None:
    program = installed("node/node_modules/.bin/cline")
    (tmp_path / "calc.py").write_text(BEFORE)
    async with house() as home:
        home.upstream.answer("alone", agent(tmp_path))
        own = ("--config", str(tmp_path / "config"), "--data-dir", str(tmp_path / "data"))
        named = ("-p", "openai", "-k", "none", "-m", "dualcode/review-fix", "-b", f"{home.url}/v1")
        told = await ran(tmp_path, program, "auth", *named, *own)
        asked = ("-P", "openai", "-m", "dualcode/review-fix", "What does calc.py say?")
        said = told + await ran(tmp_path, program, *own, *asked)
    assert "The file says:" in said, said
    assert "return a - b" in said


async def test_opencode_calls_its_tools_through_the_gateway(house: Opened, tmp_path: Path) -> None:
    program = installed("node/node_modules/.bin/opencode")
    (tmp_path / "calc.py").write_text(BEFORE)
    async with house() as home:
        home.upstream.answer("alone", agent(tmp_path))
        models = {"dualcode/review-fix": {"name": "pair"}}
        options = {"baseURL": f"{home.url}/v1", "apiKey": "none"}
        pair = {"npm": "@ai-sdk/openai-compatible", "name": "pair", "options": options, "models": models}
        (tmp_path / "opencode.json").write_text(json.dumps({"provider": {"pair": pair}, "autoupdate": False}))
        asked = ("run", "-m", "pair/dualcode/review-fix", "What does calc.py say?")
        said = await ran(tmp_path, program, *asked, OPENCODE_DISABLE_MODELS_FETCH="1", PWD=str(tmp_path))
    assert "The file says:" in said, said
    assert "return a - b" in said
