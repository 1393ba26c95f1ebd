"""A model family of one's own: a Llama whose attention and MLP stand side by side, as in GPT-J.

    x + attention(norm(x)) + mlp(norm(x))         where Llama has one after the other, and two norms

Compiling, training and generation need nothing else; custom_model.py registers and uses it.
Activations are [1, C, 1, S].
"""

from orion.models import llama
from orion.models.parts.decoder import every_layer
from orion.models.parts.layers import rms_norm
from orion.models.parts.rotary import build_layers, gated_mlp, layer_shapes, outer_shapes

# The configuration, the head, and how a checkpoint names its tensors are Llama's.
read_config = llama.read_config
head, tables = llama.head, llama.tables
rename, restore, checkpoint_place = llama.rename, llama.restore, llama.checkpoint_place


def build(config, columns, cache, layers=None):
    """The graph of `columns` new positions over `cache` earlier ones, through `layers`."""
    return build_layers(config, (columns, cache), layers, block)


def block(g, config, layer, x, step):
    prefix = f"model.layers.{layer}."
    normed = rms_norm(g, x, f"{prefix}input_layernorm", config.rms_norm_eps, "norm")
    mixed = llama.attention(g, config, layer, normed, step)
    return g.add(g.add(x, mixed), gated_mlp(g, config, f"{prefix}mlp.", normed))


def shapes(config):
    """Every tensor that a checkpoint of this config holds."""
    layer = layer_shapes(config)
    del layer["post_attention_layernorm.weight"]
    return {**outer_shapes(config), **every_layer("model.layers.", config.layers, layer)}
