# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""Replaced token detection (Clark et al. 2020, ELECTRA, section 3): say which tokens a small generator put in."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax.config import require, require_choice
from seqjax.errors import UserError
from seqjax.models.deberta import DebertaConfig
from seqjax.models.detector import SHARINGS, Detector, ReplacementHead, adopted, resolved
from seqjax.models.model import ModelConfig, build, training_flops
from seqjax.models.rnn import RNNConfig
from seqjax.models.seq2seq import Seq2SeqConfig
from seqjax.models.transformer_config import DTYPES, TransformerConfig
from seqjax.objectives.losses import correct, cross_entropy
from seqjax.objectives.mlm import MLM
from seqjax.objectives.objective import Objective, Pairs, Row, Vocabulary, call
from seqjax.types import Apply, Batch, Params


@dataclasses.dataclass(frozen=True)
class RTD(Objective):
    """Settings of replaced token detection; the defaults are ELECTRA-small's.

    The model of the experiment is the discriminator, and what a later run starts from (by `init_from`: its trunk). The
    generator has the same settings but for its size; DeBERTa's mask decoder, if there is one, is the generator's.
    """

    framing: ClassVar[str] = "wrapped"
    terms: ClassVar[tuple[str, ...]] = ("mlm", "rtd")

    mlm: MLM = MLM(masked=1.0, random=0.0)  # what the generator reads: all that it is to say is masked (section 3.1)
    discriminator_weight: float = 50.0  # of the discriminator's term in the loss (appendix A)
    generator_width: float = 0.25  # of the discriminator's width, feed-forward width and heads
    generator_layers: float = 1.0  # of the discriminator's layers
    sharing: str = "shared"  # of embeddings: "shared", "separate" or "disentangled"; see `models.detector.Detector`

    def __post_init__(self) -> None:
        require_choice(self, "objective", {"sharing": SHARINGS})
        require(self, "objective", ("discriminator_weight",), 0)
        if self.mlm.chunk:
            raise UserError("objective.mlm.chunk: the generator's samples need all logits at once; leave it 0")
        for name in ("generator_width", "generator_layers"):
            if not getattr(self, name) > 0.0:
                raise UserError(f"objective.{name}={getattr(self, name)} must be above 0")

    def term_weights(self) -> dict[str, float]:
        """L_MLM + 50 L_Disc (section 3.1)."""
        return {"mlm": 1.0, "rtd": self.discriminator_weight}

    def head(self, model: ModelConfig) -> ReplacementHead:
        """The discriminator's head."""
        model = _attentive(model)
        return ReplacementHead(model.activation, DTYPES[model.dtype])

    def build(self, model: ModelConfig) -> Detector:
        """Returns the discriminator with its generator."""
        discriminator = build(model, self.head(model))
        return Detector(discriminator.trunk, discriminator.head, build(self.generator(model)), self.sharing)

    def generator(self, model: ModelConfig) -> ModelConfig:
        """Returns the generator's settings; where embeddings are shared they have the discriminator's width."""
        model = _attentive(model)
        width, heads = round(model.width * self.generator_width), max(1, round(model.heads * self.generator_width))
        if width % heads or not width:
            raise UserError(
                f"objective.generator_width={self.generator_width} gives the generator a width of {width}, which is "
                f"not divisible by its heads, {heads}"
            )
        embed_width = model.embed_width
        if self.sharing != "separate":
            embed_width = model.embed_width or model.width
            embed_width = 0 if embed_width == width else embed_width
        layers, mlp_width = round(model.layers * self.generator_layers), round(model.mlp_width * self.generator_width)
        return dataclasses.replace(
            model, layers=max(1, layers), width=width, heads=heads, mlp_width=max(1, mlp_width), embed_width=embed_width
        )

    def reusable(self, params: Params) -> Params:
        """The discriminator's trunk, with the embeddings that it reads."""
        return {"trunk": resolved(params, self.sharing)["trunk"]}

    def adopted(self, reusable: Params) -> Params:
        """Disentangled embeddings begin as the generator's, with no difference."""
        return adopted(reusable, self.sharing)

    def predictions(self, length: int) -> int:
        """Returns P, the places that are masked."""
        return self.mlm.predictions(length)

    def flops(self, model: ModelConfig, rows: int, length: int) -> float:
        """Returns those of generator and discriminator, whose output layer is too narrow to count."""
        generator = training_flops(self.generator(model), rows, length, self.predictions(length))
        return generator + training_flops(model, rows, length, 0)

    def check(self, vocabulary: Vocabulary, length: int) -> None:
        """As for masked language modelling."""
        self.mlm.check(vocabulary, length)

    def corruption_epoch(self, epoch: int) -> int:
        """As for masked language modelling."""
        return self.mlm.corruption_epoch(epoch)

    def corrupt(self, row: Row, rng: np.random.Generator, vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Returns what masked language modelling does: the generator's input and what it is to say."""
        return self.mlm.corrupt(row, rng, vocabulary)

    def weights(self, batch: Batch) -> dict[str, jax.Array]:
        """The number of predictions, and the number of real tokens."""
        return self.mlm.weights(batch) | {"rtd": jnp.sum((batch["segments"] > 0).astype(jnp.float32))}

    def loss(self, apply: Apply, params: Params, batch: Batch, key: jax.Array | None) -> tuple[Pairs, Pairs]:
        """Returns cross entropies in nats: of the generator's predictions, and of "replaced?" over the real tokens.

        A sample that is the original token counts as original (section 3.1).
        """
        keys: list[jax.Array | None] = [None] * 3 if key is None else list(jax.random.split(key, 3))
        places_BP, targets_BP = batch["mlm_positions"], batch["mlm_targets"]
        logits_BPV = call(apply, params, batch, keys[0], method="generate", gather_BP=places_BP)
        loss_BP = cross_entropy(logits_BPV, targets_BP, z_loss=0.0 if key is None else self.mlm.z_loss)
        hits_BP = correct(logits_BPV, targets_BP)

        samples_BP = sample(logits_BPV, batch, keys[1])
        tokens_BL = _put(jnp.asarray(batch["tokens"]), batch, samples_BP)
        replaced_BL = _put(jnp.zeros(tokens_BL.shape), batch, (samples_BP != targets_BP).astype(jnp.float32))
        logits_BL = call(apply, params, {**batch, "tokens": tokens_BL}, keys[2])
        loss_BL = optax.sigmoid_binary_cross_entropy(logits_BL.astype(jnp.float32), replaced_BL)

        weights, real_BL = self.weights(batch), (batch["segments"] > 0).astype(jnp.float32)
        found_BL = (logits_BL > 0).astype(jnp.float32) * real_BL
        both = jnp.sum(found_BL * replaced_BL)
        terms = {
            "mlm": (jnp.sum(loss_BP * batch["mlm_weights"]), weights["mlm"]),
            "rtd": (jnp.sum(loss_BL * real_BL), weights["rtd"]),
        }
        metrics = {
            "mlm_accuracy": (jnp.sum(hits_BP * batch["mlm_weights"]), weights["mlm"]),
            "rtd_accuracy": (jnp.sum((found_BL == replaced_BL) * real_BL), weights["rtd"]),
            "rtd_precision": (both, jnp.sum(found_BL)),
            "rtd_recall": (both, jnp.sum(replaced_BL)),
        }
        return terms, metrics


def _attentive(model: ModelConfig) -> TransformerConfig | DebertaConfig:
    if isinstance(model, RNNConfig | Seq2SeqConfig):
        raise UserError("replaced token detection needs a Transformer or DeBERTa; set model=transformer")
    return model


def sample(logits_BPV: jax.Array, batch: Batch, key: jax.Array | None) -> jax.Array:
    """Returns a token for each prediction, int [B, P], drawn from softmax(logits) by the Gumbel maximum; no gradient.

    The noise at a place is drawn from the key, a hash of what the generator reads in this row, and the place. Without a
    key (evaluation) a fixed one stands in. So a row's samples do not depend on which rows, how many places and how many
    devices share its batch, and every evaluation repeats them; equal rows get equal noise.
    """
    key = jax.random.key(0) if key is None else key
    logits_BPV = jax.lax.stop_gradient(logits_BPV).astype(jnp.float32)

    def noise(hash: jax.Array, place: jax.Array) -> jax.Array:
        place_key = jax.random.fold_in(jax.random.fold_in(key, hash), place)
        return jax.random.gumbel(place_key, logits_BPV.shape[-1:])

    by_place = jax.vmap(jax.vmap(noise, in_axes=(None, 0)))
    noise_BPV = by_place(_hash(batch), jnp.asarray(batch["mlm_positions"]))
    return jnp.argmax(logits_BPV + noise_BPV, axis=-1).astype(jnp.int32)


def _hash(batch: Batch) -> jax.Array:
    """Returns uint32 [B] of the real tokens at their places: sum of (token + 1) * odd^place, modulo 2^32."""
    powers_L = np.cumprod(np.full(batch["tokens"].shape[1], 2_654_435_761, np.uint32), dtype=np.uint32)
    tokens_BL = jnp.where(batch["segments"] > 0, batch["tokens"] + 1, 0).astype(jnp.uint32)
    return jnp.sum(tokens_BL * powers_L[None, :], axis=1, dtype=jnp.uint32)


def _put(into_BL: jax.Array, batch: Batch, values_BP: jax.Array) -> jax.Array:
    """Returns `into_BL` with the values at the places of the predictions; slots without weight put nothing."""
    places_BP = jnp.where(batch["mlm_weights"] > 0, batch["mlm_positions"], into_BL.shape[1])
    return jax.vmap(lambda row, places, values: row.at[places].set(values, mode="drop"))(into_BL, places_BP, values_BP)
