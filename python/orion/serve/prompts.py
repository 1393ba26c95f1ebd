"""From what is asked to token ids, in a thread of its own; knows no web.

A template may take long and its process serves one caller, so requests take turns here.
"""

from __future__ import annotations

from typing import Any

from orion.errors import OrionError, UsageError
from orion.generate import Model
from orion.serve.asked import Asked
from orion.serve.fields import CHAT
from orion.serve.messages import message_texts
from orion.serve.problem import wrong
from orion.serve.settings import Limits
from orion.tokenizer.chat import ChatTemplate


class Prompts:
    """Token ids of prompts and of conversations."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model = model
        self.tokenizer = model.tokenizer
        self.template = (
            None
            if self.tokenizer.chat_template is None
            else ChatTemplate(self.tokenizer.chat_template)
        )
        self.most = min(limits.prompt_tokens, model.session.context - 1)

    def ids(self, asked: Asked) -> list[list[int]]:
        """Of each prompt at least one id, and room for one more in the context; or a Problem."""
        return [self._ids(prompt, asked.route) for prompt in asked.prompts]

    def _ids(self, prompt: Any, route: str) -> list[int]:
        param = "messages" if route == CHAT else "prompt"
        try:
            ids = self._chat(prompt) if route == CHAT else self.model.encode(prompt)
        except UsageError as error:
            raise wrong(param, str(error)) from None
        except OrionError as error:
            raise wrong(param, str(error), "chat_template_failed") from None
        vocabulary = self.model.session.vocabulary
        bad = next((token for token in ids if not 0 <= token < vocabulary), None)
        if bad is not None:
            raise wrong(param, f"Token ids are from 0 to {vocabulary - 1}; got {bad}.")
        if not ids:
            raise wrong(param, f"{param} has no tokens; say something.")
        if len(ids) > self.most:
            message = f"The prompt has {len(ids)} tokens; at most {self.most} fit here."
            raise wrong(param, message, "context_length_exceeded")
        return ids

    def _chat(self, given: list[Any]) -> list[int]:
        messages = message_texts(given)
        for place, message in enumerate(messages):
            check_text(message["content"], f"messages[{place}].content")
        if self.template is not None:
            text = self.template.render(
                messages=messages, add_generation_prompt=True, **self.tokenizer.special
            )
            return self.tokenizer.encode(text, bos=False)
        if any(message["role"] == "system" for message in messages):
            raise wrong(
                "messages",
                "The model has no chat template, and without one there is no place for a system"
                " message; put it into the first message.",
            )
        # One running text: the model continues what was said.
        return self.model.encode("".join(message["content"] for message in messages))

    def close(self) -> None:
        if self.template is not None:
            self.template.close()


def check_text(text: str, place: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise wrong(place, f"{place} is no UTF-8 text: {error.reason}.") from None
