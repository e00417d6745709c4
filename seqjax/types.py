# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The batch contract: every key that travels from the data pipeline to an objective, with its shape.

A batch is a dict of arrays of fixed shape. Rows that only fill up the last batch of an evaluation have segments and
weights of zero everywhere, so they count nothing. Two packed documents, "ab" and "c", in a row of L = 5 (causal
language modelling; ids are 10 for a, 11 for b, 12 for c, 2 begins and 3 ends a document):

    tokens     2 10 11  2 12        what the model reads
    targets   10 11  3 12  3        what it should say at each place
    segments   1  1  1  2  2        which document of the row (0 is padding); attention never crosses them
    positions  0  1  2  0  1        restart with each document; recurrent models reset their state at 0
    weights    1  1  1  1  1        how much each target counts (0 at padding)

Where an objective scores rows in groups (`Objective.group`), each array has an axis G after B: tokens are [B, G, L].

Masked language modelling reads the head at a fixed number P of places in each row:

    tokens     2 10  4  3  2        4 is the mask token
    mlm_positions [2, 0]            where to predict (unused slots are 0)
    mlm_targets   [11, 0]           what stood there
    mlm_weights   [1, 0]            unused slots count nothing
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

Array = jax.Array | np.ndarray
Batch = Mapping[str, Array]
Params = Any  # a nested dict of arrays, as Flax gives it
Apply = Callable[..., Any]  # `module.apply`: the pair (Apply, Params) is all that objectives know of a model

# key -> (axes, dtype); B rows, L places, S of a source, P predictions. Only these keys may stand in a batch;
# one of several objectives at once has them after its first term: "mlm/tokens".
BATCH_KEYS: dict[str, tuple[str, type]] = {
    "tokens": ("BL", np.int32),
    "segments": ("BL", np.int32),
    "positions": ("BL", np.int32),
    "carry": ("B", np.float32),  # a tree [B, ...]: where a recurrent model goes on; the run's state, never the data's
    "token_types": ("BL", np.int32),  # first or second text of a pair
    "prefix": ("BL", np.int32),  # 1 where a causal model may look from anywhere in the document
    "source": ("BS", np.int32),  # what an encoder-decoder's encoder reads
    "source_segments": ("BS", np.int32),
    "source_positions": ("BS", np.int32),
    "updates": ("B", np.int32),  # how many came before this one; the run's state, never the data's
    "targets": ("BL", np.int32),
    "weights": ("BL", np.float32),
    "mlm_positions": ("BP", np.int32),
    "mlm_targets": ("BP", np.int32),
    "mlm_weights": ("BP", np.float32),
    "label": ("B", np.int32),  # the class of the row, or of several texts in it the number of the right one
    "number": ("B", np.float32),  # to be predicted, on the scale of the data
    "label_weight": ("B", np.float32),
    "answer_start": ("B", np.int32),  # first and last place of the answer, 0 where the row holds none
    "answer_end": ("B", np.int32),
    "answer_weight": ("B", np.float32),
    "entities": ("BL", np.int32),  # 1 and 2 on the tokens of the two entities that a row is about, 0 elsewhere
    "answer_places": ("BL", np.int32),  # 1 where an answer may stand: in the context, and for none at the first place
    "tags": ("BL", np.int32),
    "sentence_begins": ("B", np.int32),  # 1 where the row holds the beginning of its sentence, not only a later window
    "sentence_ends": ("B", np.int32),
    "tag_weights": ("BL", np.float32),  # 1 on the first piece of each word, 0 elsewhere
}
