import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.trainables.position import plain
from trainables.blocks import (
    ASPP,
    BatchNorm,
    ChannelAttention,
    ConvBNReLU,
    DeconvBNReLU,
    PositionAttention,
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (1, 1, 1), (3, 1, 6)])
def test_convolution_keeps_the_size(kernel: int, stride: int, dilation: int) -> None:
    block = ConvBNReLU(2, 5, kernel, stride, dilation)
    assert block(torch.rand(2, 2, 9, 7)).shape == (2, 5, 9, 7)


@pytest.mark.parametrize("stride", [2, 4, 16])
def test_convolution_strides_down(stride: int) -> None:
    assert ConvBNReLU(2, 5, stride=stride)(torch.rand(2, 2, 32, 48)).shape == (
        2, 5, 32 // stride, 48 // stride,
    )  # fmt: skip


def test_convolution_before_batch_norm_has_no_bias() -> None:
    assert {name for name, _ in ConvBNReLU(2, 5).named_parameters()} == {
        "0.weight", "1.weight", "1.bias",
    }  # fmt: skip


def test_deconvolution_doubles_the_size() -> None:
    assert DeconvBNReLU(2, 5)(torch.rand(2, 2, 9, 7)).shape == (2, 5, 18, 14)


def test_batch_norm_is_torchs_where_there_is_a_variance() -> None:
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    features = torch.rand(2, 3, 4, 4)
    for _ in range(2):
        assert torch.equal(ours(features), theirs(features))
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    assert torch.equal(ours.eval()(features), theirs.eval()(features))


