# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""The same weights in PyTorch's RNN, LSTM and GRU: the same outputs, last states and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from seqjax.models.rnn import RNN, RNNConfig

LENGTHS = [7, 4, 1, 6]
KINDS = {"rnn": torch.nn.RNN, "rnn_relu": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru_after": torch.nn.GRU}


def ours_of(net, config):
    """Returns PyTorch's weights in our layout; two biases that only ever add are one here."""
    params = {"tokens": {"embedding": np.zeros((config.vocab_size, config.embed_width), np.float32)}}
    for number in range(config.layers):
        params[f"layer_{number}"] = {}
        for name, suffix in (("forward", ""), ("backward", "_reverse"))[: 1 + config.bidirectional]:
            w, u, b, c = (
                getattr(net, f"{kind}_l{number}{suffix}").detach().numpy()
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            own = {"recurrent": u.T}
            if config.cell == "gru_after":
                own["recurrent_bias"] = c[2 * config.width :]
                c = np.concatenate([c[: 2 * config.width], np.zeros(config.width, np.float32)])
            params[f"layer_{number}"][name] = own | {"input": {"kernel": w.T, "bias": b + c}}
    return jax.tree.map(jnp.asarray, params)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("cell", KINDS)
def test_outputs_states_and_gradients(cell, bidirectional):
    torch.manual_seed(0)
    options = {"nonlinearity": "relu"} if cell == "rnn_relu" else {}
    net = KINDS[cell](5, 8, num_layers=2, bidirectional=bidirectional, batch_first=True, **options)
    config = RNNConfig(vocab_size=40, cell=cell, width=8, embed_width=5, bidirectional=bidirectional)
    params = ours_of(net, config)
    table = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    params["tokens"]["embedding"] = jnp.asarray(table)
    tokens = np.random.default_rng(1).integers(0, 40, (4, 7))
    real = np.arange(7)[None, :] < np.array(LENGTHS)[:, None]

    embedded = torch.tensor(table)[torch.tensor(tokens)].requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(embedded, LENGTHS, batch_first=True, enforce_sorted=False)
    out, last = net(packed)
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=7)
    weights = np.random.default_rng(2).normal(size=states.shape).astype(np.float32) * real[:, :, None]
    (states * torch.tensor(weights)).sum().backward()

    model = RNN(config)

    def run(params):
        carry = None if bidirectional else model.initial_carry(4, 7)
        found, carry = model.apply({"params": params}, tokens, segments_BL=real.astype(np.int32), carry=carry)
        return jnp.sum(found * weights), (found, carry)

    grads, (found, carry) = jax.jit(jax.grad(run, has_aux=True))(params)
    np.testing.assert_allclose(np.asarray(found) * real[:, :, None], states.detach().numpy(), atol=1e-5)
    if not bidirectional:
        hidden = last[0] if cell == "lstm" else last
        for layer in range(2):
            np.testing.assert_allclose(carry.layers[layer].h_BD, hidden[layer].detach().numpy(), atol=1e-5)
            if cell == "lstm":
                np.testing.assert_allclose(carry.layers[layer].c_BD, last[1][layer].detach().numpy(), atol=1e-5)
    for number in range(2):
        for name, suffix in (("forward", ""), ("backward", "_reverse"))[: 1 + bidirectional]:
            own = grads[f"layer_{number}"][name]
            for ours, theirs in (
                (own["input"]["kernel"].T, "weight_ih"), (own["recurrent"].T, "weight_hh"),
                (own["input"]["bias"], "bias_ih"),
            ):  # fmt: skip
                wanted = getattr(net, f"{theirs}_l{number}{suffix}").grad.numpy()
                np.testing.assert_allclose(ours, wanted, atol=1e-4, rtol=1e-4, err_msg=f"{theirs}_l{number}{suffix}")
    wanted = np.zeros_like(table)
    np.add.at(wanted, tokens, embedded.grad.numpy())
    np.testing.assert_allclose(grads["tokens"]["embedding"], wanted, atol=1e-4, rtol=1e-4)
