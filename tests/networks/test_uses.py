"""What PyTorch's users do with a network, beyond calling it."""

import copy
import io
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from mnistpipe.networks.models import Classifier, build_network

Use = Callable[[Classifier, Tensor], object]


pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@pytest.fixture(params=["convnet", "net"])
def network(request: pytest.FixtureRequest) -> Classifier:
    torch.manual_seed(0)
    return build_network(request.param, dropout=0.5, n_classes=10).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def with_a_forward_hook(network: Classifier, images: Tensor) -> object:
    seen: list[Tensor] = []
    layer = network.get_submodule("conv2")
    with layer.register_forward_hook(lambda _, __, maps: seen.append(maps)):
        logprobs = network(images)
    assert [len(maps) for maps in seen] == [len(images)]
    assert seen[0].min() < 0  # before ReLU, as the layer gives them
    return logprobs


def with_a_hook_that_changes_the_maps(network: Classifier, images: Tensor) -> object:
    with network.conv1.register_forward_hook(lambda _, __, maps: 0 * maps):
        changed = network(images)
    assert (changed - changed[0]).abs().max() < 1e-6
    return network(images)


def with_a_forward_pre_hook(network: Classifier, images: Tensor) -> object:
    seen: list[Tensor] = []
    with network.conv1.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs)):
        logprobs = network(images)
    assert len(seen) == 1
    assert seen[0] is images
    return logprobs


def with_backward_hooks(network: Classifier, images: Tensor) -> object:
    seen: list[Tensor | None] = []
    layer = network.get_submodule("conv2")
    with (
        layer.register_full_backward_hook(lambda _, __, gradients: seen.extend(gradients)),
        layer.register_full_backward_pre_hook(lambda _, gradients: seen.extend(gradients)),
    ):
        logprobs = network(images)
        logprobs[:, 0].sum().backward()
    assert len(seen) == 2
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in seen)
    return logprobs


def with_a_hook_on_all_modules(network: Classifier, images: Tensor) -> object:
    seen: list[nn.Module] = []
    register = nn.modules.module.register_module_forward_hook
    with register(lambda module, _, __: seen.append(module)):
        logprobs = network(images)
    assert set(network.children()) < set(seen)
    return logprobs


def with_another_forward(network: Classifier, images: Tensor) -> object:
    seen, forward = [], network.conv1.forward

    def forward_and_tell(images: Tensor) -> Tensor:
        seen.append(images)
        return forward(images)

    network.conv1.forward = forward_and_tell  # type: ignore[assignment, method-assign]
    logprobs = network(images)
    assert len(seen) == 1
    return logprobs


def with_a_wrapped_layer(network: Classifier, images: Tensor) -> object:
    network.conv1 = nn.Sequential(network.conv1)  # type: ignore[assignment]
    return network(images)


def parametrized(network: Classifier, images: Tensor) -> object:
    class Double(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return 2 * weight

    network.conv1.weight.data /= 2
    parametrize.register_parametrization(network.conv1, "weight", Double())
    return network(images)


def weight_normalised(network: Classifier, images: Tensor) -> object:
    parametrizations.weight_norm(network.conv1)
    return network(images)


def pruned(network: Classifier, images: Tensor) -> object:
    whole = network(images)
    prune.l1_unstructured(network.conv1, "weight", amount=0.9)  # type: ignore[no-untyped-call]
    assert not torch.allclose(network(images), whole)
    prune.remove(network.conv1, "weight")  # type: ignore[no-untyped-call]
    assert (network.conv1.weight == 0).float().mean() > 0.8
    return whole


def traced(network: Classifier, images: Tensor) -> object:
    trace = torch.jit.trace(network, images[:3])  # type: ignore[no-untyped-call]
    assert "dropout" not in str(trace.inlined_graph)
    torch.jit.save(trace, file := io.BytesIO())
    file.seek(0)
    return torch.jit.load(file)(images)  # type: ignore[no-untyped-call]


def exported(network: Classifier, images: Tensor) -> object:
    any_number = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(network, (images[:3],), dynamic_shapes=any_number)
    assert "dropout" not in str(program.graph)
    return program.module()(images)


def exported_strictly(network: Classifier, images: Tensor) -> object:
    return torch.export.export(network, (images,), strict=True).module()(images)


def compiled_in_one_piece(network: Classifier, images: Tensor) -> object:
    return torch.compile(network, fullgraph=True, backend="eager")(images)


def symbolically_traced(network: Classifier, images: Tensor) -> object:
    return torch.fx.symbolic_trace(network)(images)


def traced_by_dispatch(network: Classifier, images: Tensor) -> object:
    return make_fx(network)(images)(images)


def counted(network: Classifier, images: Tensor) -> object:
    with FlopCounterMode(display=False) as counter:
        logprobs = network(images)
    n_convolutions = sum(isinstance(layer, nn.Conv2d) for layer in network.modules())
    conv = torch.ops.aten.convolution
    counts = counter.get_flop_counts()
    n_counted = sum(conv in by_op for name, by_op in counts.items() if ".conv" in name)
    assert n_counted == n_convolutions
    return logprobs


def in_a_vmap(network: Classifier, images: Tensor) -> object:
    return torch.func.vmap(lambda image: network(image[None])[0])(images)


def in_a_functional_call(network: Classifier, images: Tensor) -> object:
    parameters = {name: weight.detach() for name, weight in network.named_parameters()}
    return torch.func.functional_call(network, parameters, (images,))


def for_per_sample_gradients(network: Classifier, images: Tensor) -> object:
    parameters = {name: weight.detach() for name, weight in network.named_parameters()}

    def loss(parameters: dict[str, Tensor], image: Tensor) -> Tensor:
        logprob: Tensor = torch.func.functional_call(network, parameters, (image[None],))[0, 0]
        return -logprob

    by_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, images)
    logprobs = network(images)
    logprobs[:, 0].sum().neg().backward()
    for name, gradients in by_sample.items():
        whole = network.get_parameter(name).grad
        assert whole is not None
        largest = float(whole.abs().max())
        torch.testing.assert_close(gradients.sum(0), whole, rtol=1e-4, atol=1e-4 * largest)
    return logprobs


