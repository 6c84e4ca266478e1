"""The trainable MCGSM against its reference formula, and its gradients against finite differences."""

import pytest
import torch
from torch import Tensor

from models import mcgsm_head
from models.heads import mcgsm_log_prob
from models.mcgsm_head import McgsmHead


def random_head(components: int, scales: int) -> McgsmHead:
    torch.manual_seed(components + scales)
    head = McgsmHead(6, components, scales, 5).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return head


def inputs(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    h, whitening, x = (torch.randn(rows, *size, generator=generator).double() for size in ((6,), (2,), ()))
    return h, whitening, x


@pytest.mark.parametrize(("components", "scales"), [(1, 1), (4, 3), (7, 1), (1, 4)])
@pytest.mark.parametrize("rows_at_once", [2, 3, 100])
def test_it_equals_the_reference_whatever_the_size_of_its_blocks(
    components: int, scales: int, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcgsm_head, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(mcgsm_head, "_ROWS_WITHOUT_GRADIENT", rows_at_once + 1)
    head, (h, whitening, x) = random_head(components, scales), inputs(7)
    reference = mcgsm_log_prob(h, whitening, x, head.constants())
    torch.testing.assert_close(head(h, whitening, x), reference, rtol=0, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(head(h, whitening, x), reference, rtol=0, atol=1e-12)
    gradients = [
        torch.autograd.grad(value.sum(), list(head.parameters())) for value in (head(h, whitening, x), reference)
    ]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    head, (h, whitening, x) = random_head(3, 2), inputs(4)
    parameters = dict(head.named_parameters())

    def run(h: Tensor, whitening: Tensor, x: Tensor, *values: Tensor) -> Tensor:
        log_prob: Tensor = torch.func.functional_call(
            head, dict(zip(parameters, values, strict=True)), (h, whitening, x)
        )
        return log_prob

    leaves = [t.requires_grad_() for t in (h, whitening, x)]
    assert torch.autograd.gradcheck(run, (*leaves, *parameters.values()))


@pytest.mark.parametrize(("num_components", "most"), [(4, 65_536), (128, 65_536), (16_384, 1_000)])
def test_a_large_mixture_takes_fewer_rows_at_once(
    num_components: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """65,536 rows of 16,384 components would hold 8.6 GB of products."""

    def none_of_it(head: McgsmHead, h: Tensor, whitening: Tensor, x: Tensor) -> Tensor:
        rows.append(len(h))
        return x

    rows: list[int] = []
    monkeypatch.setattr(McgsmHead, "_log_prob", none_of_it)
    head, pixels = McgsmHead(1, num_components, num_scales=1, num_features=48), torch.arange(100_000)
    with torch.no_grad():
        assert torch.equal(head(pixels[:, None], pixels[:, None], pixels), pixels)
    assert max(rows) <= most and min(rows[:-1]) > most / 2