def test_batch_norm_of_a_single_value_takes_the_running_statistics() -> None:
    norm = BatchNorm(2)
    norm.load_state_dict(
        {"running_mean": torch.tensor([1.0, 2.0]), "running_var": torch.tensor([4.0, 9.0])},
        strict=False,
    )
    value = torch.tensor([3.0, 8.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(norm(value).flatten(), torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(norm.state_dict()["running_mean"], torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (1, 4, 2, 3), (2, 4, 12, 12)])
def test_aspp_trains_at_any_resolution(shape: tuple[int, int, int, int]) -> None:
    block = ASPP(4, 6, rates=(1, 2, 5))
    out = block(torch.rand(shape))
    torch.autograd.backward(out.sum())
    assert out.shape == (shape[0], 6, *shape[2:])
    assert all(torch.isfinite(p.grad).all() for p in block.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in block.parameters())


def test_aspp_sees_the_whole_image() -> None:
    block = ASPP(1, 4, rates=(1,)).eval()
    image = torch.zeros(1, 1, 16, 16)
    far = image.clone()
    far[..., 0, 0] = 50.0
    assert not torch.equal(block(image)[..., 15, 15], block(far)[..., 15, 15])


def test_aspp_is_one_projection_of_all_branches() -> None:
    block = ASPP(3, 4, rates=(1, 2)).double().eval()
    image = torch.rand(2, 3, 9, 7, dtype=torch.float64)
    context = [branch(image) for branch in block.branches]
    context.append(block.pooled(image).expand(-1, -1, 9, 7))
    torch.testing.assert_close(block(image), block.project(torch.cat(context, dim=1)))
    last = image.to(memory_format=torch.channels_last)
    assert block(last).is_contiguous(memory_format=torch.channels_last)


def test_channel_attention_starts_as_the_identity() -> None:
    features = torch.rand(2, 5, 4, 4)
    assert torch.equal(ChannelAttention()(features), features)


def test_channel_attention_by_hand() -> None:
    block = ChannelAttention()
    block.gamma.data.fill_(2.0)
    # Inner products [[1, 0], [0, 4]]: the weights are softmax([−1, 0]) and softmax([0, −4]).
    features = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).view(1, 2, 1, 2)
    e1, e4 = torch.tensor(-1.0).exp(), torch.tensor(-4.0).exp()
    own, other = e1 / (1 + e1), 1 / (1 + e1)
    first = torch.stack([1 + 2 * own, 2 * 2 * other])
    own, other = e4 / (1 + e4), 1 / (1 + e4)
    second = torch.stack([2 * other, 2 + 2 * 2 * own])
    torch.testing.assert_close(block(features).view(2, 2), torch.stack([first, second]))


def test_channel_attention_under_autocast_keeps_the_energy_in_float32() -> None:
    block = ChannelAttention()
    block.gamma.data.fill_(1.0)
    # Energies 4096 and 4097 differ by 1; bfloat16 would round both to 4096.
    features = torch.zeros(1, 2, 1, 2)
    features[0, 0, 0, 0], features[0, 1, 0, 0] = 64.0, 64.0 + 1 / 64
    expected = block(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(block(features).float(), expected, rtol=1e-2, atol=0)
        assert block(features * 1e3).isfinite().all()


def test_channel_attention_makes_no_denormal_numbers() -> None:
    block = ChannelAttention()
    block.gamma.data.fill_(1e-3)
    sparse = torch.randn(1, 40, 8, 8) * 12
    sparse[:, :20, :4] = 0
    out = block(sparse)
    tiny = torch.finfo(torch.float32).tiny
    assert not ((out != 0) & (out.abs() < tiny)).any()


def position_attention(channels: int, gamma: float) -> PositionAttention:
    block = PositionAttention(channels)
    block.gamma.data.fill_(gamma)
    return block


def test_a_deconvolution_starts_without_a_chequerboard() -> None:
    block = DeconvBNReLU(3, 5).eval()
    ramp = torch.arange(6.0)[:, None] + torch.arange(6.0)
    features = torch.stack([ramp, 2 * ramp, -ramp])[None]
    up = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    # A bilinear up-sampling, mixed by one weight a pair of channels; the border sees zeros.
    mix = block[0].weight[..., 1, 1] / 0.75**2
    expected = torch.einsum("io,nihw->nohw", mix, up).relu()
    found = block[2](block[0](features))
    torch.testing.assert_close(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_position_attention_starts_as_the_identity() -> None:
    features = torch.rand(2, 5, 4, 3)
    assert torch.equal(PositionAttention(5)(features), features)


def test_position_attention_by_hand() -> None:
    block = position_attention(2, gamma=2.0)
    for layer in (block.query, block.key):
        layer.weight.data = torch.tensor([[1.0, 0.0]])
    block.value.weight.data = torch.eye(2)
    block.query.bias.data.zero_()
    block.value.bias.data.copy_(torch.tensor([0.0, 10.0]))
    # Pixels (0, 1) and (1, 3): the energies are [0, 0] for the first, [0, 1] for the second.
    features = torch.tensor([[0.0, 1.0], [1.0, 3.0]]).view(1, 2, 1, 2)
    e = torch.tensor(1.0).exp()
    second = [2 * e / (1 + e) + 1, 2 * ((1 + 3 * e) / (1 + e) + 10) + 3]
    expected = torch.tensor([[2 * 0.5 + 0, second[0]], [2 * (2 + 10) + 1, second[1]]])
    torch.testing.assert_close(block(features).view(2, 2), expected)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(2, 24, 9, 7), (1, 4, 8, 8), (1, 32, 32, 32)])
def test_position_attention_is_the_plain_form(
    shape: tuple[int, int, int, int], order: torch.memory_format
) -> None:
    """To 3·10⁻⁶, and so are its gradients, of the largest one."""
    block = position_attention(shape[1], gamma=0.7)
    features = torch.randn(shape).to(memory_format=order).requires_grad_()
    looked_at = torch.randn(shape)
    asked = [features, *block.parameters()]
    fast, slow = block(features), plain(block, features)
    assert (fast - slow).abs().max() < 3e-6
    ours = torch.autograd.grad((fast * looked_at).sum(), asked)
    theirs = torch.autograd.grad((slow * looked_at).sum(), asked)
    for one, other in zip(ours, theirs, strict=True):
        assert other.any()
        assert (one - other).abs().max() < 3e-6 * max(1.0, float(other.abs().max()))


def test_position_attention_under_autocast_stays_in_float32() -> None:
    block = position_attention(16, gamma=1.0)
    features = torch.randn(1, 16, 6, 6) * 20  # energies of hundreds
    expected = block(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(block(features), expected)
        narrow = block(features.bfloat16())
        assert narrow.dtype == torch.bfloat16
        torch.testing.assert_close(narrow, block(features.bfloat16().float()).bfloat16())
        assert block(features * 1e5).isfinite().all()
