"""Chat templates: as Hugging Face renders them; those that reach out, loop or swell are refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from orion.errors import OrionError
from orion.tokenizer.chat import WORKER, ChatTemplate

pytest.importorskip("jinja2")

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi <|im_end|> \u00e9"},
]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# In the manner of Llama 2's: refusals, namespaces, string methods, special tokens.
LLAMA = """\
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system = '' %}
    {%- set rest = messages %}
{%- endif %}
{%- set ns = namespace(count=0) %}
{%- for message in rest %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('roles must alternate') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- bos_token + '[INST] ' + (system + '\\n\\n' if ns.count == 0 and system else '') }}
        {{- message['content'].strip() + ' [/INST]' }}
        {%- set ns.count = ns.count + 1 %}
    {%- else %}
        {%- generation %}{{- ' ' + message['content'] + eos_token }}{%- endgeneration %}
    {%- endif %}
{%- endfor %}
"""


@pytest.fixture
def rendered() -> Iterator[object]:
    made: list[ChatTemplate] = []

    def render(source: str, seconds: float = 10.0, **variables: object) -> str:
        made.append(ChatTemplate(source, seconds=seconds))
        return made[-1].render(**variables)

    yield render
    for template in made:
        template.close()


def test_chatml(rendered) -> None:
    expected = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <|im_end|> \u00e9"
    expected += "<|im_end|>\n<|im_start|>assistant\n"
    assert rendered(CHATML, messages=TURNS, add_generation_prompt=True) == expected


def test_a_template_with_all_its_helpers(rendered) -> None:
    turns = [*TURNS, {"role": "assistant", "content": "Ho"}, {"role": "user", "content": " More "}]
    found = rendered(LLAMA, messages=turns, bos_token="<s>", eos_token="</s>")
    first = "<s>[INST] Be brief.\n\nHi <|im_end|> \u00e9 [/INST]"
    assert found == f"{first} Ho</s><s>[INST] More [/INST]"


def test_what_a_template_refuses_is_said(rendered) -> None:
    with pytest.raises(OrionError, match="refuses the conversation: roles must alternate"):
        rendered(LLAMA, messages=[{"role": "assistant", "content": ""}], bos_token="")


def test_helpers_are_hugging_faces(rendered) -> None:
    value = {"b": "<é>", "a": [1, None]}
    assert rendered("{{ x | tojson }}", x=value) == '{"b": "<é>", "a": [1, null]}'
    assert rendered("{{ x | tojson(indent=1) }}", x=[1]) == "[\n 1\n]"
    assert rendered("{{ strftime_now('%Y') }}") == time.strftime("%Y")
    assert rendered("  {% if true %}\na\n  {% endif %}\nb") == "a\nb"
    assert rendered("{% for i in x %}{% if i > 1 %}{% break %}{% endif %}{{ i }}{% endfor %}",
                    x=[1, 2, 3]) == "1"  # fmt: skip
    assert rendered("{{ missing }}|{{ missing is defined }}") == "|False"


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__class__.__base__.__subclasses__()[0] }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__globals__['json'].loads('1') }}",
    "{{ ().__class__.__bases__[0].__subclasses__()[99]('id') }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "{{ ''|attr('__class__')|attr('__mro__') }}",
    "{{ self.__init__.__globals__.__builtins__ }}",
    "{{ cycler.__init__.__globals__.os.system('true') }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{% set x = messages.append(1) %}",
    "{% do messages.clear() %}",
    "{% include '/etc/passwd' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'base' %}",
    "{% if false %}{% include 'x' %}{% endif %}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_what_reaches_out_is_refused(rendered, source: str) -> None:
    said = "reaches for what templates must not touch|has a fault in line 1"
    with pytest.raises(OrionError, match=said):
        print(rendered(source, messages=TURNS))


def test_files_are_named(rendered) -> None:
    with pytest.raises(OrionError, match=r"line 2 takes in another file \(include\)"):
        rendered("\n{% include 'x' %}")


ENDLESS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ 10 ** (10 ** 8) }}",
    "{{ 'a' * 10 ** 10 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 'a'.ljust(10 ** 10) }}",
    "{{ range(10 ** 9) }}",
    "{% set ns = namespace(x='aaaa') %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}"
    "{% endfor %}{{ ns.x }}",
    "{% for a in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
    "{{ (('a?' * 30) + 'a' * 30) | regex }}",
]


@pytest.mark.parametrize("source", ENDLESS)
def test_what_does_not_end_is_ended(rendered, source: str) -> None:
    begun = time.monotonic()
    with pytest.raises(OrionError, match="chat template"):
        rendered(source, 2.0)
    assert time.monotonic() - begun < 20


def test_after_an_end_it_goes_on(rendered) -> None:
    template = ChatTemplate(
        "{% if stay %}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
        "{% endfor %}{% endif %}done",
        seconds=1.0,
    )
    with pytest.raises(OrionError, match=r"takes longer than 1 s and was ended"):
        template.render(stay=True)
    template.seconds = 10.0
    assert [template.render(stay=False) for _ in range(3)] == ["done"] * 3
    worker = template._worker
    template.close()
    assert worker is not None
    assert worker.poll() is not None


def test_without_jinja_it_is_said() -> None:
    command = [sys.executable, "-I", "-S", str(WORKER)]
    request = json.dumps({"template": "a", "variables": {}, "text_max": 9})
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
    assert "pip install 'orion-ane[chat]'" in json.loads(done.stdout)["error"]


def test_faults_are_named_with_their_line(rendered) -> None:
    with pytest.raises(OrionError, match="has a fault in line 2"):
        rendered("a\n{% if %}")
    with pytest.raises(OrionError, match="fails: ZeroDivisionError"):
        rendered("{{ 1 / 0 }}")
    with pytest.raises(OrionError, match="what JSON can hold"):
        rendered("", x=object())
