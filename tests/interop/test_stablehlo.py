# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""A fine-tuned model leaves as a program and a tokenizer: where seqjax cannot be imported they give its logits."""

import json
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from seqjax.commands.interop import export_run
from seqjax.data import tokenizers
from seqjax.data.pipeline import Data, Dataset
from seqjax.data.sources import from_records
from seqjax.experiment import Experiment, resolve
from seqjax.interop import stablehlo
from seqjax.models.families import bert
from seqjax.models.model import initialise
from seqjax.objectives.multiple_choice import MultipleChoice
from seqjax.objectives.objective import call
from seqjax.objectives.question_answering import QuestionAnswering
from seqjax.objectives.regression import Regression
from seqjax.objectives.supervised import Classification, Tagging
from seqjax.objectives.two_towers import InBatchNegatives
from seqjax.training import checkpoint, record
from seqjax.training.step import State

TEXTS = ["rain fell on the town", "he ate all the bread", "no", "a cat sat there"]
WORDS = tokenizers.build("wordpiece:80", lambda: TEXTS)
PAIR = [{"text": text, "pair": text[::2], "label": str(i % 2)} for i, text in enumerate(TEXTS)]
TASKS = {
    "classes": (Classification(labels=("0", "1")), PAIR),
    "number": (Regression(), PAIR),
    "tags": (Tagging(labels=("O", "B-A")), [{"words": t.split(), "tags": ["O"] * len(t.split())} for t in TEXTS]),
    "chain": (Tagging(labels=("O", "B-A", "I-A"), crf=True), [{"words": ["a", "cat"], "tags": ["O", "B-A"]}]),
    "answers": (
        QuestionAnswering(no_answer=True),
        [{"text": "who sat", "pair": text, "answers": []} for text in TEXTS],
    ),
    "choices": (
        MultipleChoice(labels=("0", "1")),
        [{"text": text, "choices": [text[::2], "so"], "label": "1"} for text in TEXTS],
    ),
    "relation": (
        Classification(labels=("0", "1"), pool="entities"),
        [{"text": "rain <e1>fell</e1> on the <e2>town</e2>", "label": "1"}, {"text": "<e2>no</e2><e1>he</e1>", "label": "0"}],
    ),
    "towers": (InBatchNegatives(group=4), PAIR),
}  # fmt: skip
PROGRAM = """
import json, sys
sys.modules |= dict.fromkeys(("seqjax", "flax", "transformers"))  # so that an import of them fails
try:
    import seqjax
    sys.exit("seqjax is there")
except ImportError:
    pass
import numpy as np
from jax import export
from tokenizers import Tokenizer
for folder in sys.argv[1:]:
    program = export.deserialize(open(folder + "/model.stablehlo", "rb").read())
    signature = json.load(open(folder + "/signature.json"))
    batch = np.load(folder + "/batch.npz")
    found = program.call(*(batch[each["name"]] for each in signature["inputs"]))
    named = zip([each["name"] for each in signature["outputs"]], found if isinstance(found, (tuple, list)) else [found])
    ids = Tokenizer.from_file(folder + "/tokenizer/tokenizer.json").encode("a cat sat", add_special_tokens=False).ids
    special = signature["special_ids"]
    np.savez(folder + "/found.npz", ids=[special["begin"], *ids, special["end"]], **dict(named))
"""


def a_run(folder, objective, records):
    """Writes a run whose parameters nobody trained; returns (batch, model, params)."""
    data = Data(length=24, layout="pad", eval_batch=4)
    model = bert(vocab_size=WORDS.size, layers=1, width=16, heads=2, mlp_width=24, max_length=32, dropout=0.0)
    experiment = Experiment(data=data, model=model, objective=objective)
    built = objective.build(model)
    fresh = initialise(built, jax.random.key(0))
    params = jax.tree.map(lambda x: 10.0 * x + 0.1 * jnp.sin(jnp.arange(x.size)).reshape(x.shape), fresh)
    record.describe(folder, experiment, WORDS, 0, {})
    checkpoints = checkpoint.Checkpoints(folder, experiment.run)
    state = State(jnp.zeros((), jnp.int32), params, {"none": jnp.zeros((), jnp.int32)})
    checkpoints.save(state, 0, SimpleNamespace(get_state=dict), experiment, None)
    checkpoints.close()
    dataset = Dataset(data, objective, WORDS, lambda _: from_records(records))
    return next(dataset.evaluation("test", 0)), built, params


def test_a_fine_tuned_model_runs_without_seqjax(tmp_path):
    wanted, folders = {}, {}
    for name, (objective, records) in TASKS.items():
        batch, model, params = a_run(tmp_path / name, objective, records)
        if objective.group > 1:
            batch = {key: values.reshape(-1, *values.shape[2:]) for key, values in batch.items()}
        folders[name] = tmp_path / f"{name}-out"
        signature = export_run(str(tmp_path / name), str(folders[name]), "stablehlo")[0]["signature"]
        zeros = {each["name"]: np.zeros_like(batch["tokens"]) for each in signature["inputs"]}
        np.savez(folders[name] / "batch.npz", **(zeros | batch))
        out = call(model.apply, params, batch, None)
        chain = isinstance(out, tuple)
        wanted[name] = {"vectors" if name == "towers" else "logits": out[0] if chain else out}
        wanted[name] |= vars(out[1]) if chain else {}
        assert signature["texts"] == {}
        assert (signature["length"], signature["max_length"]) == (24, 32)
        assert signature["answers"].get("answer_length") == {"answers": 30}.get(name)
        assert signature["task"] == type(objective).__name__
        assert signature["labels"] == {"answers": ["start", "end"]}.get(name, list(getattr(objective, "labels", ())))
    subprocess.run([sys.executable, "-I", "-c", PROGRAM, *map(str, folders.values())], check=True, cwd=tmp_path)
    for name, folder in folders.items():
        found = dict(np.load(folder / "found.npz"))
        assert found.pop("ids").tolist() == [WORDS.bos, *WORDS.encode("a cat sat"), WORDS.eos]
        assert found.keys() == wanted[name].keys(), name
        real = np.load(folder / "batch.npz")["segments"] > 0
        for key, values in found.items():
            each = real if values.shape[:2] == real.shape else slice(None)  # at padding nothing is said
            np.testing.assert_allclose(values[each], wanted[name][key][each], atol=1e-5, rtol=1e-5, err_msg=name)
        assert np.ptp(next(iter(found.values())), axis=0).max() > 1e-2
        described = json.loads((folder / "signature.json").read_text())["outputs"]
        assert [each["name"] for each in described] == list(wanted[name])
        assert described[0]["dtype"] == "float32" and len(described[0]["shape"]) == next(iter(found.values())).ndim


def test_the_signature_says_how_texts_were_made():
    said = stablehlo._texts(resolve("mrpc_t5", []).data.source)
    assert said["template"] == "mrpc sentence1: {text} sentence2: {pair}"
    assert said["answers"] == {"0": "not_equivalent", "1": "equivalent"}
    assert stablehlo._texts(resolve("xcopa", []).data.source) == {"joined": ["premise", "question"]}
    assert stablehlo._texts(resolve("weibo_ner", []).data.source) == {"words": "characters"}