def with_a_forward_derivative(network: Classifier, images: Tensor) -> object:
    derivative = torch.func.jvp(network, (images,), (images,))[1]
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(images, images)  # type: ignore[no-untyped-call]
        logprobs, same = forward_ad.unpack_dual(network(dual))  # type: ignore[no-untyped-call]
        torch.testing.assert_close(same, derivative)
        return logprobs.clone()


def with_images_that_need_a_gradient(network: Classifier, images: Tensor) -> object:
    images.requires_grad_()
    logprobs = network(images)
    (saliency,) = torch.autograd.grad(logprobs[:, 0].sum(), images)
    assert saliency.flatten(1).abs().amax(1).min() > 0
    return logprobs


def checkpointed(network: Classifier, images: Tensor) -> object:
    return checkpoint(network, images, use_reentrant=False)


def copied(network: Classifier, images: Tensor) -> object:
    return copy.deepcopy(network)(images)


def pickled(network: Classifier, images: Tensor) -> object:
    return pickle.loads(pickle.dumps(network))(images)  # noqa: S301 (our own)


def in_double_precision(network: Classifier, images: Tensor) -> object:
    logprobs = network.double()(images.double())
    assert logprobs.dtype == torch.float64
    return logprobs.float()


def with_another_default_type_and_device(network: Classifier, images: Tensor) -> object:
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        return network(images)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def one_by_one(network: Classifier, images: Tensor) -> object:
    return torch.cat([network(image[None]) for image in images[:3]] + [network(images[3:])])


def with_no_images(network: Classifier, images: Tensor) -> object:
    return torch.cat([network(images[:0]), network(images)])


def not_contiguous(network: Classifier, images: Tensor) -> object:
    turned = images.transpose(2, 3).contiguous().transpose(2, 3)
    assert not turned.is_contiguous()
    return network(turned)


def channels_last(network: Classifier, images: Tensor) -> object:
    network.to(memory_format=torch.channels_last)
    return network(images.to(memory_format=torch.channels_last))


USES = (
    with_a_forward_hook,
    with_a_hook_that_changes_the_maps,
    with_a_forward_pre_hook,
    with_backward_hooks,
    with_a_hook_on_all_modules,
    with_another_forward,
    with_a_wrapped_layer,
    parametrized,
    weight_normalised,
    pruned,
    traced,
    exported,
    exported_strictly,
    compiled_in_one_piece,
    symbolically_traced,
    traced_by_dispatch,
    counted,
    in_a_vmap,
    in_a_functional_call,
    for_per_sample_gradients,
    with_a_forward_derivative,
    with_images_that_need_a_gradient,
    checkpointed,
    copied,
    pickled,
    in_double_precision,
    with_another_default_type_and_device,
    one_by_one,
    with_no_images,
    not_contiguous,
    channels_last,
)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_a_network_gives_the_same_in_evaluation_mode(
    network: Classifier, images: Tensor, use: Use
) -> None:
    expected = network(images).detach()
    given = use(network, images)
    assert isinstance(given, Tensor)
    torch.testing.assert_close(given.detach(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_network_takes_half_precision(
    network: Classifier, images: Tensor, dtype: torch.dtype
) -> None:
    expected = network(images)
    given = network.to(dtype)(images.to(dtype))
    assert given.dtype == torch.float32
    torch.testing.assert_close(given, expected, rtol=0.02, atol=0.02)


def test_a_network_without_numbers_has_shapes(network: Classifier, images: Tensor) -> None:
    logprobs = network.to("meta").train()(images.to("meta"))
    assert logprobs.device.type == "meta"
    assert logprobs.shape == (len(images), 10)


@pytest.mark.parametrize("watched", ["a hook", "a parametrization"])
def test_training_goes_the_same_way_when_somebody_looks_on(
    network: Classifier, images: Tensor, watched: str
) -> None:
    network.train()
    gradients = []
    for twin in (network, copy.deepcopy(network)):
        if twin is not network:
            for layer in [each for each in twin.modules() if isinstance(each, nn.Conv2d)]:
                if watched == "a hook":
                    layer.register_forward_hook(lambda _, __, maps: maps)
                else:
                    parametrize.register_parametrization(layer, "bias", nn.Identity())
        torch.manual_seed(2)  # the same channels are dropped
        twin(images)[:, 0].sum().backward()
        names = {
            name: name.replace(".parametrizations.bias.original", ".bias")
            for name, _ in twin.named_parameters()
        }
        gradients.append({names[name]: weight.grad for name, weight in twin.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[1].items():
        torch.testing.assert_close(gradients[0][name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 3, 28, 28), (8, 1, 2, 2), (8, 28, 28)])
def test_what_pytorchs_layers_refuse_is_refused(
    network: Classifier, shape: tuple[int, ...]
) -> None:
    with pytest.raises(RuntimeError):
        network(torch.zeros(shape))
