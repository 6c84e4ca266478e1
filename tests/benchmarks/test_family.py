import pytest
import torch

from benchmarks import family, unrolled
from models.diagonal_bilstm import DiagonalBiLSTMLayer
from models.row_lstm import RowLSTMLayer


@pytest.mark.parametrize(
    ("kind", "plain"),
    [(RowLSTMLayer, unrolled.row_lstm), (DiagonalBiLSTMLayer, unrolled.diagonal_bilstm)],
)
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (5, 3), (3, 6)])
def test_an_unrolled_layer_has_the_states_and_gradients_of_ours(
    kind: type, plain: object, rows: int, cols: int
) -> None:
    torch.manual_seed(0)
    layer = kind(4, 1, 0, False).double()
    x = torch.randn(rows, cols, 2, 8, dtype=torch.float64, requires_grad=True)
    target = torch.randn(rows, cols, 2, 4, dtype=torch.float64)
    found = []
    for states in (layer(x, None, False), plain(layer, x)):  # type: ignore[operator]
        layer.zero_grad()
        (grad,) = torch.autograd.grad((states * target).sum(), x, retain_graph=True)
        (states * target).sum().backward()
        found.append([states.detach(), grad, *(p.grad for p in layer.parameters() if p.grad is not None)])
    assert len(found[0]) == len(found[1]) > 4
    for ours, its in zip(*found, strict=True):
        torch.testing.assert_close(ours, its, rtol=0, atol=1e-12)


def test_every_family_has_a_net_and_one_that_is_not_shipped_has_no_likelihood(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family, "CHECKPOINTS", tmp_path)
    for name in family.MEMBERS.values():
        model, told = family.net(name)
        assert (model.channels, model.context_size, told) == (1, 0, "not shipped")


def test_a_shipped_net_tells_the_likelihood_of_its_bundle() -> None:
    _, told = family.net("gated-pixelcnn-mnist-binary")
    assert told == "82.97 nats, 0.1527 bits/dim"
