"""The fixed transforms against SciPy and against pictures whose spectrum is known."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.networks._frequency import (  # noqa: E402
    Dct2d,
    Dft2d,
    Levels,
    YCbCr,
    dct_matrix,
    full_precision,
    ring_weights,
)
from unmask.networks._spectrum_statistics import (  # noqa: E402
    STATISTICS,
    BlockSpectrum,
    RingSpectrum,
    SpectrumStatistics,
    log_power,
)
from unmask.networks.base import NetworkSpec  # noqa: E402


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [8, 10, 112, 299])
def test_dct_is_orthonormal_and_equal_to_scipy(size: int) -> None:
    from scipy.fft import dctn

    matrix = dct_matrix(size)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size), atol=1e-5, rtol=0)
    squares = noise(2, 3, size, size)
    transform = Dct2d(size)
    expected = dctn(squares.double().numpy(), axes=(2, 3), norm="ortho")
    np.testing.assert_allclose(transform(squares).numpy(), expected, atol=2e-5)
    torch.testing.assert_close(transform.inverse(transform(squares)), squares, atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", [9, 112, 299])
def test_dft_is_that_of_numpy_and_has_an_inverse(size: int) -> None:
    squares = noise(2, 1, size, size)
    transform = Dft2d(size)
    real, imaginary = transform(squares)
    expected = np.fft.fft2(squares.double().numpy(), norm="ortho")
    np.testing.assert_allclose(real.numpy(), expected.real, atol=3e-5)
    np.testing.assert_allclose(imaginary.numpy(), expected.imag, atol=3e-5)
    half, _ = transform(squares, size // 2 + 1)
    torch.testing.assert_close(half, real[..., : size // 2 + 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(transform.inverse(real, imaginary), squares, atol=3e-5, rtol=0)


@pytest.mark.parametrize("size", [96, 111, 128])
def test_white_noise_has_a_flat_ring_spectrum_at_its_variance(size: int) -> None:
    rings = RingSpectrum(size)(3 * noise(64, 1, size, size)).mean((0, 1))
    torch.testing.assert_close(rings[4:], torch.full_like(rings[4:], 9.0), rtol=0.06, atol=0)


@pytest.mark.parametrize("size", [96, 111, 299])
def test_rings_average_and_leave_nothing_out_below_half_the_sampling_rate(size: int) -> None:
    weights = ring_weights(size, 48)
    assert bool(torch.isfinite(weights).all())
    torch.testing.assert_close(weights.sum(0), torch.ones(48))
    rows = torch.fft.fftfreq(size, 1 / size)
    radius = (rows[:, None] ** 2 + torch.arange(size // 2 + 1) ** 2).sqrt().flatten()
    assert bool((weights.sum(1)[radius < size / 2] > 0).all())
    assert not weights.sum(1)[radius > size / 2 * 1.02].any()


def test_up_sampling_leaves_a_peak_at_half_the_sampling_rate() -> None:
    """Zeros between pixels repeat the spectrum: its low end comes again in the highest rings."""
    size = 128
    small = noise(16, 1, size // 2, size // 2, seed=1).cumsum(2).cumsum(3)  # steep, as pictures
    small = small - small.mean((2, 3), keepdim=True)
    stuffed = torch.zeros(16, 1, size, size)
    stuffed[..., ::2, ::2] = small
    rings = log_power(RingSpectrum(size)(stuffed)).mean((0, 1))
    assert int(rings[24:].argmax()) >= 22  # of 24: the copies lie around, not at, the corner
    assert float(rings[-1] - rings[28:40].mean()) > 1  # a factor of ten
    plain = torch.nn.functional.interpolate(small, scale_factor=2, mode="bicubic")
    smooth = log_power(RingSpectrum(size)(plain)).mean((0, 1))
    assert float(smooth[-1] - smooth[28:40].mean()) < 0.1


def test_block_spectrum_of_one_cosine_stands_in_one_coefficient() -> None:
    u, v, amplitude = 3, 5, 20.0
    matrix = dct_matrix(8)
    block = amplitude * torch.outer(matrix[u], matrix[v])
    means = BlockSpectrum()(block[None, None])[0, 0, :64]
    assert int(means.argmax()) == 8 * u + v
    assert float(means[8 * u + v]) == pytest.approx(np.log10(amplitude**2 + 1 / 12), abs=1e-4)
    others = torch.cat([means[: 8 * u + v], means[8 * u + v + 1 :]])
    torch.testing.assert_close(others, torch.full((63,), np.log10(1 / 12)), atol=1e-3, rtol=0)


def test_statistics_are_the_same_under_autocast_and_have_gradients() -> None:
    levels = (noise(2, 3, 96, 96) * 20 + 128).clamp(0, 255).requires_grad_()
    statistics = SpectrumStatistics(96)
    plain = statistics(levels)
    with torch.autocast("cpu", torch.bfloat16):
        cast = statistics(levels)
    assert cast.dtype == torch.float32
    assert torch.equal(plain, cast)
    assert plain.shape == (2, STATISTICS)
    plain.sum().backward()
    assert levels.grad is not None
    assert bool(torch.isfinite(levels.grad).all())
    flat = torch.full((1, 3, 96, 96), 77.0, requires_grad=True)
    statistics(flat).sum().backward()
    assert flat.grad is not None
    assert bool(torch.isfinite(flat.grad).all())


def test_full_precision_is_a_region_only_where_there_is_autocast() -> None:
    left, right = noise(4, 4), noise(4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert (left @ right).dtype == torch.bfloat16
        with full_precision("cpu"):
            assert (left @ right).dtype == torch.float32


def test_levels_and_colours_are_those_of_the_standard() -> None:
    spec = NetworkSpec("x", "X", "2020", "frequency", mean=(10, 20, 30), std=(2, 4, 8))
    levels = Levels(spec)(torch.ones(1, 3, 1, 1))
    assert levels.flatten().tolist() == [12, 24, 38]
    red = torch.tensor([255.0, 0, 0]).view(1, 3, 1, 1)
    y, cb, cr = (YCbCr()(red) + 128).flatten().tolist()  # JFIF: (76.245, 84.97, 255.5)
    assert (y, cb, cr) == pytest.approx((76.245, 84.972, 255.5), abs=1e-2)
    grey = YCbCr()(torch.full((1, 3, 1, 1), 200.0)).flatten().tolist()
    assert grey == pytest.approx([72, 0, 0], abs=1e-4)


def test_an_exported_transform_and_its_inverse_are_right_in_openvino(tmp_path: Path) -> None:
    """One matrix shared by both directions came out wrong there at 96 px, and right at 32."""
    import openvino

    class ThereAndBack(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cosine, self.fourier = Dct2d(96), Dft2d(96)

        def forward(self, squares: torch.Tensor) -> torch.Tensor:
            coefficients = self.cosine(squares)
            coefficients = coefficients * (coefficients > 0)
            return self.fourier.inverse(*self.fourier(self.cosine.inverse(coefficients)))

    squares, file = noise(2, 3, 96, 96), tmp_path / "transform.onnx"
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            ThereAndBack().eval(), (squares,), dynamo=True, external_data=False, verbose=False
        )
    program.save(file)
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    seen = openvino.Core().compile_model(file, "CPU", exact)([squares.numpy()])[0]
    np.testing.assert_allclose(seen, ThereAndBack()(squares).numpy(), atol=1e-4)
