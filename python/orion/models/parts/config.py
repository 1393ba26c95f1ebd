"""Reads a config.json by rows, so that no key that changes the numbers is ever passed over.

A family lists the keys it uses, the keys that have no effect, and the keys of which it takes some
values only. Any other key with a value is refused by its name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import OrionError

REQUIRED = object()


@dataclass(frozen=True)
class Key:
    """What a key holds: int and float are positive; a tuple lists names. null takes the default."""

    kind: Any
    default: Any = REQUIRED


def because(reason: str, keys: str) -> dict[str, str]:
    return dict.fromkeys(keys.split(), reason)


# Keys of any config that have no effect on a causal model's logits, and why.
IGNORED = {
    **because("the family is found by model_type", "architectures model_type is_llama_config"),
    **because("the files say what they hold", "dtype torch_dtype use_bfloat16"),
    **because("says who wrote it", "_name_or_path name_or_path transformers_version _commit_hash"),
    **because("says who wrote it", "unsloth_fixed unsloth_version transformers.js_config"),
    **because("tokens of the tokenizer", "bos_token_id eos_token_id pad_token_id"),
    **because("tokens of the tokenizer", "sep_token_id decoder_start_token_id tokenizer_class"),
    **because("drops out in training alone", "attention_dropout hidden_dropout resid_pdrop"),
    **because("drops out in training alone", "attn_pdrop embd_pdrop"),
    **because("spreads new weights", "initializer_range"),
    **because("how another program runs it", "use_cache gradient_checkpointing torchscript"),
    **because("how another program runs it", "_attn_implementation attn_implementation"),
    **because("how another program runs it", "pretraining_tp return_dict use_return_dict"),
    **because("how another program runs it", "output_attentions output_hidden_states"),
    **because("how another program runs it", "output_scores return_dict_in_generate"),
    **because("of a head that classifies", "id2label label2id num_labels _num_labels"),
    **because("of a head that classifies", "problem_type finetuning_task summary_type"),
    **because("of a head that classifies", "summary_use_proj summary_activation"),
    **because("of a head that classifies", "summary_proj_to_labels summary_first_dropout"),
    **because("settings for sampling", "temperature top_k top_p typical_p do_sample num_beams"),
    **because("settings for sampling", "max_length min_length repetition_penalty early_stopping"),
    **because("settings for sampling", "length_penalty no_repeat_ngram_size num_beam_groups"),
    **because("settings for sampling", "diversity_penalty num_return_sequences bad_words_ids"),
    **because("settings for sampling", "encoder_no_repeat_ngram_size task_specific_params"),
    **because("settings for sampling", "forced_bos_token_id forced_eos_token_id prefix"),
    **because("settings for sampling", "remove_invalid_values begin_suppress_tokens"),
    **because("settings for sampling", "suppress_tokens exponential_decay_length_penalty"),
}

# Keys of any config that have an effect, and the values at which they have none.
FIXED: dict[str, tuple[Any, ...]] = {
    "add_cross_attention": (False,),
    "auto_map": ({},),
    "chunk_size_feed_forward": (0,),
    "cross_attention_hidden_size": (),
    "is_decoder": (False, True),
    "is_encoder_decoder": (False,),
    "pruned_heads": ({},),
    "quantization_config": (),
    "tie_encoder_decoder": (False,),
}


def read_keys(
    family: str,
    config: Mapping[str, Any],
    used: Mapping[str, Key],
    ignored: Mapping[str, str] | None = None,
    fixed: Mapping[str, tuple[Any, ...]] | None = None,
) -> dict[str, Any]:
    """The value of every used key. OrionError names the key that is missing, wrong or unknown."""
    harmless = {**IGNORED, **(ignored or {})}
    accepted = {**FIXED, **(fixed or {})}
    for key, value in config.items():
        if key in used or key in harmless or value is None:
            continue
        if key not in accepted:
            raise OrionError(
                f"config.json: {family} has no key {key!r}, here {value!r}, so what it changes"
                " would be missing; remove it if it changes nothing"
            )
        if value not in accepted[key]:
            expected = " or ".join(map(repr, accepted[key])) or "null"
            raise OrionError(
                f"config.json: {family} is supported with {key} {expected}, not {value!r}"
            )
    return {key: read(family, key, row, config.get(key)) for key, row in used.items()}


def read(family: str, key: str, row: Key, value: Any) -> Any:
    if value is None:
        if row.default is REQUIRED:
            raise OrionError(f"config.json: {family} needs the key {key!r}, which is missing")
        return row.default
    if isinstance(row.kind, tuple):
        if value not in row.kind:
            known = ", ".join(row.kind)
            raise OrionError(f"config.json: {key} {value!r} is not known; known: {known}")
        return value
    fits, expected = RULES[row.kind](value), EXPECTED[row.kind]
    if not fits:
        raise OrionError(f"config.json: expected {expected} as {key}, got {value!r}")
    return row.kind(value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


# No model comes near: a config that says more is damaged.
LARGEST = 1 << 31
RULES: dict[Any, Any] = {
    int: lambda value: is_number(value) and value == int(value) and 0 < value < LARGEST,
    float: lambda value: is_number(value) and value > 0,
    bool: lambda value: isinstance(value, bool),
    dict: lambda value: isinstance(value, Mapping),
    list: lambda value: isinstance(value, (list, tuple)),
}
EXPECTED = {
    int: f"a whole number from 1 to {LARGEST - 1}",
    float: "a number over 0",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
